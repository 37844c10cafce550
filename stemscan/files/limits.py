"""Limits of what a file may make its reader do: pixels, pages, memory and time.

The size of a picture is claimed by its file. It is compared with the file's own size before memory is taken for it:
the densest of the usual codings, LZW, holds at most 1,360 bytes in one (deflate 1,032). What is small anyway may be
denser still, as a white page in a fax coding is.
"""

from __future__ import annotations

from typing import Final

from stemscan.errors import DataError
from stemscan.units import counted, format_count

__all__ = [
    "MAX_PAGES",
    "MAX_PIXELS",
    "check_claim",
    "check_size",
    "decoding_budget",
    "opening_budget",
]

MAX_PIXELS: Final = 1 << 29
"""Most pixels of a picture: 536,870,912, four times 8192 x 16384."""

MAX_PAGES: Final = 100_000
"""Most pages of a file."""

DENSEST: Final = 1500
"""Most bytes of pixels that a byte of a file can hold, beyond what is small anyway."""

SMALL: Final = 64 << 20
"""Bytes of pixels that are never too many."""

_SLACK: Final = 64 << 20
_SECONDS: Final = 3.0
_SLOWEST: Final = 10e6
"""Bytes a second that any reader reaches on an idle machine."""


def check_size(rows: int, columns: int, name: str) -> None:
    """Refuse a picture without pixels, and one that is larger than any.

    Raises
    ------
    DataError
        With `name`, which is the file's, in it.
    """
    if rows < 1 or columns < 1:
        raise DataError(f"expected a picture with pixels, got {rows} x {columns} in {name!r}")
    if rows * columns > MAX_PIXELS:
        raise DataError(
            f"expected a picture of at most {counted(MAX_PIXELS, 'pixel')}, got {rows} x {columns} in {name!r}; "
            "crop or bin it first"
        )


def check_claim(claimed: int, stored: int, name: str, *, plain: bool = False) -> None:
    """Refuse pixels for which a file is too short, before memory is taken for them.

    Parameters
    ----------
    claimed : int
        Bytes of decoded pixels that the file says it holds.
    stored : int
        Bytes there are.
    name : str
        Of the file.
    plain : bool
        True if the pixels are stored as they are, not compressed.

    Raises
    ------
    DataError
        When they cannot be there.
    """
    if plain and claimed > stored:
        raise DataError(
            f"expected {counted(claimed, 'byte')} of pixels in {name!r}, got a file with {format_count(stored)}, "
            "which is shortened or damaged; copy it again"
        )
    if claimed > max(SMALL, DENSEST * stored):
        raise DataError(
            f"expected at most {format_count(max(SMALL, DENSEST * stored))} bytes of pixels in {name!r}, which has "
            f"{counted(stored, 'byte')}, got a claim of {format_count(claimed)}: a damaged file, or one made to "
            "fill the memory; if neither, save the picture uncompressed or as npy"
        )


def opening_budget(stored: int) -> tuple[float, int]:
    """Seconds and bytes for learning what is in a file of so many bytes."""
    return _SECONDS + stored / _SLOWEST, 2 * stored + 3 * _SLACK


def decoding_budget(stored: int, claimed: int) -> tuple[float, int]:
    """Seconds and bytes for decoding so many bytes of pixels of a file of so many."""
    return _SECONDS + claimed / _SLOWEST, 2 * stored + _SLACK + 3 * claimed
