"""Blue noise strip by strip.

Every other strip is filled first, alone; then those between, which see both neighbours. In the second sweep each sample
may move, again first in the even strips and then in the odd ones. So a strip depends on three to each side, and no more
than those are made for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.blue_noise_kernels import CurveStrip, choose
from stemscan.path.strip_sources import InsideRows, Pixels, StripSource, pixels_of

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["BlueNoiseStrips"]

Points = npt.NDArray[np.int32]
_NONE: Points = np.empty((0, 2), np.int32)
_CURVES_KEPT: Final = 6
_SWEEPS_KEPT: Final = 8


class BlueNoiseStrips(StripSource):
    """Blue noise on the grid or in a region.

    Parameters
    ----------
    plan : ScanPlan
    """

    together = 8

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan, fine=plan.region is not None)
        self._inside = InsideRows(plan.region, plan.shape)
        areas = self._inside.starts(self.strips.rows)
        samples, self._area = plan.samples_per_pass, int(areas[-1])
        self._pass_starts = np.array([samples * int(area) // self._area for area in areas], np.int64)
        self._side = 1
        while self._side**2 * samples < self._area:
            self._side += 1
        self._seed = np.uint64(plan.seed)
        self._curve = lru_cache(maxsize=_CURVES_KEPT)(self._make_curve)
        self._swept = lru_cache(maxsize=_SWEEPS_KEPT)(self._sweep)

    def _counts(self, number: int) -> npt.NDArray[np.int64]:
        return np.diff(self._pass_starts)

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip along its curve."""
        return pixels_of(self._swept(number, strip, 1), self.plan.shape[1])

    def _make_curve(self, strip: int) -> CurveStrip:
        """What is known of a strip."""
        listed = _NONE
        if self.plan.region is not None:
            listed = self.strips.listed(strip, self._inside.mask(*self._rows(strip)))
        first_sample = int(self._pass_starts[strip])
        return CurveStrip(self.strips.curve(strip), listed, self.plan.shape[1], self._side, first_sample)

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
        return choose(self._curve(strip), samples, before, around, self._seed, number)
