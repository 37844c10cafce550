"""Patterns in their own order, where it gives any sample alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stemscan.files_by_content import load_points
from stemscan.orders.hilbert_curve import curve_pixels
from stemscan.patterns import way_kernels
from stemscan.patterns.lissajous import Lissajous
from stemscan.patterns.point_list import PointList
from stemscan.patterns.raster import Hilbert, Interleaved
from stemscan.patterns.spiral import Spiral
from stemscan.patterns.traversal import Positions

if TYPE_CHECKING:
    from stemscan.plan import ScanPlan

__all__ = ["OWN_WAYS", "OwnSampler"]

OWN_WAYS = (Spiral, Lissajous, Interleaved, Hilbert, PointList)
"""Patterns for `OwnSampler`."""


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
