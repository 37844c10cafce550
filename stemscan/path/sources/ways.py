"""Patterns that are a way: points in an order of their own, of which any other order needs a whole pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import PlanError
from stemscan.files.by_content import load_points
from stemscan.path.hilbert_curve import curve_pixels
from stemscan.path.parts import Fill, Parts
from stemscan.path.pixels import Pixels, pixels_of
from stemscan.path.sources.base import Source, starts_in
from stemscan.path.sources.walk import random_walk
from stemscan.path.sources.way_kernels import fill_interleaved, fill_lissajous, fill_spiral
from stemscan.plan.patterns.base import PatternBase
from stemscan.plan.patterns.lissajous import Lissajous
from stemscan.plan.patterns.point_list import PointList
from stemscan.plan.patterns.random_walk import RandomWalk
from stemscan.plan.patterns.raster import Hilbert, Interleaved
from stemscan.plan.patterns.spiral import Spiral
from stemscan.types import Integers

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["WaySource", "own_way", "samples_inside"]

_STRETCH: Final = 1 << 16
"""Samples of a stretch of a way in a region: of each, one number is held."""

Formula = Callable[[int, Pixels], None]
"""Fills an array with the pixels of a way over the whole grid, the same in all passes, from a sample on."""


def _point_list(pattern: PointList, shape: tuple[int, int]) -> Formula:
    """Points of a file."""
    pixels = pixels_of(load_points(pattern.file, pattern.sha256, shape, samples=pattern.samples), shape[1])

    def copy(start: int, out: Pixels) -> None:
        out[:] = pixels[start : start + len(out)]

    return copy


FORMULAS: Final[dict[type[PatternBase], Callable[[Any, tuple[int, int]], Formula]]] = {
    Interleaved: lambda way, shape: partial(fill_interleaved, shape, (way.row_stride, way.column_stride)),
    Hilbert: lambda way, shape: partial(curve_pixels, shape, shape[0] > shape[1]),
    Spiral: lambda way, shape: partial(fill_spiral, shape, float(way.pitch), float(way.spacing)),
    Lissajous: lambda way, shape: partial(fill_lissajous, shape, way.cycles, way.samples_per_pass(shape)),
    PointList: _point_list,
}
"""Ways that are the same in all passes, by pattern: given the pattern and the grid's shape, what fills an array."""


def own_way(plan: ScanPlan) -> Fill:
    """Samples of a plan in its pattern's own order.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When the file of a list is missing or not what the plan states; from the `Fill` also when the plan states
        another number of samples in its region than there are.
    """
    if isinstance(plan.pattern, RandomWalk):
        return random_walk(plan, plan.pattern.step)
    formula = FORMULAS[type(plan.pattern)](plan.pattern, plan.shape)
    if plan.region is None:
        return lambda number, start, out: formula(start, out)
    inside = _InRegion(plan, formula)
    return Parts(inside.starts, inside.part)


def samples_inside(plan: ScanPlan) -> int:
    """Count the samples of a pass of a way that lie inside the plan's region, whatever the plan states.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When a file of the plan is missing or not what the plan states.
    """
    return int(_InRegion(plan, FORMULAS[type(plan.pattern)](plan.pattern, plan.shape)).counted[-1])


class _InRegion:
    """Samples of a way inside the plan's region, in stretches of the way; those of each stretch are counted once."""

    def __init__(self, plan: ScanPlan, formula: Formula) -> None:
        assert plan.region is not None
        self._formula, self._stated = formula, plan.samples_per_pass
        self._mask = plan.region.mask(plan.shape).ravel()
        self._samples = plan.pattern.samples_per_pass(plan.shape)

    def part(self, number: int, stretch: int) -> Pixels:
        """Pixels of a stretch that lie inside."""
        pixels = np.empty(min(_STRETCH, self._samples - stretch * _STRETCH), np.uint32)
        self._formula(stretch * _STRETCH, pixels)
        return pixels[self._mask[pixels]]

    @cached_property
    def counted(self) -> Integers:
        """Samples before each stretch, and after the last."""
        counts = [len(self.part(0, stretch)) for stretch in range(-(-self._samples // _STRETCH))]
        return np.append(np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))

    def starts(self, number: int) -> Integers:
        """The same, refused where the plan states another number of samples."""
        if self.counted[-1] != self._stated:
            raise PlanError(
                f"region.samples: expected {self.counted[-1]}, the samples inside the region, got {self._stated}; "
                "correct it"
            )
        return self.counted


class WaySource(Source):
    """The pixels of a way, cut into strips: its pass is made as a whole, and two are held."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self._own = own_way(plan)
        self._sorted = lru_cache(maxsize=2)(self._sort)

    def _sort(self, number: int) -> Pixels:
        """The pixels of a pass, row by row."""
        pixels = self.new_pass()
        self._own(number, 0, pixels)
        pixels.sort()
        return pixels

    def _starts(self, number: int) -> Integers:
        return starts_in(self._sorted(number), self.strips.rows * self.plan.shape[1])

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        start, stop = self.starts(number)[strip : strip + 2]
        return self._sorted(number)[start:stop]

    def alone(self, order: str) -> Fill | None:
        """Samples of the way in its own order."""
        return self._own if order == "own" else None
