"""Stretches of passes that are made part by part: a strip, a group of strips, a stretch of a way."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from stemscan.path.pixels import Pixels
from stemscan.types import Integers

__all__ = ["Fill", "Parts"]

Fill = Callable[[int, int, Pixels], None]
"""Fills an array with the pixels of a pass from a sample on: called with the pass, the sample and the array."""


class Parts:
    """A `Fill` that makes a part of a pass when one of its samples is asked for, and holds two of them.

    Parameters
    ----------
    starts : callable
        Given the pass, samples before each part, and after the last.
    part : callable
        Given the pass and the part, its pixels in visiting order.
    """

    def __init__(self, starts: Callable[[int], Integers], part: Callable[[int, int], Pixels]) -> None:
        self.starts = lru_cache(maxsize=2)(starts)
        self._part = lru_cache(maxsize=2)(part)

    def __call__(self, number: int, start: int, out: Pixels) -> None:
        """Fill `out` with the pixels of pass `number` from sample `start` on."""
        starts = self.starts(number)
        part, at = int(np.searchsorted(starts, start, side="right")) - 1, 0
        while at < len(out):
            pixels = self._part(number, part)[start + at - int(starts[part]) :][: len(out) - at]
            out[at : at + len(pixels)] = pixels
            part, at = part + 1, at + len(pixels)
