"""The TIFF forms of a reconstruction: as ImageJ writes it, and OME-TIFF; both with pixel size and record.

Pages are channels of one picture: image, standard deviation and contradiction, those that there are. ImageJ and Fiji
show them one at a time, each with its own limits.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import ReconError
from stemscan.types import Image, ReadOnlyMapping

if TYPE_CHECKING:
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["PAGES", "Pages", "write_ome_tiff", "write_tiff"]

PAGES: Final[Mapping[str, str]] = ReadOnlyMapping(
    {"image": "image", "std": "standard deviation", "contradiction": "contradiction (z of the counts)"}
)
"""Names of pages by the attribute of a reconstruction that they hold, in order."""

_LARGEST_TIFF = 4_000_000_000
_DM_UNITS, _DM_SCALES = (65003, 65004), (65009, 65010)


@dataclass(frozen=True, eq=False)
class Pages:
    """Maps of a reconstruction, in memory or not.

    Attributes
    ----------
    names : tuple of str
        Keys of `PAGES`.
    shape : (int, int)
    limits : mapping of str to (float, float)
        Least and largest value of each.
    parts : callable
        Of a name: gives rows, columns and values of its parts, one after the other.
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    limits: Mapping[str, tuple[float, float]]
    parts: Callable[[str], Iterable[tuple[slice, slice, Image]]]

    @classmethod
    def of(cls, reconstruction: Reconstruction) -> Pages:
        """Those of a reconstruction in memory."""
        maps = {name: getattr(reconstruction, name) for name in PAGES}
        there = {name: page for name, page in maps.items() if page is not None}
        rows, columns = reconstruction.image.shape
        limits = {name: (float(page.min()), float(page.max())) for name, page in there.items()}
        return cls(
            tuple(there), (rows, columns), limits, lambda name: [(slice(0, rows), slice(0, columns), there[name])]
        )

    @property
    def page_bytes(self) -> int:
        """Size of a page."""
        return 4 * self.shape[0] * self.shape[1]

    def first(self, number: int) -> Pages:
        """As many of them."""
        return replace(self, names=self.names[:number])

    def write(self, path: Path, **options: Any) -> None:
        """Write a TIFF, uncompressed, part by part."""
        import tifffile

        shape = self.shape if len(self.names) == 1 else (len(self.names), *self.shape)
        file = tifffile.memmap(path, shape=shape, dtype=np.float32, **options)
        for page, name in zip(file.reshape(-1, *self.shape), self.names, strict=True):
            for rows, columns, values in self.parts(name):
                page[rows, columns] = values
        file.flush()


def write_tiff(pages: Pages, record: Mapping[str, Any], path: Path) -> None:
    """A float TIFF with its pixel size in nm as ImageJ has it and, for HyperSpy, as DigitalMicrograph has it.

    It holds the pages that fit into 4 GB, the image first.
    """
    size = record["pixel_size_nm"]
    if pages.page_bytes > _LARGEST_TIFF:
        raise ReconError(
            f"expected an image of at most {_LARGEST_TIFF} bytes for TIFF, got {pages.page_bytes}; write .ome.tif or "
            ".zarr"
        )
    pages = pages.first(_LARGEST_TIFF // pages.page_bytes)
    metadata: dict[str, Any] = {"axes": _axes(pages), "Info": json.dumps(record)}
    if len(pages.names) > 1:
        metadata |= {"mode": "grayscale", "Labels": [PAGES[name] for name in pages.names], "Ranges": _ranges(pages)}
    options: dict[str, Any] = {}
    if size is not None:
        metadata["unit"] = "nm"
        options = {"resolution": (1 / size, 1 / size), "extratags": _dm_tags(size)}
    pages.write(path, imagej=True, metadata=metadata, **options)


def write_ome_tiff(pages: Pages, record: Mapping[str, Any], path: Path) -> None:
    """A float OME-TIFF; its identifier is made of what it holds, so that the same image is the same file."""
    size, text = record["pixel_size_nm"], json.dumps(record)
    digest = hashlib.sha256(text.encode())
    for name in pages.names:
        for _, _, values in pages.parts(name):
            digest.update(np.ascontiguousarray(values).data)
    metadata: dict[str, Any] = {
        "axes": _axes(pages),
        "UUID": str(uuid.UUID(bytes=digest.digest()[:16])),
        "Name": record["method"],
        "Description": text,
    }
    if len(pages.names) > 1:
        metadata["Channel"] = {"Name": [PAGES[name] for name in pages.names]}
    if size is not None:
        metadata |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
    large = pages.page_bytes * len(pages.names) > _LARGEST_TIFF
    options: dict[str, Any] = {"photometric": "minisblack", "extratags": _dm_tags(size)}
    pages.write(path, ome=True, bigtiff=large, metadata=metadata, **options)


def _axes(pages: Pages) -> str:
    """Axes of the file, as tifffile names them."""
    return "YX" if len(pages.names) == 1 else "CYX"


def _ranges(pages: Pages) -> tuple[float, ...]:
    """Values of black and white of each page."""
    limits = (pages.limits[name] for name in pages.names)
    return tuple(value for low, high in limits for value in (low, high if high > low else low + 1))


def _dm_tags(size: float | None) -> list[tuple[Any, ...]]:
    """A pixel size in nm as DigitalMicrograph has it, from which RosettaSciIO takes it in any TIFF."""
    if size is None:
        return []
    units = [(code, "s", 0, "nm", True) for code in _DM_UNITS]
    return [*units, *((code, "d", 1, size, True) for code in _DM_SCALES)]
