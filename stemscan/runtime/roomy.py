"""Arrays that need no memory of their own: large ones lie in a file without a name, which the system reads and writes.

What a process has touched of such a file counts as its memory until it gives it back, which loses nothing; so large
arrays are gone through band by band.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import DiskSpaceError, refusal

__all__ = ["LARGE", "bands", "give_back", "roomy"]

LARGE: int = 1 << 28
"""Bytes from which an array lies in a file, in the folder for temporary files."""

_BAND: Final = 1 << 26


def roomy(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array to be filled, in memory where it is small.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : dtype
        Of its elements.

    Returns
    -------
    ndarray
        C-contiguous; zeros where it is large.

    Raises
    ------
    DiskSpaceError
        When the folder for temporary files has no room.
    """
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if size < LARGE:
        return np.empty(shape, kind)
    try:
        with tempfile.TemporaryFile(prefix="stemscan-") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk would kill the process later
            return np.asarray(np.memmap(file, kind, "r+", shape=shape))
    except OSError as problem:
        raise DiskSpaceError(
            f"expected room for {size / 1e9:.2f} GB in the folder for temporary files, {tempfile.gettempdir()!r}, got: "
            f"{refusal(problem)}; let TMPDIR name another folder"
        ) from problem


def give_back(array: npt.NDArray[Any]) -> None:
    """Give the memory back in which parts of a mapped file lie; nothing is lost, and other arrays stay as they are."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def bands(array: npt.NDArray[Any], rows: int | None = None) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """First row and view of each band of an array, whose memory is given back after it.

    Parameters
    ----------
    array : ndarray, (H, ...)
    rows : int, optional
        Of a band; 64 MiB unless given.
    """
    step = rows or max(1, _BAND // max(1, array[:1].nbytes))
    for first in range(0, len(array), step):
        yield first, array[first : first + step]
        give_back(array)
