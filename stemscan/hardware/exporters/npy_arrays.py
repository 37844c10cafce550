"""numpy files (.npy) that are written piece by piece, and read with checks.

Description of the file format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.files.numpy_files import read_npy_file
from stemscan.hardware.exporters.text_reader import open_data

__all__ = ["read_npy_array", "read_pairs", "write_npy_array"]


def write_npy_array(path: Path, shape: tuple[int, ...], dtype: str, pieces: Iterable[npt.NDArray[Any]]) -> None:
    """Write an array in C order whose pieces come one after another; only one is held at a time."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype=dtype).tobytes())


def read_npy_array(path: Path, *, kinds: str, what: str) -> npt.NDArray[Any]:
    """Read an array of numbers; nothing is ever unpickled.

    Parameters
    ----------
    kinds : str
        Kinds of dtype that may be there.
    what : str
        For errors.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When the file is no numpy array, is cut short, or holds another kind of numbers.
    """
    with open_data(path) as file:
        try:
            array = read_npy_file(file)
        except ValueError as problem:
            raise DataError(f"{path}: expected a numpy array (.npy) of {what}, got {problem}") from problem
    if array.dtype.kind not in kinds:
        raise DataError(f"{path}: expected {what}, got numbers of type {array.dtype}")
    return array


def read_pairs(path: Path, *, kinds: str, what: str) -> npt.NDArray[Any]:
    """Read an array of shape (samples, 2); parameters and errors as of `read_npy_array`."""
    pairs = read_npy_array(path, kinds=kinds, what=f"{what} of shape (samples, 2)")
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise DataError(f"{path}: expected {what} of shape (samples, 2), got {pairs.shape}")
    return pairs
