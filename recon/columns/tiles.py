"""Tiles of a scan: so much of it is in memory and fitted at once, whatever its size.

A small scan is one tile. Tiles of a larger one overlap by a margin that is several reaches of a column wide, so that a
column has all its neighbours in the tile to which it belongs: the one in whose core it lies. Margins and cores are
whole numbers of the background's spacing, and the background's nodes those of one grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.links import ColumnModel
from stemscan.recon.columns.model import columns_at
from stemscan.recon.columns.observations import Observations
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Floats, Integers

__all__ = ["CORE", "Scan", "Tile"]

CORE = 1536
"""Side of a tile without its margins, about, in pixels."""
_MARGIN = 3.0


@dataclass(frozen=True)
class Tile:
    """Part of a grid.

    Attributes
    ----------
    window : (slice, slice)
        Rows and columns that belong to it, with the margin.
    core : ((float, float), (float, float))
        First row and the row before which its core ends, likewise columns; infinite at the frame.
    """

    window: tuple[slice, slice]
    core: tuple[tuple[float, float], tuple[float, float]]

    @property
    def corner(self) -> Floats:
        """First row and column of the window."""
        return np.array([side.start for side in self.window], np.float64)

    def owns(self, places: Floats, beyond: float = 0.0) -> npt.NDArray[np.bool_]:
        """Tell which places, (n, 2), lie in the core, or beyond it by less than so much."""
        first, last = np.array(self.core).T
        return np.asarray(((places >= first - beyond) & (places < last + beyond)).all(axis=1))


class Scan:
    """Points of a scan, tile by tile.

    Attributes
    ----------
    shape : (int, int)
    beyond : ColumnModel or None
        Columns that are not fitted and whose signal is known.
    raised : float
        See `Observations`; of the first points that were asked for, and then of all.
    """

    def __init__(self, inputs: Inputs, core: int | None = None, margin: int = 0, raised: float | None = None) -> None:
        self.inputs, self.shape = inputs, inputs.shape
        self._raised = raised
        sides = [_sides(size, core or CORE, margin) for size in self.shape]
        self.tiles = [Tile((rows[0], columns[0]), (rows[1], columns[1])) for rows in sides[0] for columns in sides[1]]
        self.beyond: ColumnModel | None = None
        self._last: tuple[Tile, Observations] | None = None

    @property
    def raised(self) -> float:
        """Constant that was added to the signal of every sample."""
        if self._raised is None:
            self.points(self.tiles[0])
        return self._raised or 0.0

    def tiled(self, spacing: float, reach: float) -> Scan:
        """The same in tiles for a background with nodes so far apart and columns of such reach; itself if it is one."""
        if len(self.tiles) == 1:
            return self
        step = round(spacing)
        margin = step * math.ceil(_MARGIN * reach / step)
        return Scan(self.inputs, step * max(1, round(CORE / step)), margin, self.raised)

    def part(self, tile: Tile) -> Inputs:
        """Counts and visits of a tile."""
        if len(self.tiles) == 1:
            return self.inputs
        return self.inputs.part(*tile.window)

    def points(self, tile: Tile) -> Observations:
        """Points of a tile, from the corner of its window."""
        if self._last is None or self._last[0] is not tile:
            self._last = tile, Observations.of(self.part(tile), self._raised)
            self._raised = self._last[1].raised
        points = self._last[1]
        if self.beyond is None:
            return points
        return replace(points, known=columns_at(self._there(self.beyond, tile)[0], points))

    def pieces(self, model: ColumnModel) -> Iterator[tuple[Tile, ColumnModel, Integers]]:
        """Tiles, each with a model of the whole scan as it is there and the numbers of the columns that it then has."""
        for tile in self.tiles:
            yield tile, *self._there(model, tile)

    def _there(self, model: ColumnModel, tile: Tile) -> tuple[ColumnModel, Integers]:
        """A model of the whole scan as it is in a tile, and the numbers of its columns."""
        size = np.array([side.stop - side.start for side in tile.window])
        near = model.places - tile.corner
        members = np.nonzero(((near > -model.reach) & (near < size - 1 + model.reach)).all(axis=1))[0]
        first = np.rint(tile.corner / model.spacing).astype(int).tolist()
        last = [start + math.ceil(side / model.spacing) + 1 for start, side in zip(first, size.tolist(), strict=True)]
        nodes = model.nodes[first[0] : last[0], first[1] : last[1]]
        return replace(model.only(members).moved(-tile.corner), nodes=nodes), members


def _sides(size: int, core: int, margin: int) -> list[tuple[slice, tuple[float, float]]]:
    """Window and core of each tile along an axis."""
    if size <= 1.5 * CORE:
        return [(slice(0, size), (-math.inf, math.inf))]
    count = max(1, round(size / core))
    edges = [number * core for number in range(count)] + [size]
    return [
        (
            slice(max(0, first - margin), min(size, last + margin)),
            (first if first else -math.inf, last if last < size else math.inf),
        )
        for first, last in pairwise(edges)
    ]
