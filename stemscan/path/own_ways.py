"""Patterns in their own order, where it gives any sample alone, and what of them lies inside a region."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import PlanError
from stemscan.files.by_content import load_points
from stemscan.path import way_kernels
from stemscan.path.hilbert_curve import curve_pixels
from stemscan.path.traversal import Positions
from stemscan.plan.patterns.lissajous import Lissajous
from stemscan.plan.patterns.point_list import PointList
from stemscan.plan.patterns.raster import Hilbert, Interleaved
from stemscan.plan.patterns.spiral import Spiral

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["OWN_WAYS", "OwnInRegion", "OwnSampler"]

OWN_WAYS = (Spiral, Lissajous, Interleaved, Hilbert, PointList)
"""Patterns for `OwnSampler`."""

_STRETCH: Final = 1 << 16
"""Samples of a stretch: of each, one number is held."""


class OwnSampler:
    """Points of one of the patterns `OWN_WAYS` over the whole grid; every pass is the same.

    Parameters
    ----------
    plan : ScanPlan

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When the file of a list is missing or not what the plan states.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self.samples = plan.pattern.samples_per_pass(plan.shape)
        self._fill = _own_way(plan, self.samples)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number`, (stop - start, 2) int32 (row, column)."""
        out = np.empty((stop - start, 2), np.int32)
        self._fill(start, out)
        return out


def _own_way(plan: ScanPlan, samples: int) -> Callable[[int, Positions], None]:
    """What fills an array with points from a sample on."""
    pattern, shape = plan.pattern, plan.shape
    if isinstance(pattern, Spiral):
        return partial(way_kernels.expand_spiral, shape, float(pattern.pitch), float(pattern.spacing))
    if isinstance(pattern, Lissajous):
        return partial(way_kernels.expand_lissajous, shape, pattern.cycles, samples)
    if isinstance(pattern, Interleaved):
        return partial(way_kernels.expand_interleaved, shape, (pattern.row_stride, pattern.column_stride))
    if isinstance(pattern, PointList):
        return partial(_copy_points, load_points(pattern.file, pattern.sha256, shape, samples=samples))
    return partial(curve_pixels, shape)


def _copy_points(points: Positions, start: int, out: Positions) -> None:
    """Fill `out` with the points of a list from `start` on."""
    out[:] = points[start : start + len(out)]


class OwnInRegion:
    """Those points of an `OwnSampler` that lie inside the plan's region: how many each stretch has is counted once.

    Parameters
    ----------
    plan : ScanPlan

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        As of `OwnSampler`; from `expand` also when the plan states another number of samples.
    """

    def __init__(self, plan: ScanPlan) -> None:
        if plan.region is None:
            raise TypeError("expected a plan with a region")
        self._plan = plan
        self._mask = plan.region.mask(plan.shape)
        self._way = OwnSampler(plan)
        self._inside = lru_cache(maxsize=2)(self._inside_of)

    def _inside_of(self, stretch: int) -> Positions:
        """Points of a stretch that lie inside."""
        start = stretch * _STRETCH
        points = self._way.expand(0, start, min(start + _STRETCH, self._way.samples))
        return points[self._mask[points[:, 0], points[:, 1]]]

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Samples before each stretch, and after the last."""
        counts = [len(self._inside(stretch)) for stretch in range(-(-self._way.samples // _STRETCH))]
        return np.append(np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of any pass, (stop - start, 2) int32 (row, column)."""
        if self.starts[-1] != self._plan.samples_per_pass:
            raise PlanError(
                f"region.samples: expected {self.starts[-1]}, the samples inside the region, got "
                f"{self._plan.samples_per_pass}; correct it"
            )
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        end = int(np.searchsorted(self.starts, stop, side="left"))
        parts = [self._inside(stretch) for stretch in range(first, end)]
        inside = np.concatenate(parts) if parts else np.empty((0, 2), np.int32)
        return inside[start - int(self.starts[first]) : stop - int(self.starts[first])]
