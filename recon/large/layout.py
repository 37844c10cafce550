"""Tiles of a large frame: which pixels each is made of, and how much it counts at each pixel.

The layout follows from the frame's size alone, so that an image does not depend on the memory that it was made in. The
cores of tiles are whole chunks of the output and cover the frame once. A tile is computed on a window that reaches a
margin beyond its core, where methods err as much as at a frame; beside the common edge of two cores both are blended
linearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from stemscan.types import Floats

__all__ = ["SIZES", "Layout", "Region", "Sizes", "Tile", "within"]


class Sizes(NamedTuple):
    """Sizes in pixels.

    Attributes
    ----------
    chunk : int
        Side of a chunk of a large output; cores have up to three a side.
    whole : int
        Side up to which a frame is reconstructed whole.
    margin : int
        By which a window reaches beyond its core.
    taper : int
        On both sides of an edge, in which neighbours are blended.
    """

    chunk: int = 512
    whole: int = 2048
    margin: int = 64
    taper: int = 16


SIZES: Sizes = Sizes()

_CHUNKS_A_CORE: Final = 3

Region = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """A tile: its place among the tiles, the pixels that it owns, and those that it is made of.

    Attributes
    ----------
    place : (int, int)
        Row and column of the tile in the layout.
    core, window : (slice, slice)
        Rows and columns of the frame.
    """

    place: tuple[int, int]
    core: Region
    window: Region

    def owns(self, row: int, column: int) -> bool:
        """Tell whether a pixel lies in its core."""
        return all(side.start <= at < side.stop for side, at in zip(self.core, (row, column), strict=True))

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.place[0]:04d}-{self.place[1]:04d}"


class Layout:
    """Tiles of a frame.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the frame.

    Examples
    --------
    >>> layout = Layout((4096, 1024))
    >>> layout.counts, [tile.core[0] for tile in layout]
    ((3, 1), [slice(0, 1536, None), slice(1536, 3072, None), slice(3072, 4096, None)])
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._sizes = SIZES
        self._cores = tuple(_cores(side, self._sizes) for side in shape)
        self.counts = len(self._cores[0]), len(self._cores[1])

    @staticmethod
    def needed(shape: tuple[int, int]) -> bool:
        """Tell whether a frame is so large that it is reconstructed in tiles."""
        return max(shape) > SIZES.whole

    def described(self) -> dict[str, int]:
        """Largest side of a core and margin in pixels, and number of tiles, for the record."""
        return {"side": _CHUNKS_A_CORE * self.chunk, "margin": self._sizes.margin, "number": len(self)}

    @property
    def chunk(self) -> int:
        """Side of a chunk of the output, in pixels."""
        return self._sizes.chunk

    @property
    def halo(self) -> int:
        """Pixels around a core that follow from the tile and its neighbours."""
        return self._sizes.margin - self._sizes.taper

    def __len__(self) -> int:
        return self.counts[0] * self.counts[1]

    def __iter__(self) -> Iterator[Tile]:
        for row in range(self.counts[0]):
            for column in range(self.counts[1]):
                yield self.tile(row, column)

    def tile(self, row: int, column: int) -> Tile:
        """The tile at a place."""
        core = self._cores[0][row], self._cores[1][column]
        return Tile((row, column), core, self.around(core, self._sizes.margin))

    def around(self, core: Region, reach: int) -> Region:
        """Pixels up to `reach` beyond a region, as far as the frame goes."""
        rows, columns = (
            slice(max(0, side.start - reach), min(size, side.stop + reach))
            for side, size in zip(core, self.shape, strict=True)
        )
        return rows, columns

    def neighbours(self, tile: Tile) -> Iterator[Tile]:
        """A tile and those that touch it."""
        for row in range(max(0, tile.place[0] - 1), min(self.counts[0], tile.place[0] + 2)):
            for column in range(max(0, tile.place[1] - 1), min(self.counts[1], tile.place[1] + 2)):
                yield self.tile(row, column)

    def weights(self, tile: Tile, region: Region) -> tuple[Floats, Floats]:
        """Share that a tile has in the rows and columns of a region; those of all tiles add up to 1."""
        rows, columns = (
            self._rise(part, core.start, core.start > 0) - self._rise(part, core.stop, core.stop < size)
            for part, core, size in zip(region, tile.core, self.shape, strict=True)
        )
        return rows, columns

    def _rise(self, part: slice, edge: int, shared: bool) -> Floats:
        """From 0 to 1 across an edge that tiles share; 1 everywhere at a first edge that none does, 0 at a last one."""
        if not shared:
            return np.full(part.stop - part.start, float(edge == 0))
        pixels, taper = np.arange(part.start, part.stop) + 0.5, self._sizes.taper
        return np.clip((pixels - edge + taper) / (2 * taper), 0.0, 1.0)


def within(part: Region, whole: Region) -> Region:
    """A part's place in a region."""
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, whole, strict=True))
    return rows, columns


def _cores(side: int, sizes: Sizes) -> list[slice]:
    """Cores along an axis: whole chunks, as even as they can be."""
    chunks = -(-side // sizes.chunk)
    tiles = 1 if side <= sizes.whole else -(-chunks // _CHUNKS_A_CORE)
    edges = [-(-chunks * number // tiles) * sizes.chunk for number in range(tiles)] + [side]
    return [slice(*pair) for pair in pairwise(edges)]
