"""Writing reconstructions: OME-Zarr, TIFF, HyperSpy's, NumPy or PNG, by the suffix of the path.

A file or folder appears under its name whole or not at all. Only the zarr form holds everything (image, standard
deviation, settings, source, metrics) and can be read back; TIFF and HyperSpy's hold the maps and the record, PNG the
record, NumPy the image alone. Nothing is overwritten unasked, and a folder only if it is a reconstruction: an
acquisition never is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan import __version__
from stemscan.arguments import file_path
from stemscan.errors import OutputExistsError, UsageError
from stemscan.files.writing import check_output, write_file
from stemscan.objects.path import ObjectPath, as_path
from stemscan.recon.output.hyperspy import is_zspy, require_hdf5, write_hspy, write_zspy
from stemscan.recon.output.record import record_of
from stemscan.recon.output.tiff import Pages, write_ome_tiff, write_tiff
from stemscan.recon.output.zarr_image import is_reconstruction, put_store, write_zarr

if TYPE_CHECKING:
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["SUFFIXES", "check_destination", "write_reconstruction"]

Record = Mapping[str, Any]


def _write_npy(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """The image alone."""
    np.save(path, reconstruction.image)


def _write_png(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """A grey picture with a scale bar, the contradiction beside it."""
    from stemscan.recon.pictures.single import draw_picture

    text = {"Software": f"stemscan {__version__}", "Comment": json.dumps(record)}
    size, checked = reconstruction.pixel_size_nm, reconstruction.checked
    draw_picture(reconstruction.image, path, pixel_size_nm=size, checked=checked, text=text)


def _write_tiff(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """Image, standard deviation and contradiction as ImageJ writes them."""
    write_tiff(Pages.of(reconstruction), record, path)


def _write_ome_tiff(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """The same as OME-TIFF."""
    write_ome_tiff(Pages.of(reconstruction), record, path)


def _write_hspy(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """The same as HyperSpy writes signals."""
    write_hspy(Pages.of(reconstruction), record, path)


def _write_zspy(reconstruction: Reconstruction, record: Record, path: Path) -> None:
    """The same in a folder."""
    put_store(path, lambda folder: write_zspy(Pages.of(reconstruction), record, folder))


_WRITERS: Final[Mapping[str, Callable[[Reconstruction, Record, Path], None]]] = MappingProxyType(
    {
        ".ome.tif": _write_ome_tiff,
        ".ome.tiff": _write_ome_tiff,
        ".zarr": write_zarr,
        ".tif": _write_tiff,
        ".tiff": _write_tiff,
        ".hspy": _write_hspy,
        ".zspy": _write_zspy,
        ".npy": _write_npy,
        ".png": _write_png,
    }
)
"""By the end of the path's name; the first that fits."""

SUFFIXES: Final[tuple[str, ...]] = tuple(suffix for suffix in _WRITERS if suffix.count(".") == 1)

_FOLDERS: Final[Mapping[str, Callable[[Path], bool]]] = {".zarr": is_reconstruction, ".zspy": is_zspy}
"""Forms that are folders, and what may be replaced by each."""


def check_destination(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a path that `write_reconstruction` would refuse, before the work is done.

    Parameters
    ----------
    overwrite : bool
        True if what is there may be replaced.

    Raises
    ------
    UsageError
        When the suffix is none of `SUFFIXES`.
    InputNotFoundError
        When the parent folder does not exist; none is created.
    OutputExistsError
        When something is there and may not be, or must not be, overwritten.
    MissingDependencyError
        When a package for the format is not installed.
    """
    path = as_path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"expected an output that ends in {', '.join(_WRITERS)}, got {str(path)!r}; rename it")
    if suffix == ".zspy" and isinstance(path, ObjectPath):
        raise UsageError(f"expected a path of this machine for a folder of .zspy, got {str(path)!r}; give it .zarr")
    if suffix == ".hspy":
        require_hdf5(path)
    check_output(path, overwrite=overwrite)
    if suffix not in _FOLDERS:
        if path.is_dir():
            raise OutputExistsError(f"expected a file path, got {str(path)!r}, which is a folder; choose another name")
    elif path.exists() and not _FOLDERS[suffix](path):
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
    path : str or Path
        ``.zarr``: OME-Zarr 0.5 image ``image`` with pixel size, arrays ``std`` and ``contradiction`` where there are
        any, record in the attribute ``stemscan``. ``.ome.tif``, ``.ome.tiff``: OME-TIFF, 32-bit float, with the same
        as pages, pixel size, and the record as description. Other ``.tif``, ``.tiff``: the same as ImageJ writes it.
        ``.hspy``, ``.zspy``: the same as signals of HyperSpy.
        ``.npy``: the image alone, float32. ``.png``: a grey picture with a scale bar, for people; the contradiction
        beside it.
    metrics : Metrics, optional
        Kept in the record.
    overwrite : bool
        True if what is there may be replaced.

    Raises
    ------
    UsageError, InputNotFoundError, OutputExistsError, MissingDependencyError
        As `check_destination`.
    StemscanError
        When the system refuses to write.
    """
    path = file_path(path, "the new reconstruction")
    check_destination(path, overwrite=overwrite)
    record = record_of(reconstruction, metrics)
    writer = next(writer for suffix, writer in _WRITERS.items() if path.name.lower().endswith(suffix))
    if path.suffix.lower() in _FOLDERS:  # which see to their own appearance
        writer(reconstruction, record, path)
    else:
        write_file(path, lambda temporary: writer(reconstruction, record, temporary), overwrite=overwrite)
