"""Arrays of numpy that others wrote, .npy and .npz: nothing is unpickled, and headers are believed by no one.

What a header claims is compared with the length of the file before memory is taken for it. Description of the format:
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import os
import sys
import tokenize
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.files.images import Loaded, Signal
from stemscan.files.limits import check_claim
from stemscan.runtime.memory import require_memory
from stemscan.units import counted

__all__ = ["array_signal", "npy_layout", "open_npy", "open_npz", "read_npy_file"]

_MAGIC = b"\x93NUMPY"
_READ_HEADER = {b"\x01\x00": np.lib.format.read_array_header_1_0, b"\x02\x00": np.lib.format.read_array_header_2_0}
_HEADER_PROBLEMS = (
    KeyError,
    ValueError,
    SyntaxError,
    TypeError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
    zipfile.BadZipFile,
)


class _Layout(NamedTuple):
    """Shape, order and type of an array in a file."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Length of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy_file(file: BinaryIO, accept: Callable[[tuple[int, ...]], None] | None = None) -> npt.NDArray[Any]:
    """Read the array of an open file.

    Parameters
    ----------
    file : binary file
        Of the disk, at its beginning.
    accept : callable, optional
        Gets the shape before memory is taken for it, and raises where it cannot be right.

    Raises
    ------
    ValueError
        When it is something else; the message is what there is, to stand behind "got".
    """
    shape, dtype, fortran = npy_layout(file)
    if accept is not None:
        accept(shape)
    needed = math.prod(shape) * dtype.itemsize
    require_memory(needed, "to read a numpy array", "take a part of it, or a machine with more")
    flat = np.fromfile(file, dtype, math.prod(shape))
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def npy_layout(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type, and whether the first axis is the fastest, of the array of an open file, which is read up to there.

    Raises
    ------
    ValueError
        As `read_npy_file`.
    """
    layout = _layout(file)
    _check_length(layout, os.fstat(file.fileno()).st_size - file.tell())
    return layout.shape, layout.dtype, layout.fortran


@contextmanager
def open_npy(path: Path) -> Iterator[Sequence[Signal]]:
    """Open an array as a signal, mapped and not read."""
    with path.open("rb") as file:
        try:
            shape, dtype, fortran = npy_layout(file)
        except ValueError as problem:
            raise DataError(f"expected an array of numbers, got {problem} in {str(path)!r}") from problem
        if not math.prod(shape):
            array: npt.NDArray[Any] = np.empty(shape, dtype)
        else:
            array = np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")
        yield [array_signal(array, "", str(path))]


@contextmanager
def open_npz(path: Path) -> Iterator[Sequence[Signal]]:
    """Open the arrays of an archive that could be pictures as signals, named as they are in it."""
    with zipfile.ZipFile(path) as archive:
        yield [
            signal
            for info in archive.infolist()[:1000]
            if info.filename.endswith(".npy") and (signal := _member(archive, info, path)) is not None
        ]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Signal | None:
    """An array of an archive; None where it can be no picture."""
    try:
        with archive.open(info) as file:
            layout = _layout(file)
            _check_length(layout, info.file_size - file.tell())
    except (ValueError, zipfile.BadZipFile) as problem:
        if "Python objects" in str(problem) or "array of type" in str(problem):
            return None
        raise DataError(f"expected arrays of numbers, got {problem} in {str(path)!r}") from problem
    if len(layout.shape) < 2 or min(layout.shape[-2:]) < 2:
        return None
    held: list[npt.NDArray[Any]] = []

    def array() -> npt.NDArray[Any]:
        if not held:
            check_claim(layout.bytes, info.compress_size, str(path), plain=info.compress_type == zipfile.ZIP_STORED)
            with archive.open(info) as file:
                _layout(file)
                flat = np.frombuffer(file.read(layout.bytes), layout.dtype, math.prod(layout.shape))
            held.append(flat.reshape(layout.shape[::-1]).T if layout.fortran else flat.reshape(layout.shape))
        return held[0]

    empty = np.broadcast_to(np.empty((), layout.dtype), layout.shape)
    signal = array_signal(empty, info.filename.removesuffix(".npy"), str(path))

    def load(number: int) -> Loaded:
        return array_signal(array(), "", str(path)).load(number)

    return Signal(load, signal.size, signal.frame_bytes, signal.stack, signal.name)


def array_signal(array: npt.NDArray[Any], name: str, file: str) -> Signal:
    """A signal of an array whose layout follows from its shape: (H, W), colour (H, W, 3 or 4), or frames before either.

    Raises
    ------
    DataError
        When it has fewer than two dimensions; `file` is named.
    """
    if array.ndim < 2:
        raise DataError(f"expected a picture of two dimensions, got an array of shape {array.shape} in {file!r}")
    colour = array.ndim >= 3 and array.shape[-1] in (3, 4) and array.shape[-2] > 4
    inner = 3 if colour else 2
    stack, size = array.shape[:-inner], (array.shape[-inner], array.shape[1 - inner])

    def load(number: int) -> Loaded:
        return np.array(array[np.unravel_index(number, stack) if stack else ()]), ()

    return Signal(load, size, array.dtype.itemsize * math.prod(array.shape[-inner:]), stack, name)


def _layout(file: Any) -> _Layout:
    """Shape, order and type that a header states, where they can be those of numbers; the file is left behind it."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no numpy array")
    claimed, fortran, dtype = _header(file)
    shape = tuple(int(length) for length in claimed)  # True is an integer to numpy's header
    if dtype.hasobject:
        raise ValueError("Python objects, which are never loaded")
    if dtype.kind not in "biufc":
        raise ValueError(f"an array of type {dtype}")
    if min(shape, default=0) < 0 or max(shape, default=0) > sys.maxsize:
        raise ValueError(f"an array of shape {shape}")
    return _Layout(shape, fortran, dtype)


def _check_length(layout: _Layout, there: int) -> None:
    """Refuse data that are not as long as the header says."""
    if there < layout.bytes:
        raise ValueError(f"a shortened file, with {there} of {counted(layout.bytes, 'byte')}")
    if there > layout.bytes:
        raise ValueError(f"a damaged file, with {counted(there - layout.bytes, 'byte')} behind the array")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type, which the header has as the text of a Python literal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of literals that Python 2 wrote, or that are none
            return _READ_HEADER[file.read(2)](file)
    except _HEADER_PROBLEMS as problem:
        raise ValueError("a damaged or shortened file") from problem
