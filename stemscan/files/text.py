"""Text files of unknown encoding, in batches of lines: byte order marks, UTF-16, UTF-8, and the West European page.

Numbers are the same characters in all of these. What holds other control characters than tabs and line ends is no text
and is refused where the first one stands, so that a sparse file of gigabytes costs nothing.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stemscan.errors import DataError

__all__ = ["batches_of_lines", "is_text"]

_CHARACTERS: Final = 1 << 20
_LONGEST_LINE: Final = 1 << 24
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def batches_of_lines(path: Path) -> Iterator[list[str]]:
    """Lines without their ends, about a million characters at a time.

    Raises
    ------
    DataError
        When the file is no text, or a line has more than 16 million characters.
    OSError
        When the system refuses to read it.
    """
    rest, number = "", 1
    with path.open("rb") as file:
        text = io.TextIOWrapper(file, _encoding(file.read(4096)), errors="replace", newline=None)
        file.seek(0)
        while piece := text.read(_CHARACTERS):
            if odd := _CONTROL.search(piece):
                line = number + rest.count("\n") + piece.count("\n", 0, odd.start())
                raise DataError(
                    f"expected a text file of numbers, got {str(path)!r} with the character {odd.group()!r} in line "
                    f"{line}; it is a binary file or damaged"
                )
            *lines, rest = (rest + piece).split("\n")
            if len(rest) > _LONGEST_LINE:
                raise DataError(
                    f"expected lines of at most {_LONGEST_LINE} characters in {str(path)!r}, got more in line "
                    f"{number + len(lines)}; one row of numbers stands in one line"
                )
            number += len(lines)
            if lines:
                yield lines
    if rest:
        yield [rest]


def _encoding(start: bytes) -> str:
    """The encoding, from the first bytes of a file."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if len(start) > 1 and not any(start[1::2]):
        return "utf-16-le"
    if len(start) > 1 and not any(start[0::2]):
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def is_text(path: Path) -> bool:
    """Tell whether a file begins as text does.

    Raises
    ------
    OSError
        When the system refuses to read it.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    return _CONTROL.search(start.decode(_encoding(start), errors="replace").removeprefix("\ufeff")) is None
