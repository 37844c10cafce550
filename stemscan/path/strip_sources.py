"""Which pixels a pass visits, strip by strip: what orders that go through a grid by strips, and blue noise, build on.

The pixels of a strip are numbers row * columns + column. A source holds an integer a strip and what its pattern needs
(`stemscan.path.banded`), never a pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.banded import GridSampler, TileSampler, banded_sampler, samples_of_tile
from stemscan.path.region_kernels import Shares, choose_in_region, samples_of_strips, whole_and_cut
from stemscan.path.strips import Strips
from stemscan.path.tile_kernels import edge_start
from stemscan.path.traversal import Positions
from stemscan.plan.order import Order
from stemscan.plan.region import Mask, Region

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = [
    "GridStrips",
    "InsideRows",
    "Pixels",
    "RegionStrips",
    "StripSource",
    "TileStrips",
    "UniformStrips",
    "counts_below",
    "pixels_of",
    "points_of",
]

_MOST_LISTED: Final = 1 << 22
"""Samples of a pass of which a list, 4 bytes each, may be held."""

Pixels = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]


def counts_below(pixels: Pixels, edges: Counts) -> Counts:
    """How many of ascending pixels lie between each two of ascending edges, the last of which is beyond all pixels."""
    starts = np.zeros(len(edges), np.int64)
    starts[1:-1] = np.searchsorted(pixels, edges[1:-1].astype(np.uint32))  # of one type, else the pixels are copied
    starts[-1] = len(pixels)
    return np.diff(starts)


def points_of(pixels: Pixels, width: int) -> Positions:
    """Points, (n, 2) int32 (row, column), of pixels of a grid so wide."""
    return np.stack(np.divmod(pixels, np.uint32(width)), axis=1).astype(np.int32)


def pixels_of(points: Positions, width: int) -> Pixels:
    """Pixels, (n,), of points (row, column) of a grid so wide."""
    return points[:, 0].astype(np.uint32) * np.uint32(width) + points[:, 1].astype(np.uint32)


class StripSource(ABC):
    """The pixels of the passes of a plan, strip by strip.

    Parameters
    ----------
    plan : ScanPlan
    """

    together: ClassVar[int] = 1
    """How many neighbouring strips are made in little more time than one."""

    def __init__(self, plan: ScanPlan, *, fine: bool = False) -> None:
        self.plan = plan
        pixels = plan.shape[0] * plan.shape[1] if plan.region is None else plan.region.pixels_in(plan.shape)
        self.strips = Strips.of(plan.shape, plan.pattern.tile[0], plan.samples_per_pass / pixels, fine=fine)
        self.starts = lru_cache(maxsize=2)(self._starts)

    def _starts(self, number: int) -> Counts:
        """Samples before each strip of a pass, and after the last."""
        return np.append(np.zeros(1, np.int64), np.cumsum(self._counts(number)))

    def _rows(self, strip: int) -> tuple[int, int]:
        """First row of a strip and of the next."""
        return int(self.strips.rows[strip]), int(self.strips.rows[strip + 1])

    @abstractmethod
    def _counts(self, number: int) -> Counts:
        """Samples of each strip of a pass."""

    @abstractmethod
    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip in a pass, in no particular order."""


class GridStrips(StripSource):
    """Patterns of tiles and full scans on the whole grid."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self._sampler = banded_sampler(plan.model_copy(update={"order": Order(kind="raster")}))

        self._bands = -(-self.strips.rows // plan.pattern.tile[0])

    def _counts(self, number: int) -> Counts:
        return np.diff(self._sampler.band_starts(number)[self._bands])

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row or tile by tile."""
        start, stop = self.starts(number)[strip : strip + 2]
        if isinstance(self._sampler, TileSampler):
            first, end = self._bands[strip : strip + 2]
            return self._sampler.pixels_of_bands(number, int(first), int(end), int(stop - start))
        points = self._sampler.expand(number, int(start), int(stop))
        return pixels_of(points, self.plan.shape[1])


class InsideRows:
    """The pixels of a region, or of a whole grid, by rows.

    Parameters
    ----------
    region : Region or None
        None for the whole grid.
    shape : tuple of int
        Rows and columns of the grid.
    """

    def __init__(self, region: Region | None, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._mask = None if region is None else region.mask_rows(shape)

    def mask(self, first: int, stop: int) -> Mask:
        """Rows first .. stop - 1 as a mask."""
        return np.ones((stop - first, self._shape[1]), np.bool_) if self._mask is None else self._mask(first, stop)

    def pixels(self, first: int, stop: int) -> Pixels:
        """Pixels inside in rows first .. stop - 1, row by row."""
        width = self._shape[1]
        if self._mask is None:
            return np.arange(first * width, stop * width, dtype=np.uint32)
        return np.flatnonzero(self._mask(first, stop)).astype(np.uint32) + np.uint32(first * width)

    def starts(self, rows: Counts) -> Counts:
        """Pixels inside before each of these rows."""
        if self._mask is None:
            return rows * self._shape[1]
        counts = [np.count_nonzero(self._mask(first, stop)) for first, stop in pairwise(rows)]
        return np.append(np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))


class RegionStrips(StripSource):
    """Every pixel of a region, or of the grid."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self.inside = InsideRows(plan.region, plan.shape)
        self._inside_starts = self.inside.starts(self.strips.rows)

    def _counts(self, number: int) -> Counts:
        return np.diff(self._inside_starts)

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        return self.inside.pixels(*self._rows(strip))


class UniformStrips(RegionStrips):
    """Uniform random pixels of a region or of the grid: drawn as from a line that has as many pixels.

    A pass of few samples is held as a list, so that its strips are not searched pixel by pixel.
    """

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        line = (int(self._inside_starts[-1]), 1)
        as_line = plan.model_copy(update={"shape": line, "region": None, "order": Order(kind="raster")})
        self._sampler = GridSampler(as_line)
        self._listed = plan.samples_per_pass <= _MOST_LISTED
        self._sorted = lru_cache(maxsize=2)(self._sort)

    def _sort(self, number: int) -> Pixels:
        """The numbers of a pass on the line, ascending."""
        drawn = self._sampler.drawn(number)
        drawn.sort()
        return drawn

    def _counts(self, number: int) -> Counts:
        if not self._listed:
            return self._sampler.counts_between(number, self._inside_starts)
        return counts_below(self._sorted(number), self._inside_starts)

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        start, stop = (int(at) for at in self.starts(number)[strip : strip + 2])
        first, end = (int(at) for at in self._inside_starts[strip : strip + 2])
        if self._listed:
            drawn = self._sorted(number)[start:stop]
        else:
            drawn = self._sampler.pixels_between(number, first, end, stop - start)
        if self.plan.region is None or not len(drawn):
            return drawn
        inside: Pixels = super().pixels(number, strip)[drawn - np.uint32(first)]
        return inside


class TileStrips(StripSource):
    """A fixed number of pixels in every tile inside a region; tiles that its edge cuts share the rest."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self._inside = InsideRows(plan.region, plan.shape)
        self._tile = plan.pattern.tile
        parts = [whole_and_cut(self._inside.mask(*self._rows(strip)), self._tile) for strip in range(len(self.strips))]
        self._whole, cut = np.array(parts, np.int64).T
        self._covered = np.append(np.zeros(1, np.int64), np.cumsum(cut))
        per_tile = samples_of_tile(plan.pattern)
        rest = plan.samples_per_pass - per_tile * int(self._whole.sum())
        self._shares = Shares(per_tile, self._tile[0] * self._tile[1], rest, int(self._covered[-1]))
        self._seed = np.uint64(plan.seed)

    def _counts(self, number: int) -> Counts:
        start = edge_start(self._seed, number, self._shares.area)
        return samples_of_strips(self._whole, self._covered, start, self._shares)

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, tile by tile."""
        start, stop = self.starts(number)[strip : strip + 2]
        first, end = self._rows(strip)
        return choose_in_region(
            self._inside.mask(first, end),
            first,
            self._tile,
            self._shares,
            self._covered[strip],
            self._seed,
            self.plan.repeat == "exclusive",
            number,
            int(stop - start),
        )
