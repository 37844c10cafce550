"""The chain of pages in a TIFF file, walked before a library does: no circles, no pages beyond a limit or the end."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from stemscan.errors import DataError
from stemscan.files.limits import MAX_PAGES
from stemscan.units import format_count

__all__ = ["check_pages"]

_MOST_TAGS = 4096


def check_pages(path: Path) -> int:
    """Count the pages of a file.

    Raises
    ------
    DataError
        When there is none, or the chain of them runs in a circle, out of the file, or on for too long.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        is_big = struct.unpack(f"{order}H", head[2:4])[0] == 43
        try:
            (place,) = struct.unpack_from(f"{order}Q", head, 8) if is_big else struct.unpack_from(f"{order}I", head, 4)
            pages = _walk(file, place, order, is_big)
        except struct.error as problem:
            raise DataError(f"expected whole pages in {str(path)!r}, got a shortened or damaged file") from problem
        except ValueError as problem:
            raise DataError(f"expected a chain of pages in {str(path)!r}, got {problem}") from problem
    return pages


def _walk(file: BinaryIO, place: int, order: str, is_big: bool) -> int:
    """Follow the chain from the first page."""
    count_format, tag_bytes, next_format = (f"{order}Q", 20, f"{order}Q") if is_big else (f"{order}H", 12, f"{order}I")
    seen: set[int] = set()
    while place:
        if place in seen:
            raise ValueError("one that runs in a circle: a damaged file")
        if len(seen) >= MAX_PAGES:
            raise ValueError(f"more than {format_count(MAX_PAGES)} pages; split the file")
        seen.add(place)
        file.seek(min(place, 1 << 62))
        (tags,) = struct.unpack(count_format, file.read(struct.calcsize(count_format)))
        if not 0 < tags <= _MOST_TAGS:
            raise ValueError(f"a page with {format_count(tags)} tags: a damaged file")
        file.seek(tags * tag_bytes, 1)
        (place,) = struct.unpack(next_format, file.read(struct.calcsize(next_format)))
    if not seen:
        raise ValueError("none: a damaged file")
    return len(seen)
