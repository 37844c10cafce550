"""How a client names the first sample of a range: by three even cookies of 15 bits each, most significant first.

A cookie means nothing to a real device, which only echoes it. A virtual device that was started with a plan reads from
the latest three which of the plan's samples come, so that a scan resumed in the middle counts what it would have.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COOKIES", "LARGEST_INDEX", "cookies_of", "index_of"]

COOKIES: Final = 3
LARGEST_INDEX: Final = (1 << 45) - 1


def cookies_of(index: int) -> tuple[int, ...]:
    """The cookies of a sample index from 0 to 2**45 - 1.

    Examples
    --------
    >>> cookies_of(32769)
    (0, 2, 2)
    """
    return tuple((index >> shift & 0x7FFF) << 1 for shift in (30, 15, 0))


def index_of(cookies: tuple[int, ...]) -> int:
    """The sample index that three cookies name."""
    index = 0
    for cookie in cookies:
        index = index << 15 | cookie >> 1
    return index
