"""Pictures and frames from files of any format that is known here: the one door, whoever asks.

A file is recognised by its first bytes, its suffix decides only where a format has no mark. Arrays of numpy and tables
in text are read here; all else is decoded by a worker process, whose time and memory are limited, because no parser of
a rich format can be trusted to end. What the file claims is compared with its size before memory is taken.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stemscan.errors import DataError, InputNotFoundError
from stemscan.files.formats import IN_PROCESS, format_of
from stemscan.files.images import Picture
from stemscan.files.numpy_files import read_npy_file
from stemscan.files.reading import Answer, answers
from stemscan.files.worker import ask_worker
from stemscan.types import Array

__all__ = ["read_frames", "read_picture"]


def read_picture(path: str | Path, frame: int | str | None = None) -> Picture:
    """Read one picture from a file.

    Parameters
    ----------
    path : str or Path
        npy, npz, mat, tables of numbers in text; tif of any kind and compression (those beyond deflate and PackBits
        with imagecodecs); png, jpg, bmp, gif, webp and others of Pillow; OME-Zarr, hspy, zspy; HDF5 of known layouts;
        and with the optional package RosettaSciIO what that reads (dm3, dm4, emd, mrc, ser, ...).
    frame : int or str, optional
        Frame, from 0, or the name of a signal, with ``:NUMBER`` behind it for one of its frames; needed where
        there are several. Colour planes are no frames.

    Returns
    -------
    Picture
        Values (H, W), or (H, W, c) with c of 2 (grey, alpha), 3 (colour) or 4 (colour, alpha).

    Raises
    ------
    InputNotFoundError
        If there is no such file.
    DataError
        If the file holds no picture, is damaged, or claims more than it can hold.
    UsageError
        If it is not clear which frame is meant, or there is no such frame.
    MissingDependencyError
        If the format needs an optional package that is not installed.
    """
    heard = _answer(Path(path), frame, every=False)
    return _picture(heard, heard.values[0])


def read_frames(path: str | Path, frame: int | str | None = None) -> Picture:
    """Read all frames of one signal of a file; arguments and errors as of `read_picture`.

    Parameters
    ----------
    frame : int or str, optional
        Name of the signal, needed where there are several; or one frame of it, as of `read_picture`.

    Returns
    -------
    Picture
        Values (T, H, W), or (T, H, W, c). The last axes of an npy array of two or three dimensions are always rows and
        columns.

    Raises
    ------
    InputNotFoundError, DataError, UsageError, MissingDependencyError
        As of `read_picture`.
    """
    path = Path(path)
    if path.is_file() and format_of(path) == "npy" and frame is None:
        return _npy_frames(path)
    heard = _answer(path, frame, every=True)
    shapes = {(values.shape, values.dtype) for values in heard.values}
    if len(shapes) > 1:
        raise DataError(f"expected frames of one shape and type, got several in {str(path)!r}; choose one with frame")
    return _picture(heard, np.stack(heard.values))


def _answer(path: Path, frame: int | str | None, *, every: bool) -> Answer:
    """Head, values and notes, from here or from the worker."""
    if not path.exists():
        raise InputNotFoundError(f"expected a file of images or data, got {str(path)!r}, which does not exist")
    if not (path.is_file() or path.is_dir()):
        raise DataError(
            f"expected a file, got {str(path)!r}, which is a device or pipe; copy what it gives into a file"
        )
    if format_of(path) in IN_PROCESS:
        return Answer.of(answers(path, frame, every=every))
    return Answer.of(ask_worker(path, frame, every=every))


def _npy_frames(path: Path) -> Picture:
    """An array of numpy, none of its axes taken for colours."""
    with path.open("rb") as file:
        try:
            values = read_npy_file(file)
        except ValueError as problem:
            raise DataError(f"expected an array of numbers, got {problem} in {str(path)!r}") from problem
    if values.ndim < 2:
        raise DataError(f"expected frames of two dimensions, got an array of shape {values.shape} in {str(path)!r}")
    values = values[np.newaxis] if values.ndim == 2 else values
    return Picture(values, len(values))


def _picture(heard: Answer, values: Array) -> Picture:
    """A picture of an answer."""
    head = heard.head
    return Picture(
        values, head.frames, head.frame, head.name, head.pixel_size_nm, heard.notes, tuple(dict.fromkeys(head.warnings))
    )
