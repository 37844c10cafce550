"""Reading a numpy file (.npy) of numbers that others wrote: nothing is unpickled, and its header is believed by no one.

What the header claims is compared with the length of the file before memory is taken for it. Description of the
format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import os
import sys
import tokenize
import warnings
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from stemscan.units import counted

__all__ = ["npy_layout", "read_npy_file"]

_MAGIC = b"\x93NUMPY"
_READ_HEADER = {b"\x01\x00": np.lib.format.read_array_header_1_0, b"\x02\x00": np.lib.format.read_array_header_2_0}
_HEADER_PROBLEMS = (KeyError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError, tokenize.TokenError)


def read_npy_file(file: BinaryIO) -> npt.NDArray[Any]:
    """Read the array of an open file.

    Parameters
    ----------
    file : binary file
        Of the disk, at its beginning.

    Returns
    -------
    ndarray of bool, integers, real or complex numbers

    Raises
    ------
    ValueError
        When it is something else; the message is what there is, to stand behind "got".
    """
    shape, dtype, fortran = npy_layout(file)
    flat = np.fromfile(file, dtype, math.prod(shape))
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def npy_layout(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type, and whether the first axis is the fastest, of the array of an open file, which is read up to there.

    Raises
    ------
    ValueError
        As `read_npy_file`.
    """
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
    needed, there = math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    if there < needed:
        raise ValueError(f"a shortened file, with {there} of {counted(needed, 'byte')}")
    if there > needed:
        raise ValueError(f"a damaged file, with {counted(there - needed, 'byte')} behind the array")
    return shape, dtype, fortran


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type, which the header has as the text of a Python literal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of literals that Python 2 wrote, or that are none
            return _READ_HEADER[file.read(2)](file)
    except _HEADER_PROBLEMS as problem:
        raise ValueError("a damaged or shortened file") from problem
