"""Contents of a file or folder of an export format, recognised by its first bytes and not by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stemscan.errors import DataError
from stemscan.files.numpy_files import npy_layout
from stemscan.hardware.exporters.format import NOT_STATED, Contents
from stemscan.hardware.exporters.formats import FORMATS
from stemscan.hardware.exporters.text_reader import open_data

__all__ = ["Exported", "describe_export"]

_NPY: Final = b"\x93NUMPY"


@dataclass(frozen=True)
class Exported:
    """An export and what it holds.

    Parameters
    ----------
    format : str
        Name of the format, as `--to` takes it; several where a file does not tell.
    title : str
        For people.
    """

    format: str
    title: str
    contents: Contents


def describe_export(path: Path) -> Exported | None:
    """Say what an exported file or folder holds; None for what is none.

    Parameters
    ----------
    path : pathlib.Path
        Of a regular file or a folder that is there.

    Raises
    ------
    DataError
        When it is one of these formats, and damaged.
    """
    if path.is_dir():
        names = [file.name for file in path.iterdir()]
        found = [one for one in FORMATS.values() if any(map(one.owns, names))]
    else:
        with open_data(path) as file:
            start = file.read(64)
        if start.startswith(_NPY):
            return _array(path)
        found = [one for one in FORMATS.values() if one.begins(start)]
    return Exported(found[0].name, found[0].title, found[0].describe(path)) if found else None


def _array(path: Path) -> Exported:
    """A numpy array, of which only the header is read."""
    with open_data(path) as file:
        try:
            shape, dtype, _ = npy_layout(file)
        except ValueError as problem:
            raise DataError(f"{path}: expected a numpy array (.npy), got {problem}") from problem
    text = " x ".join(map(str, shape)) or "a single number"
    rows = (("shape", text), ("numbers", str(dtype)), ("made from", NOT_STATED))
    contents = Contents({"shape": list(shape), "dtype": str(dtype)}, rows)
    if names := ", ".join(name for name, one in FORMATS.items() if one.holds(shape, dtype)):
        return Exported(names, f"numpy array, as it is exported to {names}", contents)
    if dtype == np.float32 and len(shape) == 2:
        return Exported("image", "numpy array, as images of reconstructions are written", contents)
    return Exported("array", "numpy array without a record of what it is", contents)
