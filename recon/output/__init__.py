"""Writing reconstructions: OME-Zarr, TIFF, NumPy or PNG, by the suffix of the path.

A file or folder appears under its name whole or not at all. Only the zarr form holds everything (image, standard
deviation, settings, source, metrics) and can be read back; the others hold the image, and the TIFF and PNG its record
as text. Nothing is overwritten unasked, and a folder only if it is a reconstruction: an acquisition never is.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan import __version__
from stemscan.errors import OutputExistsError, ReconError, UsageError
from stemscan.files.writing import check_output, write_file
from stemscan.recon.output.zarr_image import SCHEMA, is_reconstruction, read_reconstruction, read_record, write_zarr

if TYPE_CHECKING:
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = [
    "SUFFIXES",
    "check_destination",
    "is_reconstruction",
    "read_reconstruction",
    "read_record",
    "record_of",
    "write_reconstruction",
]

SUFFIXES: Final[tuple[str, ...]] = (".zarr", ".tif", ".tiff", ".npy", ".png")

_LARGEST_TIFF = 4_000_000_000
_DM_UNITS, _DM_SCALES = (65003, 65004), (65009, 65010)


def check_destination(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a path that `write_reconstruction` would refuse, before the work is done.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    UsageError
        When the suffix is none of `SUFFIXES`.
    InputNotFoundError
        When the parent folder does not exist; none is created.
    OutputExistsError
        When something is there and may not be, or must not be, overwritten.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"expected an output that ends in {', '.join(SUFFIXES)}, got {str(path)!r}")
    check_output(path, overwrite=overwrite)
    if path.suffix.lower() != ".zarr":
        if path.is_dir():
            raise OutputExistsError(f"expected a file path, got {str(path)!r}, which is a folder; choose another name")
    elif path.exists() and not is_reconstruction(path):
        raise OutputExistsError(
            f"expected a reconstruction to overwrite, got {str(path)!r}, which is something else; choose another name, "
            "or remove it yourself"
        )


def write_reconstruction(
    reconstruction: Reconstruction, path: str | Path, *, metrics: Metrics | None = None, overwrite: bool = False
) -> None:
    """Write a reconstruction in the format that the suffix names.

    Parameters
    ----------
    reconstruction : Reconstruction
    path : str or Path
        ``.zarr``: OME-Zarr 0.5 image ``image`` with pixel size, array ``std`` where there is one, record in the
        attribute ``stemscan``. ``.ome.tif``, ``.ome.tiff``: OME-TIFF, 32-bit float, with pixel size, and the record as
        the image's description. Other ``.tif``, ``.tiff``: the same as ImageJ writes it. ``.npy``: the image alone,
        float32. ``.png``: a grey picture with a scale bar, for people.
    metrics : Metrics, optional
        Kept in the record.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    UsageError, InputNotFoundError, OutputExistsError
        As `check_destination`.
    StemscanError
        When the system refuses to write.
    """
    path = Path(path)
    check_destination(path, overwrite=overwrite)
    record = record_of(reconstruction, metrics)
    kind = path.suffix.lower()
    if kind == ".zarr":
        write_zarr(reconstruction, record, path)
    elif kind == ".npy":
        write_file(path, lambda temporary: np.save(temporary, reconstruction.image), overwrite=overwrite)
    elif kind == ".png":
        write_file(path, lambda temporary: _write_png(reconstruction, record, temporary), overwrite=overwrite)
    else:
        write_tiff = _write_ome_tiff if is_ome_tiff(path) else _write_tiff
        write_file(path, lambda temporary: write_tiff(reconstruction, record, temporary), overwrite=overwrite)


def record_of(reconstruction: Reconstruction, metrics: Metrics | None = None) -> dict[str, Any]:
    """What is written about a reconstruction, as plain data for JSON.

    Parameters
    ----------
    reconstruction : Reconstruction
    metrics : Metrics, optional

    Returns
    -------
    dict
        ``schema``, ``kind``, ``version``, ``method``, ``settings``, ``shape``, ``factor``, ``native_factor``,
        ``pixel_size_nm``, ``source`` (with the digests of store and plan), ``metrics`` (or None). Numbers that JSON
        does not know (NaN, infinity) are None. No times, so that two equal runs write the same bytes.
    """
    plain: dict[str, Any] = _plain(
        {
            "schema": SCHEMA,
            "kind": "reconstruction",
            "version": __version__,
            "method": reconstruction.method,
            "settings": reconstruction.settings,
            "shape": reconstruction.image.shape,
            "factor": reconstruction.factor,
            "native_factor": reconstruction.native_factor,
            "pixel_size_nm": reconstruction.pixel_size_nm,
            "source": reconstruction.source,
            "metrics": None if metrics is None else metrics.to_dict(),
        }
    )
    return plain


def _plain(value: Any) -> Any:
    """The same as data that JSON can hold."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _write_png(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
    """A grey picture with a scale bar."""
    from stemscan.recon.pictures.single import draw_picture

    text = {"Software": f"stemscan {__version__}", "Comment": json.dumps(record)}
    draw_picture(reconstruction.image, path, pixel_size_nm=reconstruction.pixel_size_nm, text=text)


def is_ome_tiff(path: Path) -> bool:
    """Tell whether the name of a file means OME-TIFF.

    Examples
    --------
    >>> is_ome_tiff(Path("a.ome.tif")), is_ome_tiff(Path("a.OME.TIFF")), is_ome_tiff(Path("a.tif"))
    (True, True, False)
    """
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _write_ome_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
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


def _write_tiff(reconstruction: Reconstruction, record: Mapping[str, Any], path: Path) -> None:
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
