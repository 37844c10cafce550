"""Reading lines of whole numbers with errors that name the line; knows nothing of how such files are written here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, StemscanError, refusal
from stemscan.files.opening import require_file
from stemscan.units import counted

__all__ = ["open_data", "read_header_line", "read_table"]

_CHUNK = 1 << 22
_LONGEST_LINE = 200
_MOST_DIGITS = 18


@contextmanager
def open_data(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, with an error of this project where that fails.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When the system refuses to read it.
    """
    require_file(path, "a file", DataError)
    try:
        with path.open("rb") as file:
            yield file
    except StemscanError:
        raise
    except OSError as problem:
        raise DataError(f"{path}: expected a readable file, got: {refusal(problem)}") from problem


def read_header_line(file: BinaryIO, path: Path, number: int, what: str) -> str:
    """The next line, without its end.

    Raises
    ------
    DataError
        When the file ends before, or what follows is no line of text.
    """
    raw = file.readline(_LONGEST_LINE)
    if not raw:
        raise DataError(f"{path}: expected {what} in line {number}, got the end of the file")
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not line.isascii() or not line.decode("ascii").isprintable():
        raise DataError(f"{path}: expected {what} in line {number}, got {_shown(line)}")
    return line.decode("ascii").strip()


def read_table(
    file: BinaryIO, path: Path, *, separator: str, columns: tuple[int, ...], first_line: int
) -> npt.NDArray[np.int64]:
    """Read whole numbers of at least 0 from all lines that are left.

    Parameters
    ----------
    file : binary file
        At the beginning of a line.
    path : pathlib.Path
        For errors.
    separator : str
        Between the numbers of a line; blanks around it do not matter.
    columns : tuple of int
        Numbers that a line may have; the first line decides for all.
    first_line : int
        Number of the line at which the file stands.

    Returns
    -------
    array of int64, (lines, columns)

    Raises
    ------
    DataError
        When a line is something else; the message names and shows it.
    """
    parts: list[npt.NDArray[np.int64]] = []
    line, width = first_line, 0
    for piece in _pieces(file, path):
        if not width:
            width = len(piece.split(b"\n", 1)[0].decode("latin-1").strip().split(separator.strip() or None))
            if width not in columns:
                width = columns[0]
        rows = _parse(piece, path, separator, width, line)
        line += len(rows)
        parts.append(rows)
    return np.concatenate(parts) if parts else np.empty((0, columns[0]), np.int64)


def _pieces(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Whole lines, about 4 MiB at a time, without the last line feed."""
    rest = b""
    while chunk := file.read(_CHUNK):
        head, feed, rest = (rest + chunk).rpartition(b"\n")
        if feed:
            yield head.replace(b"\r", b"")
        elif len(rest) > _LONGEST_LINE:
            raise DataError(f"{path}: expected lines of numbers, got {_shown(rest)} without a line end")
    if rest:
        yield rest.replace(b"\r", b"")


def _parse(piece: bytes, path: Path, separator: str, width: int, first_line: int) -> npt.NDArray[np.int64]:
    """Numbers of a piece of whole lines; fast where it is written plainly, else line by line."""
    gap = separator.encode()
    if _is_plain(piece, gap, width):
        return np.fromstring(piece.replace(gap, b" "), np.int64, sep=" ").reshape(-1, width)
    blank = separator.strip() == ""
    number = re.compile(rf"\d{{1,{_MOST_DIGITS}}}")
    rows = []
    for index, line in enumerate(piece.split(b"\n")):
        text = line.decode("latin-1").strip()
        fields = text.split() if blank else [field.strip() for field in text.split(separator)]
        if len(fields) != width or not all(number.fullmatch(field) for field in fields):
            raise DataError(
                f"{path}: expected {counted(width, 'whole number')} of at least 0 in line {first_line + index}, "
                f"got {_shown(line)}"
            )
        rows.append([int(field) for field in fields])
    return np.array(rows, np.int64)


def _is_plain(piece: bytes, gap: bytes, width: int) -> bool:
    """Tell whether a piece is nothing but lines of `width` runs of 1 to 18 digits with one separator between them."""
    if piece.translate(None, b"0123456789\n" + gap):
        return False
    characters = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero((characters == ord("\n")) | (characters == ord(gap)))
    if (len(ends) + 1) % width:
        return False
    lengths = np.diff(np.concatenate(([-1], ends, [len(characters)]))) - 1
    if lengths.min() < 1 or lengths.max() > _MOST_DIGITS:
        return False
    feeds = np.arange(len(ends)) % width == width - 1
    return bool(((characters[ends] == ord("\n")) == feeds).all())


def _shown(line: bytes) -> str:
    """The beginning of a line, as it can be shown."""
    text = line[:40].decode("latin-1")
    return repr(text if len(line) <= 40 else text + "...") if line else "an empty line"
