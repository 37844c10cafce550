"""Full scans: every pixel of the grid or of a region."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stemscan.path.orders.far_apart import step_between
from stemscan.path.parts import Fill
from stemscan.path.permutation import permuted, round_keys
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source
from stemscan.path.sources.ways import own_way
from stemscan.random import Stream
from stemscan.types import Integers

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["FullSource"]


class FullSource(Source):
    """Every pixel that the plan allows; on the whole grid any sample of most orders is made alone."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self._inside_starts = self.inside.starts(self.strips.rows)

    def _starts(self, number: int) -> Integers:
        return self._inside_starts

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        return self.inside.pixels(*self.rows(strip))

    def alone(self, order: str) -> Fill | None:
        """Samples of a pattern's own order, and on the whole grid of others."""
        if order == "own":
            return own_way(self.plan)
        if self.plan.region is not None:
            return None
        return {
            "raster": _raster,
            "serpentine": self._serpentine,
            "random": self._at_random,
            "delocalised": self._delocalised,
        }.get(order)

    def _serpentine(self, number: int, start: int, out: Pixels) -> None:
        width = np.uint32(self.plan.shape[1])
        _raster(number, start, out)
        rows = out // width
        np.copyto(out, (2 * rows + 1) * width - 1 - out, where=rows % 2 == 1)

    def _at_random(self, number: int, start: int, out: Pixels) -> None:
        permuted(self.area, round_keys(self.area, self.seed, Stream.ORDER, number), start, out)

    @cached_property
    def _step(self) -> np.uint64:
        """Distance of successive samples where every pixel is its own tile."""
        return np.uint64(step_between(self.plan.shape, (1, 1))[0])

    def _delocalised(self, number: int, start: int, out: Pixels) -> None:
        out[:] = np.arange(start, start + len(out), dtype=np.uint64) * self._step % np.uint64(self.area)


def _raster(number: int, start: int, out: Pixels) -> None:
    out[:] = np.arange(start, start + len(out), dtype=np.uint32)
