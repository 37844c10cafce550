"""Patterns, regions and orders that need a whole pass at once: it is made when its first sample is asked for.

The pixels of a pass are numbers row * columns + column. At most two passes are held, 4 bytes a sample; making one
takes up to nine times that for a while.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import PlanError
from stemscan.orders.arrange import arrange
from stemscan.orders.hilbert_curve import whole_curve
from stemscan.orders.model import Order
from stemscan.patterns.banded import banded_sampler, samples_of_tile
from stemscan.patterns.blue_noise import BlueNoise
from stemscan.patterns.blue_noise_kernels import blue_noise
from stemscan.patterns.own_ways import OWN_WAYS, OwnSampler
from stemscan.patterns.random_walk import RandomWalk
from stemscan.patterns.raster import FullPattern
from stemscan.patterns.region_kernels import choose_in_region, region_offsets
from stemscan.patterns.traversal import Positions
from stemscan.patterns.uniform import Uniform
from stemscan.patterns.walk_kernels import walk

if TYPE_CHECKING:
    from stemscan.plan import ScanPlan

__all__ = ["WholePassSampler", "samples_inside"]

_BYTES_A_SAMPLE: Final = 36
Pixels = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


class WholePassSampler:
    """Points of any plan, made pass by pass.

    Parameters
    ----------
    plan : ScanPlan

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When a file of the plan is missing or not what the plan states; from `expand` also when a pass is more than the
        machine's memory holds.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self.plan = plan
        mask = None if plan.region is None else plan.region.mask(plan.shape)
        self._pixels = _pixels_of(plan, mask)
        self._arranged = lru_cache(maxsize=2)(self._arrange)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        pixels = self._arranged(number)[start:stop]
        return np.stack(np.divmod(pixels, np.uint32(self.plan.shape[1])), axis=1).astype(np.int32)

    def _arrange(self, number: int) -> Pixels:
        """The pixels of a pass in order."""
        _check_memory(self.plan)
        pixels = self._pixels(number)
        if len(pixels) != self.plan.samples_per_pass:
            raise PlanError(
                f"region.samples: expected {len(pixels)}, the samples inside the region, got "
                f"{self.plan.samples_per_pass}; correct it"
            )
        return arrange(pixels, self.plan, number)


def _check_memory(plan: ScanPlan) -> None:
    """Refuse a pass that the machine's memory cannot hold, before the system kills whoever happens to use it."""
    there, needed = _memory_bytes(), _BYTES_A_SAMPLE * plan.samples_per_pass
    if there is not None and needed > there:
        raise PlanError(
            f"expected passes of at most {there // _BYTES_A_SAMPLE} samples on this machine, whose memory of "
            f"{there / 1e9:.3g} GB has to hold a whole pass of {plan.pattern.kind} in the order {plan.order.kind}, got "
            f"{plan.samples_per_pass}; take a smaller grid, or a pattern and an order that need no whole pass"
        )


def _memory_bytes() -> int | None:
    """Memory of the machine, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def samples_inside(plan: ScanPlan) -> int:
    """Count the samples of a pass that lie inside the plan's region, whatever the plan states."""
    mask = None if plan.region is None else plan.region.mask(plan.shape)
    return len(_pixels_of(plan, mask)(0))


def _pixels_of(plan: ScanPlan, mask: Mask | None) -> Callable[[int], Pixels]:
    """What makes the pixels of a pass, in the pattern's own order or in none that matters."""
    pattern = plan.pattern
    if isinstance(pattern, RandomWalk):
        return partial(_walked, plan, mask)
    if isinstance(pattern, BlueNoise):
        return partial(_blue, plan, mask)
    if isinstance(pattern, OWN_WAYS):
        return partial(_own, OwnSampler(plan), mask, plan.shape[1])
    if mask is None:
        sampler = banded_sampler(plan.model_copy(update={"order": Order(kind="raster")}))
        return lambda number: _numbers(sampler.expand(number, 0, plan.samples_per_pass), plan.shape[1])
    inside = np.flatnonzero(mask).astype(np.uint32)
    if isinstance(pattern, Uniform):
        return _drawn(plan, inside)
    if isinstance(pattern, FullPattern):
        return lambda number: inside
    return _tiled(plan, mask.view(np.uint8))


def _numbers(points: Positions, width: int) -> Pixels:
    """Pixels of points."""
    return points[:, 0].astype(np.uint32) * np.uint32(width) + points[:, 1].astype(np.uint32)


def _walked(plan: ScanPlan, mask: Mask | None, number: int) -> Pixels:
    """The walk of a pass."""
    allowed = np.zeros((0, 0), np.uint8) if mask is None else mask.view(np.uint8)
    pixels = plan.shape[0] * plan.shape[1] if mask is None else int(np.count_nonzero(mask))
    step = plan.pattern.step if isinstance(plan.pattern, RandomWalk) else 1
    return walk(plan.shape, allowed, pixels, plan.samples_per_pass, step, np.uint64(plan.seed), number)


def _blue(plan: ScanPlan, mask: Mask | None, number: int) -> Pixels:
    """The blue noise of a pass."""
    curve = whole_curve(plan.shape)
    if mask is not None:
        curve = curve[mask.reshape(-1)[curve]]
    return blue_noise(curve, plan.shape, plan.samples_per_pass, np.uint64(plan.seed), number)


def _own(sampler: OwnSampler, mask: Mask | None, width: int, number: int) -> Pixels:
    """A pattern's own way, without what lies outside the region."""
    pixels = _numbers(sampler.expand(number, 0, sampler.samples), width)
    return pixels if mask is None else pixels[mask.reshape(-1)[pixels]]


def _drawn(plan: ScanPlan, pixels: Pixels) -> Callable[[int], Pixels]:
    """Uniform random: drawn from the pixels of a region as from a grid of one column."""
    line = plan.model_copy(update={"shape": (len(pixels), 1), "region": None, "order": Order(kind="random")})
    sampler = banded_sampler(line)
    return lambda number: pixels[sampler.expand(number, 0, plan.samples_per_pass)[:, 0]]


def _tiled(plan: ScanPlan, mask: npt.NDArray[np.uint8]) -> Callable[[int], Pixels]:
    """A fixed number of pixels in every tile that lies inside the region, and the rest by area."""
    tile, seed, samples = plan.pattern.tile, np.uint64(plan.seed), plan.samples_per_pass
    offsets = region_offsets(mask, tile, seed, plan.passes, samples, samples_of_tile(plan.pattern))
    exclusive = plan.repeat == "exclusive"
    return lambda number: choose_in_region(mask, tile, offsets, seed, exclusive, number, samples)
