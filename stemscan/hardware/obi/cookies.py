"""Cookies of a client: what it numbers its questions with, and how it names the first sample of a range.

A cookie means nothing to a real device, which only echoes it. Odd ones number what is sent, so that the answer to each
piece is found whole or not at all. Three even ones of 15 bits each, most significant first, name a sample: a virtual
device that was started with a plan reads from the latest three which of the plan's samples come, so that a scan resumed
in the middle counts what it would have.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COOKIES", "LARGEST_INDEX", "NUMBERS", "cookies_of", "index_of", "numbered"]

COOKIES: Final = 3
LARGEST_INDEX: Final = (1 << 45) - 1
NUMBERS: Final = 255 * 127
"""Different cookies of `numbered`."""


def numbered(number: int) -> int:
    """The odd cookie of a number, which is taken modulo `NUMBERS`; none of its bytes is 0xff, which begins an answer.

    Examples
    --------
    >>> [hex(numbered(number)) for number in (0, 126, 127, NUMBERS - 1, NUMBERS)]
    ['0x1', '0xfd', '0x101', '0xfefd', '0x1']
    """
    high, low = divmod(number % NUMBERS, 127)
    return high << 8 | low << 1 | 1


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
