"""Blue noise strip by strip.

Every other strip is filled first, alone; then those between, which see both neighbours. In the second sweep each sample
may move, again first in the even strips and then in the odd ones. So a strip depends on three to each side, and no more
than those are made for it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.path.pixels import Pixels, pixels_of, points_of
from stemscan.path.sources.base import Source
from stemscan.path.sources.blue_noise_kernels import CurveStrip, choose
from stemscan.types import Integers, Points

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["BlueNoiseSource"]

_NONE: Final[Points] = np.empty((0, 2), np.int32)
_CACHED_CURVES: Final = 6
_CACHED_SWEEPS: Final = 8


class BlueNoiseSource(Source):
    """Blue noise on the grid or in a region."""

    together = 8

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan, fine=plan.region is not None)
        samples = plan.samples_per_pass
        areas = self.inside.starts(self.strips.rows).tolist()
        self._pass_starts = np.array([samples * area // self.area for area in areas], np.int64)
        self._side = math.isqrt((self.area - 1) // samples) + 1  # the least of which a square has an area a sample
        self._curve = lru_cache(maxsize=_CACHED_CURVES)(self._make_curve)
        self._swept = lru_cache(maxsize=_CACHED_SWEEPS)(self._sweep)

    def _starts(self, number: int) -> Integers:
        return self._pass_starts

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip along its curve."""
        return pixels_of(self._swept(number, strip, 1), self.plan.shape[1])

    def _make_curve(self, strip: int) -> CurveStrip:
        """A strip before anything is chosen."""
        listed, width = _NONE, self.plan.shape[1]
        if self.plan.region is not None:
            listed = points_of(self.strips.along(self.inside.pixels(*self.rows(strip)), strip), width)
        return CurveStrip(self.strips.curve(strip), listed, width, self._side, int(self._pass_starts[strip]))

    def _sweep(self, number: int, strip: int, sweep: int) -> Points:
        """The samples of a strip after a sweep."""
        if not 0 <= strip < len(self.strips):
            return _NONE
        before = self._swept(number, strip, 0) if sweep else _NONE
        around = _NONE
        if sweep or strip % 2:
            last = sweep if strip % 2 else 0
            around = np.concatenate([self._swept(number, strip + side, last) for side in (-1, 1)])
        samples = int(self._pass_starts[strip + 1] - self._pass_starts[strip])
        return choose(self._curve(strip), samples, before, around, self.seed, number)
