"""Arrays of numbers from files of any format that is known here, for tables of points, masks and measured data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, InputNotFoundError, MissingDependencyError, StemscanError, UsageError
from stemscan.files.numpy_files import read_npy_file
from stemscan.files.tables import read_text

__all__ = ["read_array"]

_NEED_MORE_PACKAGES = {"MRCZ", "ZSPY"}  # readers of suffixes that others read too

Array = npt.NDArray[Any]


def read_array(path: Path) -> Array:
    """Read an array from npy, csv or txt, tif, png, or a format of RosettaSciIO.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    UsageError
        When the file is not one of these.
    DataError
        When it is damaged.
    MissingDependencyError
        When RosettaSciIO would be needed and is not installed.
    """
    if not path.exists():
        raise InputNotFoundError(f"expected a file of data, got {str(path)!r}, which is not there")
    if path.is_dir():
        raise UsageError(
            f"expected a file of data, got {str(path)!r}, which is a folder; give npy, csv, txt, tif or png"
        )
    try:
        return _read(path)
    except StemscanError:
        raise
    except (OSError, ValueError, TypeError, EOFError, KeyError, IndexError) as problem:
        reason = _one_line(problem)
        raise DataError(
            f"expected readable data in {str(path)!r}, got: {reason}; restore the file or convert it"
        ) from problem


def _read(path: Path) -> Array:
    """Read by the suffix."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _read_npy(path)
    if suffix in (".csv", ".txt"):
        return read_text(path, "," if suffix == ".csv" else None)
    if suffix in (".tif", ".tiff"):
        import tifffile

        return np.asarray(tifffile.imread(path))
    if suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image)
    return _read_microscope_file(path)


def _read_npy(path: Path) -> Array:
    """Read a numpy array of numbers."""
    with path.open("rb") as file:
        return read_npy_file(file)


def _read_microscope_file(path: Path) -> Array:
    """Read the first signal of a file of RosettaSciIO."""
    try:
        import rsciio
    except ImportError as problem:
        raise MissingDependencyError(
            f'expected RosettaSciIO to read {str(path)!r}, got none; pip install "stemscan[files]", or give npy or tif'
        ) from problem
    from importlib import import_module

    suffix = path.suffix.lower().lstrip(".")
    plugins = [
        plugin["api"]
        for plugin in rsciio.IO_PLUGINS
        if suffix in plugin["file_extensions"] and plugin["name"] not in _NEED_MORE_PACKAGES
    ]
    if not suffix or not plugins:
        raise UsageError(f"expected npy, csv, txt, tif, png or a format of RosettaSciIO, got {path.name!r}")
    try:
        return np.asarray(import_module(plugins[0]).file_reader(str(path))[0]["data"])
    except Exception as problem:
        reason = _one_line(problem)
        raise DataError(
            f"expected readable data in {str(path)!r}, got: {reason}; restore the file or convert it"
        ) from problem


def _one_line(problem: Exception) -> str:
    """The message of an error, or its name, short and on one line."""
    return " ".join(str(problem).split())[:200] or type(problem).__name__
