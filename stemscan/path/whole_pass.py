"""Patterns and orders that need a whole pass at once: it is made when its first sample is asked for.

These are the order `random` of patterns whose samples cannot be told one by one, and ways in another order than their
own. At most two passes are held, 4 bytes a sample; making one takes about four times that.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import numpy.typing as npt

from stemscan.path.permutation import CHUNK, domain, permute_back_chunk, round_keys
from stemscan.path.strip_sources import Pixels, StripSource, counts_below, pixels_of, points_of
from stemscan.path.traversal import Positions
from stemscan.random import Stream
from stemscan.runtime import memory
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["ListStrips", "ShuffledSampler", "require_memory"]

_BYTES_A_SAMPLE: Final = 20
_STRETCH: Final = 1 << 20


class _Way(Protocol):
    """A pattern in its own order."""

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number`."""
        ...


class ListStrips(StripSource):
    """A way, cut into strips: its pass is made as a whole.

    Parameters
    ----------
    plan : ScanPlan
    way : object with the method expand
    """

    def __init__(self, plan: ScanPlan, way: _Way) -> None:
        super().__init__(plan)
        self._way = way
        self._sorted = lru_cache(maxsize=2)(self._sort)

    def _sort(self, number: int) -> Pixels:
        """The pixels of a pass, row by row."""
        require_memory(self.plan)
        samples = self.plan.samples_per_pass
        pixels = np.empty(samples, np.uint32)
        for start in range(0, samples, _STRETCH):
            points = self._way.expand(number, start, min(samples, start + _STRETCH))
            pixels[start : start + _STRETCH] = pixels_of(points, self.plan.shape[1])
        pixels.sort()
        return pixels

    def _counts(self, number: int) -> npt.NDArray[np.int64]:
        return counts_below(self._sorted(number), self.strips.rows * self.plan.shape[1])

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        start, stop = self.starts(number)[strip : strip + 2]
        return self._sorted(number)[start:stop]


class ShuffledSampler:
    """Points of a plan in the order `random`, made pass by pass.

    Parameters
    ----------
    plan : ScanPlan
    source : StripSource
        Of the pixels.

    Raises
    ------
    PlanError
        From `expand`, when a pass is more than the machine's memory holds.
    """

    def __init__(self, plan: ScanPlan, source: StripSource) -> None:
        self._plan, self._source = plan, source
        self._arranged = lru_cache(maxsize=2)(self._arrange)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        return points_of(self._arranged(number)[start:stop], self._plan.shape[1])

    def _arrange(self, number: int) -> Pixels:
        """The pixels of a pass in order."""
        require_memory(self._plan)
        pixels = np.empty(self._plan.samples_per_pass, np.uint32)
        starts = self._source.starts(number)
        for strip, (start, stop) in enumerate(pairwise(starts)):
            pixels[start:stop] = np.sort(self._source.pixels(number, strip))
        return _at_random(pixels, self._plan, number)


def _at_random(pixels: Pixels, plan: ScanPlan, number: int) -> Pixels:
    """Shuffle pixels by the pass's permutation."""
    n = len(pixels)
    keys = round_keys(n, np.uint64(plan.seed), Stream.ORDER, number)
    bits, high_values = domain(n)
    places = np.empty(CHUNK, np.int64)
    shuffled = np.empty_like(pixels)
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        permute_back_chunk(start, count, n, bits, high_values, keys, places)
        shuffled[places[:count]] = pixels[start : start + count]
    return shuffled


def require_memory(plan: ScanPlan) -> None:
    """Refuse a pass that the memory cannot hold, before the system kills whoever happens to use it.

    Raises
    ------
    TooLittleMemoryError
    """
    samples = plan.samples_per_pass
    purpose = f"for a whole pass of {counted(samples, 'sample')} of {plan.pattern.kind} in the order {plan.order.kind}"
    remedy = "take a smaller grid, or a pattern and an order that need no whole pass"
    memory.require_memory(_BYTES_A_SAMPLE * samples, purpose, remedy)
