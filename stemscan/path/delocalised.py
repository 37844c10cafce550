"""The order `delocalised` where any sample can be told alone: tiles with few samples each, and every pixel."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.path.banded import shuffled_pixels, tiles_of
from stemscan.path.delocalised_kernels import Rests, expand_delocalised, rests
from stemscan.path.far_apart import step_between
from stemscan.path.full_kernels import expand_steps
from stemscan.path.traversal import Positions
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.patterns.line_hop import LineHop
from stemscan.plan.patterns.raster import FullPattern

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["DelocalisedGrid", "DelocalisedTiles", "has_small_tiles"]

_MOST_SAMPLES_OF_TILE: Final = 64
"""Above, rounds would go over too few tiles to keep neighbours apart in time.

So many pixels of a tile are shuffled for a sample, too: in exclusive passes as many as all passes visit.
"""


def has_small_tiles(plan: ScanPlan) -> bool:
    """Tell whether `DelocalisedTiles` is for the pattern."""
    return isinstance(plan.pattern, BlockRandom | LineHop) and shuffled_pixels(plan) <= _MOST_SAMPLES_OF_TILE


class DelocalisedGrid:
    """Every pixel of the grid: pixels are their own tiles.

    Parameters
    ----------
    plan : ScanPlan
        With a `FullPattern`, without a region.
    """

    def __init__(self, plan: ScanPlan) -> None:
        if not isinstance(plan.pattern, FullPattern):
            raise TypeError(f"expected a pattern of all pixels, got {plan.pattern.kind}")
        self._shape = plan.shape
        self._step = step_between(plan.shape, (1, 1))[0]

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of any pass in visiting order, (stop - start, 2) int32 (row, column)."""
        out = np.empty((stop - start, 2), np.int32)
        expand_steps(self._shape, np.uint64(self._step), start, out)
        return out


class DelocalisedTiles:
    """A fixed number of pixels in every tile; tiles that the edge of the grid cuts rest now and then.

    Parameters
    ----------
    plan : ScanPlan
        With a pattern of tiles (`has_small_tiles`), without a region.
    """

    def __init__(self, plan: ScanPlan) -> None:
        tile, shape = plan.pattern.tile, plan.shape
        self._tiles = tiles_of(plan)
        step, multiplier = step_between((-(-shape[0] // tile[0]), -(-shape[1] // tile[1])), tile)
        self._step, self._multiplier = np.uint64(step), np.uint64(multiplier)
        self._rests = lru_cache(maxsize=2)(self._rests_of)

    def _rests_of(self, number: int) -> Rests:
        """What makes a pass differ from whole rounds."""
        return rests(self._tiles, number, self._multiplier)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        out = np.empty((stop - start, 2), np.int32)
        expand_delocalised(self._tiles, number, self._step, *self._rests(number), start, out)
        return out
