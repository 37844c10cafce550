"""The TIFF forms of a reconstruction: as ImageJ writes it, and OME-TIFF; both with pixel size and record."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.errors import ReconError

if TYPE_CHECKING:
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["write_ome_tiff", "write_tiff"]

_LARGEST_TIFF = 4_000_000_000
_DM_UNITS, _DM_SCALES = (65003, 65004), (65009, 65010)


def write_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """A float TIFF with its pixel size in nm as ImageJ has it and, for HyperSpy, as DigitalMicrograph has it."""
    import tifffile

    image, size = np.ascontiguousarray(reconstruction.image), reconstruction.pixel_size_nm
    if image.nbytes > _LARGEST_TIFF:
        raise ReconError(
            f"expected an image of at most {_LARGEST_TIFF} bytes for TIFF, got {image.nbytes}; write .ome.tif or .zarr"
        )
    metadata = {"axes": "YX", "Info": json.dumps(record)}
    if size is None:
        tifffile.imwrite(path, image, imagej=True, metadata=metadata)
    else:
        metadata["unit"] = "nm"
        resolution = 1 / size, 1 / size
        tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata=metadata, extratags=_dm_tags(size))


def write_ome_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """A float OME-TIFF; its identifier is made of what it holds, so that the same image is the same file."""
    import tifffile

    image, size, text = np.ascontiguousarray(reconstruction.image), reconstruction.pixel_size_nm, json.dumps(record)
    identity = hashlib.sha256(text.encode() + image.tobytes()).digest()[:16]
    metadata: dict[str, Any] = {
        "axes": "YX",
        "UUID": str(uuid.UUID(bytes=identity)),
        "Name": reconstruction.method,
        "Description": text,
    }
    if size is not None:
        metadata |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
    large = image.nbytes > _LARGEST_TIFF
    tifffile.imwrite(path, image, ome=True, bigtiff=large, metadata=metadata, extratags=_dm_tags(size))


def _dm_tags(size: float | None) -> list[tuple[Any, ...]]:
    """A pixel size in nm as DigitalMicrograph has it, from which RosettaSciIO takes it in any TIFF."""
    if size is None:
        return []
    units = [(code, "s", 0, "nm", True) for code in _DM_UNITS]
    return [*units, *((code, "d", 1, size, True) for code in _DM_SCALES)]
