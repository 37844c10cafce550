"""The order `random`: a permutation of the pixels of a pass, row by row, which are made when its first is asked for."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from stemscan.path.parts import Fill
from stemscan.path.permutation import permuted, round_keys
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source
from stemscan.random import Stream

__all__ = ["at_random"]


def at_random(source: Source) -> Fill:
    """Any source at random; two passes are held, 4 bytes per sample."""
    samples = source.plan.samples_per_pass

    @lru_cache(maxsize=2)
    def row_by_row(number: int) -> Pixels:
        pixels = source.new_pass()
        for strip, (start, stop) in enumerate(pairwise(source.starts(number))):
            pixels[start:stop] = np.sort(source.pixels(number, strip))
        return pixels

    def fill(number: int, start: int, out: Pixels) -> None:
        permuted(samples, round_keys(samples, source.seed, Stream.ORDER, number), start, out)
        out[:] = row_by_row(number)[out]

    return fill
