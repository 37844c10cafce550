"""Random walks, stretch by stretch."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.traversal import Positions
from stemscan.path.walk_kernels import STEPS_OF_A_WORD, first_pixel, walk
from stemscan.plan.patterns.random_walk import RandomWalk

if TYPE_CHECKING:
    from stemscan.plan.region import Mask
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["WalkSampler"]

_STRETCH: Final = 8192 * STEPS_OF_A_WORD
"""Samples of a stretch: of each, one place is held."""

_Places = dict[int, npt.NDArray[np.int64]]


class WalkSampler:
    """Points of a random walk: it is walked up to where it is asked for, and a place a stretch is noted.

    Parameters
    ----------
    plan : ScanPlan
        With the pattern random-walk.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self._plan = plan
        self._allowed = np.zeros((0, 0), np.bool_) if plan.region is None else plan.region.mask(plan.shape)
        self._step = plan.pattern.step if isinstance(plan.pattern, RandomWalk) else 1
        self._places = lru_cache(maxsize=2)(self._first_place)

    def _first_place(self, number: int) -> _Places:
        """Where stretches of a pass begin, the first alone; `_walk` adds the others one by one."""
        shape, seed = self._plan.shape, np.uint64(self._plan.seed)
        pixels = shape[0] * shape[1] if self._plan.region is None else int(np.count_nonzero(self._allowed))
        pixel = int(first_pixel(pixels, seed, number))
        if self._plan.region is not None:
            pixel = _pixel_inside(self._allowed, pixel)
        return {0: np.array(divmod(pixel, shape[1]), np.int64)}

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number`, (stop - start, 2) int32 (row, column)."""
        places = self._places(number)
        while start // _STRETCH not in places:
            self._walk(places, number, len(places) - 1, _STRETCH)
        first = start // _STRETCH
        parts = [
            self._walk(places, number, stretch, min(_STRETCH, stop - stretch * _STRETCH))
            for stretch in range(first, -(-stop // _STRETCH))
        ]
        points = np.concatenate(parts) if parts else np.empty((0, 2), np.int32)
        return points[start - first * _STRETCH :]

    def _walk(self, places: _Places, number: int, stretch: int, samples: int) -> Positions:
        """The first samples of a stretch; where the next one begins is noted in `places`."""
        point = places[stretch].copy()
        out = np.empty((samples, 2), np.int32)
        seed = np.uint64(self._plan.seed)
        walk(point, stretch * _STRETCH, self._plan.shape, self._allowed, self._step, seed, number, out)
        if samples == _STRETCH:
            places[stretch + 1] = point
        return out


def _pixel_inside(allowed: Mask, number: int) -> int:
    """The pixel number `number` of those allowed."""
    rows = np.cumsum(np.count_nonzero(allowed, axis=1))
    row = int(np.searchsorted(rows, number, side="right"))
    within = number - (int(rows[row - 1]) if row else 0)
    return int(row * allowed.shape[1] + np.flatnonzero(allowed[row])[within])
