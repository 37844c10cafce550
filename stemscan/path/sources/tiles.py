"""Patterns with a fixed number of pixels in every tile."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.path.orders.far_apart import rounds_of, step_between
from stemscan.path.parts import Fill
from stemscan.path.permutation import permuted, round_keys
from stemscan.path.pixels import Pixels
from stemscan.path.sources import tile_kernels as kernels
from stemscan.path.sources.base import Source
from stemscan.plan.patterns.base import AreaPattern
from stemscan.random import Stream
from stemscan.types import Integers

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["TileSource"]

_MOST_SHUFFLED: Final = {"random": 256, "delocalised": 64}
"""Pixels of a tile that are shuffled for a sample made alone, at most, by order.

Beyond 256 a whole pass is quicker by several times; beyond 64 rounds would go over too few tiles to keep neighbours
apart in time.
"""


class TileSource(Source):
    """A fixed number of pixels in every tile; tiles that the edge of the grid or of the region cuts share the rest."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        tile, shape, rows = plan.pattern.tile, plan.shape, self.strips.rows
        assert isinstance(plan.pattern, AreaPattern)
        per_tile = int(plan.pattern.fraction * tile[0] * tile[1])
        if plan.region is None:
            whole = rows // tile[0] * (shape[1] // tile[1])
            cut = rows * shape[1] - whole * tile[0] * tile[1]
        else:
            masks = (self.inside.mask(*self.rows(strip)) for strip in range(len(self.strips)))
            parts = [(0, 0), *(kernels.whole_and_cut(mask, tile) for mask in masks)]
            whole, cut = np.cumsum(np.array(parts, np.int64), axis=0).T
        self._whole, self._cut = whole, cut
        rest, area = plan.samples_per_pass - per_tile * int(whole[-1]), max(1, int(cut[-1]))
        begins = kernels.share_begins(self.seed, plan.passes, area)
        self.tiles = kernels.Tiles(self.seed, shape, tile, per_tile, rest, area, begins, plan.repeat == "exclusive")
        self.rests = lru_cache(maxsize=2)(self._rests)

    def _shared(self, covered: Integers, number: int) -> Integers:
        """Samples of a pass in the cut tiles that have the first `covered` pixels of these."""
        return np.asarray(kernels.shared_before(covered, self.tiles.begins[number], self.tiles.rest, self.tiles.area))

    def _starts(self, number: int) -> Integers:
        return self._whole * self.tiles.per_tile + self._shared(self._cut, number)

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, tile by tile."""
        start, stop = self.starts(number)[strip : strip + 2]
        rows = self.rows(strip)
        return kernels.choose_in_rows(
            self.tiles, number, rows, self.inside.mask(*rows), self._cut[strip], int(stop - start)
        )

    def alone(self, order: str) -> Fill | None:
        """Samples of the whole grid in orders that begin anywhere, unless too many pixels are shuffled for one."""
        shuffled = self.tiles.per_tile * (self.plan.passes if self.tiles.exclusive else 1)
        if self.plan.region is not None or shuffled > _MOST_SHUFFLED.get(order, 0):
            return None
        return self._at_random if order == "random" else self._delocalised

    @cached_property
    def _cut_tiles(self) -> tuple[Integers, Integers]:
        """Numbers, row by row, of the tiles that the edge of the grid cuts, and their pixels up to each."""
        (rows, columns), (height, width) = self.plan.shape, self.plan.pattern.tile
        down, across = rows // height, -(-columns // width)
        right = np.arange(down if columns % width else 0, dtype=np.int64)
        bottom = np.arange(across if rows % height else 0, dtype=np.int64)
        below = down * height * (columns % width) + np.minimum((bottom + 1) * width, columns) * (rows % height)
        numbers = np.concatenate([right * across + across - 1, down * across + bottom])
        return numbers, np.concatenate([(right + 1) * height * (columns % width), below])

    def _at_random(self, number: int, start: int, out: Pixels) -> None:
        samples, (cut, covered) = self.plan.samples_per_pass, self._cut_tiles
        permuted(samples, round_keys(samples, self.seed, Stream.ORDER, number), start, out)
        kernels.fill_drawn(self.tiles, number, cut, self._shared(covered, number), out)

    @cached_property
    def _steps(self) -> tuple[int, int, int]:
        """Number of tiles, and how they are visited: see `step_between`."""
        (rows, columns), (height, width) = self.plan.shape, self.plan.pattern.tile
        tiles = -(-rows // height), -(-columns // width)
        return tiles[0] * tiles[1], *step_between(tiles, (height, width))

    def _rests(self, number: int) -> tuple[Integers, Integers]:
        """Differences of a pass from whole rounds: see `stemscan.path.sources.tile_kernels.fill_rounds`."""
        (tiles, _, multiplier), (cut, covered) = self._steps, self._cut_tiles
        rounds, counts = self.tiles.per_tile, np.diff(self._shared(covered, number), prepend=0)
        edge, slot = np.nonzero(np.arange(rounds) < counts[:, None])
        busy = np.zeros((len(cut), rounds), np.bool_)
        busy[edge, rounds_of(slot, np.minimum(counts, rounds)[edge], rounds)] = True
        edge, turn = np.nonzero(~busy)
        times = (np.uint64(multiplier) * cut.astype(np.uint64) % np.uint64(tiles)).astype(np.int64)
        more = np.maximum(counts - rounds, 0)
        slots = rounds + np.arange(more.sum()) - np.repeat(np.cumsum(more) - more, more)
        return np.sort(turn * tiles + times[edge]), np.stack([np.repeat(cut, more), slots], axis=1)

    def _delocalised(self, number: int, start: int, out: Pixels) -> None:
        kernels.fill_rounds(self.tiles, number, np.uint64(self._steps[1]), *self.rests(number), start, out)
