"""Strips: bands of rows that ways go through one after the other, so that no more than one has to be known at a time.

A strip is cut into all but square cells. Even strips are walked through from left to right and odd ones back, each cell
along its Hilbert curve: in even strips from the upper left corner to the upper right one, in odd strips from the lower
right to the lower left, and where the way turns, at the end of an even strip and at the beginning of an odd one, from
the upper left to the lower left. So the curve comes from every cell, and strip, into the next without a jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np

from stemscan.path.hilbert_curve import curve_pixels
from stemscan.path.pixels import Pixels, sorted_by
from stemscan.runtime.compiled import compiled
from stemscan.types import Integers, Points

__all__ = ["StripCurve", "Strips", "point_at"]

_SAMPLES_ACROSS = 8
"""Height of a strip in mean distances of samples: less costs longer ways, more costs memory."""

_STEPS_A_SAMPLE = 8
"""Steps of the curve in a mean distance of samples, where that is more than so many pixels."""

_MOST_PIXELS = 1 << 21
"""Of a strip of which all pixels are listed, if that is more than a row of tiles."""

_THREE_BY_TWO = np.array([[0, 2, 5], [1, 3, 4]], np.uint32)
"""Places in the end of a curve of two rows and an odd number of columns, so that it ends in the corner."""

_Cell = tuple[Pixels, Points]


class StripCurve(NamedTuple):
    """The curve of a strip, for compiled code.

    Attributes
    ----------
    rows : tuple of int
        First row of the strip, and of the next.
    columns : array of int64, (cells + 1,)
        As of `Strips`.
    starts : array of int64, (cells + 1,)
        Places on the curve at which its cells begin, in the order of the way, and their number.
    odd : bool
        True if the way goes from right to left.
    scale : int
        As of `Strips`.
    turn, narrow, wide : array of int32, (n, 2)
        Curves of the cell in which the way turns, and of others of the least and the greatest width.
    """

    rows: tuple[int, int]
    columns: Integers
    starts: Integers
    odd: bool
    scale: int
    turn: Points
    narrow: Points
    wide: Points


@dataclass(frozen=True, eq=False)
class Strips:
    """Cut of a grid into strips, and of these into cells.

    Parameters
    ----------
    rows : array of int64, (strips + 1,)
        First row of each strip, and the end of the last.
    columns : array of int64, (cells + 1,)
        First column of each cell of a strip, and the end of the last.
    scale : int
        Pixels of a step of the curve: it goes through squares of so many rows and columns.
    """

    rows: Integers
    columns: Integers
    scale: int

    @classmethod
    def of(cls, shape: tuple[int, int], tile_rows: int, density: float, *, fine: bool = False) -> Self:
        """Cut a grid for a pattern.

        Parameters
        ----------
        shape : tuple of int
            Rows and columns of the grid.
        tile_rows : int
            Strips begin at multiples of it.
        density : float
            Samples per pixel, above 0.
        fine : bool
            Let the curve go through single pixels however sparse the pattern is, and keep strips so low that a list of
            their pixels is never long.
        """
        distance = max(1.0, density**-0.5)
        height = max(_SAMPLES_ACROSS * distance, tile_rows)
        if fine:
            height = max(min(height, _MOST_PIXELS // shape[1]), tile_rows)
        bands = -(-shape[0] // tile_rows)
        strips, cells = max(1, round(shape[0] / height)), max(1, round(shape[1] / height))
        starts = np.arange(strips + 1, dtype=np.int64) * bands // strips * tile_rows
        columns = np.arange(cells + 1, dtype=np.int64) * shape[1] // cells
        return cls(np.minimum(starts, shape[0]), columns, 1 if fine else max(1, int(distance / _STEPS_A_SAMPLE)))

    def __len__(self) -> int:
        """Number of strips."""
        return len(self.rows) - 1

    def along(self, pixels: Pixels, strip: int) -> Pixels:
        """Bring pixels of a strip into the order of its curve.

        Parameters
        ----------
        pixels : array of uint32, (n,)
            row * columns + column, all of the strip.
        """
        pixels = pixels if self.scale == 1 else np.sort(pixels)
        return sorted_by(_places(pixels, self.curve(strip), *(places for places, _ in self._cells(strip))), pixels)

    def curve(self, strip: int) -> StripCurve:
        """The curve of a strip."""
        turn, narrow, wide = (curve for _, curve in self._cells(strip))
        odd = strip % 2 == 1
        rows = int(self.rows[strip]), int(self.rows[strip + 1])
        squares = self._steps(rows[1] - rows[0]) * -(-np.diff(self.columns) // self.scale)
        starts = np.append(np.zeros(1, np.int64), np.cumsum(squares[::-1] if odd else squares))
        return StripCurve(rows, self.columns, starts, odd, self.scale, turn, narrow, wide)

    def _cells(self, strip: int) -> tuple[_Cell, _Cell, _Cell]:
        """The cell in which the way turns, and others of the least and the greatest width."""
        height, widths = self._steps(int(self.rows[strip + 1] - self.rows[strip])), np.diff(self.columns)
        narrow, wide = (_cell(height, self._steps(int(width)), down=False) for width in (widths.min(), widths.max()))
        return _cell(height, self._steps(int(widths[-1])), down=True), narrow, wide

    def _steps(self, pixels: int) -> int:
        """Steps of the curve over so many pixels."""
        return -(-pixels // self.scale)


@lru_cache(maxsize=16)
def _cell(height: int, width: int, *, down: bool) -> _Cell:
    """Places of the squares of a cell on its curve, (height, width) uint32, and the curve, (n, 2) int32."""
    pixels = np.empty(height * width, np.uint32)
    curve_pixels((height, width), down, 0, pixels)
    places = np.empty((height, width), np.uint32)
    places.reshape(-1)[pixels] = np.arange(height * width)
    across = places.T if down else places
    if across.shape[0] == 2 and across.shape[1] > 2 and across.shape[1] % 2:  # it would end beside the corner
        across[:, -3:] = _THREE_BY_TWO + np.uint32(height * width - 6)
    curve = np.empty((height * width, 2), np.int32)
    curve[places.reshape(-1)] = np.indices((height, width), np.int32).reshape(2, -1).T
    return places, curve


@compiled(inline=True)
def point_at(curve: StripCurve, place: Any, inner: Any) -> tuple[Any, Any]:
    """Row and column of a pixel in the square at a place on the curve; `inner`, 0 to 2**32 - 1, tells which."""
    cells, height = len(curve.columns) - 1, curve.rows[1] - curve.rows[0]
    step: Any = min(np.int64(place * (cells / curve.starts[-1])), cells - 1)
    while place < curve.starts[step]:
        step -= 1
    while place >= curve.starts[step + 1]:
        step += 1
    cell = cells - 1 - step if curve.odd else step
    squares = curve.starts[step + 1] - curve.starts[step]
    turns = cell == cells - 1
    table = curve.turn if turns else curve.narrow if len(curve.narrow) == squares else curve.wide
    row: Any = np.int64(table[place - curve.starts[step], 0])
    column: Any = np.int64(table[place - curve.starts[step], 1])
    across: Any = curve.columns[cell + 1] - curve.columns[cell]
    if curve.scale > 1:
        within = np.int64((np.uint64(inner) * np.uint64(curve.scale * curve.scale)) >> np.uint64(32))
        row, column = row * curve.scale, column * curve.scale
        row += within // curve.scale % min(curve.scale, height - row)
        column += within % curve.scale % min(curve.scale, across - column)
    if curve.odd and not turns:
        row, column = height - 1 - row, across - 1 - column
    return curve.rows[0] + row, curve.columns[cell] + column


@compiled()
def _places(pixels: Pixels, curve: StripCurve, turn: Any, narrow: Any, wide: Any) -> Integers:
    """Places of pixels on the curve of a strip; the tables are those of single cells."""
    cells, width, height = len(curve.columns) - 1, curve.columns[-1], curve.rows[1] - curve.rows[0]
    out = np.empty(len(pixels), np.int64)
    for i in range(len(pixels)):
        row: Any = np.int64(pixels[i]) // width - curve.rows[0]
        column: Any = np.int64(pixels[i]) % width
        cell = min(column * cells // width, cells - 1)
        while column < curve.columns[cell]:
            cell -= 1
        while column >= curve.columns[cell + 1]:
            cell += 1
        column -= curve.columns[cell]
        across = curve.columns[cell + 1] - curve.columns[cell]
        table = narrow if (across + curve.scale - 1) // curve.scale == narrow.shape[1] else wide
        if cell == cells - 1:
            table = turn
        elif curve.odd:
            row, column = height - 1 - row, across - 1 - column
        before = curve.starts[cells - 1 - cell if curve.odd else cell]
        out[i] = before + table[row // curve.scale, column // curve.scale]
    return out
