"""The order `delocalised` of patterns whose samples cannot be told one by one.

A long pass is visited in groups of strips, one group after the other: each has every G-th strip, so that it is spread
over the whole field, and is visited in rounds over tiles (`stemscan.path.far_apart`). At most two groups are held.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.far_apart import far_apart
from stemscan.path.strip_sources import Pixels, StripSource, points_of
from stemscan.path.traversal import Positions

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["DelocalisedStrips"]

_SAMPLES_OF_GROUP: Final = 1 << 20
"""Held at once, 4 bytes each, and five times that while they are brought into order."""

_RUNS_OF_GROUP: Final = 4
"""Runs of neighbouring strips that a group has at least, so that it is spread over the field."""


class DelocalisedStrips:
    """Points of a plan in the order `delocalised`, made group by group.

    Parameters
    ----------
    plan : ScanPlan
    source : StripSource
        Of the pixels.
    """

    def __init__(self, plan: ScanPlan, source: StripSource) -> None:
        self._source, self._shape = source, plan.shape
        runs = np.arange(len(source.strips)) // source.together
        most = max(1, (int(runs[-1]) + 1) // _RUNS_OF_GROUP)
        self._groups = min(-(-plan.samples_per_pass // _SAMPLES_OF_GROUP), most)
        self._group_of = runs % self._groups
        self._area = None if plan.region is None else plan.region.pixels_in(plan.shape)
        self._starts = lru_cache(maxsize=2)(self._starts_of)
        self._arranged = lru_cache(maxsize=2)(self._arrange)

    def _starts_of(self, number: int) -> npt.NDArray[np.int64]:
        """Samples before each group of a pass, and after the last."""
        counts = np.diff(self._source.starts(number))
        sums = [counts[self._group_of == group].sum() for group in range(self._groups)]
        return np.append(np.zeros(1, np.int64), np.cumsum(np.array(sums, np.int64)))

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        starts = self._starts(number)
        out = np.empty((stop - start, 2), np.int32)
        group, at = int(np.searchsorted(starts, start, side="right")) - 1, start
        while at < stop:
            last = min(stop, int(starts[group + 1]))
            pixels = self._arranged(number, group)[at - int(starts[group]) : last - int(starts[group])]
            out[at - start : last - start] = points_of(pixels, self._shape[1])
            group, at = group + 1, last
        return out

    def _arrange(self, number: int, group: int) -> Pixels:
        """The pixels of a group in order."""
        strips = np.flatnonzero(self._group_of == group)
        pixels = np.concatenate([np.sort(self._source.pixels(number, int(strip))) for strip in strips])
        area = self._area
        if self._groups > 1:
            area = max(1, (area or self._shape[0] * self._shape[1]) // self._groups)
        return far_apart(pixels, self._shape, area)
