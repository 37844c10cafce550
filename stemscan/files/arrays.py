"""Arrays of numbers from files of any format that is known here, for tables of points, masks and measured data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stemscan.errors import DataError, StemscanError
from stemscan.files.formats import measured_kind
from stemscan.files.frames import read_grey_picture, read_mask_picture
from stemscan.files.images import Picture
from stemscan.files.numpy_files import read_npy_file
from stemscan.files.opening import require_file
from stemscan.files.tables import read_table
from stemscan.types import Array

__all__ = ["read_array", "read_measured"]

Accept = Callable[[tuple[int, ...]], None]
Note = Callable[[str], None]


def read_array(path: Path, accept: Accept | None = None, *, mask: bool = False, note: Note | None = None) -> Array:
    """Read an array from npy or a table of numbers, or the frames of an image file of any format.

    Parameters
    ----------
    accept : callable, optional
        Gets the shape of a numpy array before memory is taken for it, and raises where it cannot be right.
    mask : bool
        Take it as a mask, in which colours count.
    note : callable, optional
        Gets each change that the reader made to the image of a mask: turned, inverted.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When it is damaged, or of no format known here.
    UsageError
        When it is not clear which of its signals is meant.
    MissingDependencyError
        When an optional package would be needed and is not installed.
    """
    _require(path)
    if mask and measured_kind(path) == "image":
        picture = read_mask_picture(path)
        if note is not None:
            for text in picture.notes:
                note(text)
        return picture.values
    return read_measured(path, accept).values


def read_measured(path: Path, accept: Accept | None = None, frame: str | None = None) -> Picture:
    """Read an array as `read_array` does, with the pixel size and the warnings of an image file.

    Parameters
    ----------
    path, accept
        As of `read_array`.
    frame : str, optional
        Signal or frame of an image file with several; see `stemscan.files.read.read_frames`.

    Raises
    ------
    StemscanError
        As `read_array`.
    """
    _require(path)
    kind = measured_kind(path)
    try:
        if frame is not None or kind == "image":
            return read_grey_picture(path, frame)
        if kind == "npy":
            return Picture(_read_npy(path, accept))
        values = read_table(path).values
        return Picture(values[:, 0] if values.shape[1] == 1 else values)
    except StemscanError:
        raise
    except (OSError, ValueError, TypeError, EOFError, KeyError, IndexError) as problem:
        reason = _one_line(problem)
        raise DataError(
            f"expected readable data in {str(path)!r}, got: {reason}; restore the file or convert it"
        ) from problem


def _require(path: Path) -> None:
    """Refuse what is neither a file nor a folder, as a store of OME-Zarr is one."""
    if not path.is_dir():
        require_file(path, "a file of data")


def _read_npy(path: Path, accept: Accept | None) -> Array:
    """Read a numpy array of numbers."""
    with path.open("rb") as file:
        return read_npy_file(file, accept)


def _one_line(problem: Exception) -> str:
    """The message of an error, or its name, short and on one line."""
    return " ".join(str(problem).split())[:200] or type(problem).__name__
