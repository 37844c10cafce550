"""numpy files (.npy) that are written piece by piece, and read with checks; and the format `npy` itself.

`npy` is an int32 array of shape (passes, samples of a pass, 2): (row, column) of each sample in pixels, in the order of
visits, as `stemscan import --positions` takes it. The dwell time is not in it. Description of the file format:
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.files.numpy_files import read_npy_file
from stemscan.hardware.exporters.text_reader import open_data

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["read_npy", "read_npy_array", "write_npy", "write_npy_array"]


def write_npy(source: Source, path: Path) -> int:
    """Write the points of a plan; returns how many."""
    plan = source.plan
    shape = (plan.passes, plan.samples_per_pass, 2)
    write_npy_array(path, shape, "<i4", source.positions())
    return plan.total_samples


def read_npy(path: Path) -> npt.NDArray[np.int32]:
    """Read points in pixels.

    Returns
    -------
    array of int32, (passes, samples, 2)
        (row, column).

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    points = read_npy_array(path, kinds="iu", what="whole (row, column) of shape (passes, samples, 2)")
    if points.ndim != 3 or points.shape[2] != 2:
        raise DataError(f"{path}: expected points of shape (passes, samples, 2), got {points.shape}")
    if points.size and (points.min() < 0 or points.max() > 65535):
        raise DataError(f"{path}: expected pixels from 0 to 65535, got {points.min()} to {points.max()}")
    return points.astype(np.int32)


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
    path : pathlib.Path
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
