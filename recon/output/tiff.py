"""The TIFF forms of a reconstruction: as ImageJ writes it, and OME-TIFF; both with pixel size and record.

Pages are channels of one picture: image, standard deviation and contradiction, those that there are. ImageJ and Fiji
show them one at a time, each with its own limits.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.types import ReadOnlyMapping

if TYPE_CHECKING:
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["PAGES", "write_ome_tiff", "write_tiff"]

PAGES: Final[Mapping[str, str]] = ReadOnlyMapping(
    {"image": "image", "std": "standard deviation", "contradiction": "contradiction (z of the counts)"}
)
"""Names of pages by the attribute of a reconstruction that they hold, in order."""

_LARGEST_TIFF = 4_000_000_000
_DM_UNITS, _DM_SCALES = (65003, 65004), (65009, 65010)


def write_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """A float TIFF with its pixel size in nm as ImageJ has it and, for HyperSpy, as DigitalMicrograph has it.

    It holds the pages that fit into 4 GB, the image first.
    """
    import tifffile

    names, pages = _pages(reconstruction)
    image, size = pages[0], reconstruction.pixel_size_nm
    if image.nbytes > _LARGEST_TIFF:
        raise ReconError(
            f"expected an image of at most {_LARGEST_TIFF} bytes for TIFF, got {image.nbytes}; write .ome.tif or .zarr"
        )
    names = names[: _LARGEST_TIFF // image.nbytes]
    data, axes = _together(pages[: len(names)])
    metadata: dict[str, Any] = {"axes": axes, "Info": json.dumps(record)}
    if len(names) > 1:
        metadata |= {"mode": "grayscale", "Labels": names, "Ranges": _ranges(pages[: len(names)])}
    options: dict[str, Any] = {}
    if size is not None:
        metadata["unit"] = "nm"
        options = {"resolution": (1 / size, 1 / size), "extratags": _dm_tags(size)}
    tifffile.imwrite(path, data, imagej=True, metadata=metadata, **options)


def write_ome_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """A float OME-TIFF; its identifier is made of what it holds, so that the same image is the same file."""
    import tifffile

    names, pages = _pages(reconstruction)
    size, text = reconstruction.pixel_size_nm, json.dumps(record)
    digest = hashlib.sha256(text.encode())
    for page in pages:
        digest.update(page.data)
    data, axes = _together(pages)
    metadata: dict[str, Any] = {
        "axes": axes,
        "UUID": str(uuid.UUID(bytes=digest.digest()[:16])),
        "Name": reconstruction.method,
        "Description": text,
    }
    if len(names) > 1:
        metadata["Channel"] = {"Name": names}
    if size is not None:
        metadata |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
    large = data.nbytes > _LARGEST_TIFF
    tifffile.imwrite(
        path, data, ome=True, bigtiff=large, photometric="minisblack", metadata=metadata, extratags=_dm_tags(size)
    )


def _pages(reconstruction: Reconstruction) -> tuple[list[str], list[npt.NDArray[np.float32]]]:
    """Names and values of the pages that there are."""
    found = {name: getattr(reconstruction, attribute) for attribute, name in PAGES.items()}
    there = {name: np.ascontiguousarray(page) for name, page in found.items() if page is not None}
    return list(there), list(there.values())


def _together(pages: list[npt.NDArray[np.float32]]) -> tuple[npt.NDArray[np.float32], str]:
    """Pages as one array, and its axes."""
    return (pages[0], "YX") if len(pages) == 1 else (np.stack(pages), "CYX")


def _ranges(pages: list[npt.NDArray[np.float32]]) -> tuple[float, ...]:
    """Values of black and white of each page."""
    limits = [(float(page.min()), float(page.max())) for page in pages]
    return tuple(value for low, high in limits for value in (low, high if high > low else low + 1))


def _dm_tags(size: float | None) -> list[tuple[Any, ...]]:
    """A pixel size in nm as DigitalMicrograph has it, from which RosettaSciIO takes it in any TIFF."""
    if size is None:
        return []
    units = [(code, "s", 0, "nm", True) for code in _DM_UNITS]
    return [*units, *((code, "d", 1, size, True) for code in _DM_SCALES)]
