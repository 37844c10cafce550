"""Patterns in orders that go band by band or at random: one sampler a family, which can expand any stretch alone.

A sampler holds at most one integer a band (where each band's samples begin) and one a cut tile; the points themselves
are made on demand, band by band.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.path import full_kernels, grid_kernels, tiled_kernels
from stemscan.path.permutation import round_keys
from stemscan.path.tile_kernels import edge_offsets
from stemscan.path.traversal import ORDER_CODES
from stemscan.plan.patterns.base import AreaPattern, PatternBase
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.patterns.line_hop import LineHop
from stemscan.plan.patterns.raster import FullPattern, Hilbert, Interleaved, Raster, Serpentine
from stemscan.plan.patterns.uniform import Uniform
from stemscan.random import Stream

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = [
    "BANDED",
    "GridSampler",
    "Sampler",
    "TileSampler",
    "banded_sampler",
    "samples_of_tile",
    "shuffled_pixels",
    "tiles_of",
]

Pixels = npt.NDArray[np.uint32]
Positions = npt.NDArray[np.int32]


class Sampler(ABC):
    """Expands stretches of the passes of one plan."""

    def __init__(self, plan: ScanPlan) -> None:
        self.plan = plan
        self.shape = plan.shape
        self.tile = plan.pattern.tile
        self.samples = plan.samples_per_pass
        self.seed = np.uint64(plan.seed)
        self.order = ORDER_CODES.get(plan.order.kind, -1)
        self.band_starts = lru_cache(maxsize=2)(self._band_starts)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        out = np.empty((stop - start, 2), np.int32)
        if start < stop:
            if self.order < 0:
                self._expand_random(number, start, out)
            else:
                starts = self.band_starts(number)
                band = int(np.searchsorted(starts, start, side="right")) - 1
                self._expand_bands(number, band, start - int(starts[band]), out)
        return out

    def _order_keys(self, number: int) -> npt.NDArray[np.uint32]:
        """Keys of the permutation that is the random order of a pass."""
        return round_keys(self.samples, self.seed, Stream.ORDER, number)

    @abstractmethod
    def _band_starts(self, number: int) -> npt.NDArray[np.int64]:
        """Number of samples before each band of pass `number`, and after the last."""

    @abstractmethod
    def _expand_bands(self, number: int, band: int, skip: int, out: Positions) -> None:
        """Fill `out` from sample `skip` of a band on."""

    @abstractmethod
    def _expand_random(self, number: int, start: int, out: Positions) -> None:
        """Fill `out` with samples start, start + 1, ... of the random order."""


class FullSampler(Sampler):
    """Every pixel in every pass."""

    def _band_starts(self, number: int) -> npt.NDArray[np.int64]:
        rows = np.append(np.arange(0, self.shape[0], self.tile[0], dtype=np.int64), self.shape[0])
        return rows * self.shape[1]

    def _expand_bands(self, number: int, band: int, skip: int, out: Positions) -> None:
        full_kernels.expand_bands(self.shape, self.tile, self.order, band, skip, out)

    def _expand_random(self, number: int, start: int, out: Positions) -> None:
        full_kernels.expand_random(self.shape, self._order_keys(number), start, out)


def samples_of_tile(pattern: PatternBase) -> int:
    """Samples of a whole tile of a pattern with a fixed number of them in each."""
    if not isinstance(pattern, AreaPattern):
        raise TypeError(f"expected a pattern of tiles, got {type(pattern).__name__}")
    return int(pattern.fraction * pattern.tile[0] * pattern.tile[1])


def shuffled_pixels(plan: ScanPlan) -> int:
    """How many pixels of a tile are shuffled at most for a single sample: in exclusive passes those of all passes."""
    if not isinstance(plan.pattern, BlockRandom | LineHop):
        return 0
    return samples_of_tile(plan.pattern) * (plan.passes if plan.repeat == "exclusive" else 1)


def tiles_of(plan: ScanPlan) -> tiled_kernels.Tiles:
    """A plan's pattern of tiles, for compiled code."""
    tile, seed, per_tile = plan.pattern.tile, np.uint64(plan.seed), samples_of_tile(plan.pattern)
    edges = edge_offsets(seed, plan.passes, plan.shape, tile, plan.samples_per_pass, per_tile)
    return tiled_kernels.Tiles(seed, plan.shape, tile, per_tile, edges, plan.repeat == "exclusive")


class TileSampler(Sampler):
    """A fixed number of pixels in every tile; cut tiles share the rest."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self.tiles = tiles_of(plan)

    def _band_starts(self, number: int) -> npt.NDArray[np.int64]:
        return tiled_kernels.band_starts(self.tiles, number)

    def _expand_bands(self, number: int, band: int, skip: int, out: Positions) -> None:
        tiled_kernels.expand_bands(self.tiles, number, self.order, band, skip, out)

    def _expand_random(self, number: int, start: int, out: Positions) -> None:
        tiled_kernels.expand_random(self.tiles, number, self.samples, self._order_keys(number), start, out)

    def pixels_of_bands(self, number: int, first: int, stop: int, samples: int) -> Pixels:
        """Pixels of bands first .. stop - 1, `samples` in all, row * columns + column, tile by tile."""
        return tiled_kernels.pixels_of_bands(self.tiles, number, first, stop, samples)


class GridSampler(Sampler):
    """A number of pixels from the whole grid, by pseudo-random permutations of it."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self.pixels = self.shape[0] * self.shape[1]
        self.exclusive = plan.repeat == "exclusive"
        self._wraps: dict[int, tuple[int, npt.NDArray[np.int64]]] = {0: (0, np.empty(0, np.int64))}

    def _keys(self, cycle: int) -> npt.NDArray[np.uint32]:
        """Keys of the permutation number `cycle` of the grid."""
        return round_keys(self.pixels, self.seed, Stream.GRID, cycle)

    def _wrap(self, cycle: int) -> tuple[int, npt.NDArray[np.int64]]:
        """How far the pass that wraps into `cycle` reads its permutation, and at which numbers it puts pixels off."""
        for into in range(1, cycle + 1):
            if into in self._wraps:
                continue
            wrapping = (into * self.pixels - 1) // self.samples
            position = wrapping * self.samples - (into - 1) * self.pixels
            needed = (wrapping + 1) * self.samples - into * self.pixels
            keys, old_keys = self._keys(into), self._keys(into - 1)
            self._wraps[into] = grid_kernels.put_off(
                self.pixels, needed, keys, old_keys, position, *self._wraps[into - 1]
            )
        return self._wraps[cycle]

    def _stretch(self, number: int) -> grid_kernels.Stretch:
        """Where in the stream of permutations the pass reads."""
        none = np.empty(0, np.int64)
        if not self.exclusive:
            keys = self._keys(number)
            return grid_kernels.Stretch(0, self.samples, 0, none, keys, 0, none, keys)
        first = number * self.samples
        cycle, position = divmod(first, self.pixels)
        from_first = min(self.samples, self.pixels - position)
        reach, put_off = self._wrap(cycle)
        next_reach, next_put_off = self._wrap(cycle + 1) if from_first < self.samples else (0, none)
        return grid_kernels.Stretch(
            position, from_first, reach, put_off, self._keys(cycle), next_reach, next_put_off, self._keys(cycle + 1)
        )

    def _band_starts(self, number: int) -> npt.NDArray[np.int64]:
        return grid_kernels.band_starts(self.shape, self.tile, self.samples, self._stretch(number))

    def _expand_bands(self, number: int, band: int, skip: int, out: Positions) -> None:
        grid_kernels.expand_bands(self.shape, self.tile, self._stretch(number), self.order, band, skip, out)

    def _expand_random(self, number: int, start: int, out: Positions) -> None:
        grid_kernels.expand_random(self.shape, self._stretch(number), start, out)

    def drawn(self, number: int) -> Pixels:
        """All pixels of a pass, row * columns + column, as drawn."""
        return grid_kernels.drawn_pixels(self.pixels, self.samples, self._stretch(number))

    def counts_between(self, number: int, edges: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many pixels of a pass lie between each two of an ascending list from the first to the end."""
        return grid_kernels.counts_between(edges, self.pixels, self.samples, self._stretch(number))

    def pixels_between(self, number: int, first: int, stop: int, samples: int) -> Pixels:
        """The pixels of a pass, `samples` in all, of the numbers first .. stop - 1, ascending."""
        return grid_kernels.pixels_between(first, stop, self.pixels, samples, self._stretch(number))


BANDED = (BlockRandom, LineHop, Raster, Serpentine, Hilbert, Interleaved, Uniform)
"""Patterns for `banded_sampler`."""


def banded_sampler(plan: ScanPlan) -> Sampler:
    """The sampler of one of the patterns `BANDED` over the whole grid."""
    if isinstance(plan.pattern, FullPattern):
        return FullSampler(plan)
    if isinstance(plan.pattern, Uniform):
        return GridSampler(plan)
    return TileSampler(plan)
