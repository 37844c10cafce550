"""The order `delocalised` of any source: a long pass is visited in groups of strips, one group after the other.

Each group has every G-th strip, so that it is spread over the whole field, and is visited in rounds over tiles
(`stemscan.path.orders.far_apart`). At most two groups are held.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stemscan.path.orders.far_apart import far_apart
from stemscan.path.parts import Parts
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source
from stemscan.types import Integers

__all__ = ["delocalised"]

_SAMPLES_OF_GROUP: Final = 1 << 20
"""Held at once, 4 bytes each, and five times that while they are brought into order."""

_RUNS_OF_GROUP: Final = 4
"""Runs of neighbouring strips that a group has at least, so that it is spread over the field."""


def delocalised(source: Source) -> Parts:
    """Groups of strips of a source, the samples of each far apart."""
    plan = source.plan
    runs = np.arange(len(source.strips)) // source.together
    most = max(1, (int(runs[-1]) + 1) // _RUNS_OF_GROUP)
    groups = min(-(-plan.samples_per_pass // _SAMPLES_OF_GROUP), most)
    group_of = runs % groups
    area = None if groups == 1 and plan.region is None else max(1, source.area // groups)

    def starts(number: int) -> Integers:
        sums = np.zeros(groups + 1, np.int64)
        np.add.at(sums, group_of + 1, np.diff(source.starts(number)))
        return np.cumsum(sums)

    def arranged(number: int, group: int) -> Pixels:
        strips = np.flatnonzero(group_of == group)
        pixels = np.concatenate([np.sort(source.pixels(number, int(strip))) for strip in strips])
        return far_apart(pixels, plan.shape, area)

    return Parts(starts, arranged)
