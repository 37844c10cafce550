"""Compiled: in what order the visited pixels of one band of rows are walked through.

Every order but the random one goes over the grid band by band. A band's visited pixels are marked in a mask, and the
walk writes them out in order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["ORDER_CODES", "walk_band"]

_RASTER: Final = 0
_SERPENTINE: Final = 1
_BLOCKS: Final = 2

ORDER_CODES: dict[str, int] = {"raster": _RASTER, "serpentine": _SERPENTINE, "serpentine-blocks": _BLOCKS}
"""Numbers by which compiled code knows the orders."""

Positions = npt.NDArray[np.int32]


@compiled(inline=True)
def _walk_row(
    mask: Any, row: int, first: int, last: int, forward: bool, row0: int, skip: int, out: Positions, at: int
) -> tuple[int, int]:
    """Write the marked pixels of columns first .. last - 1 of a row; return what is left to skip and where to go on."""
    for step in range(last - first):
        column = first + step if forward else last - 1 - step
        if mask[row, column]:
            if skip > 0:
                skip -= 1
            elif at < len(out):
                out[at, 0] = row0 + row
                out[at, 1] = column
                at += 1
    return skip, at


@compiled()
def walk_band(
    mask: npt.NDArray[np.uint8],
    rows: int,
    row0: int,
    order: int,
    tile: tuple[int, int],
    skip: int,
    out: Positions,
    at: int,
) -> int:
    """Write the marked pixels of a band in order, from number `skip` on, until `out` is full.

    Parameters
    ----------
    mask : array of uint8, (rows or more, columns)
        Not zero where visited.
    rows, row0 : int
        Rows of the band and the grid row of its first.
    order : int
        A value of `ORDER_CODES`.
    tile : tuple of int
        Rows and columns of a tile; a band is one row of tiles.
    skip : int
        Samples of the band to leave out at its start.
    out : array of int32, (n, 2)
        Gets (row, column).
    at : int
        Where in `out` to begin.

    Returns
    -------
    int
        Where in `out` the next band begins.
    """
    columns = mask.shape[1]
    if order != _BLOCKS:
        for row in range(rows):
            forward = order == _RASTER or (row0 + row) % 2 == 0
            skip, at = _walk_row(mask, row, 0, columns, forward, row0, skip, out, at)
        return at
    tiles = (columns + tile[1] - 1) // tile[1]
    along = (row0 // tile[0]) % 2 == 0
    for number in range(tiles):
        index = number if along else tiles - 1 - number
        first = index * tile[1]
        last = min(columns, first + tile[1])
        for step in range(rows):
            row = step if number % 2 == 0 else rows - 1 - step
            skip, at = _walk_row(mask, row, first, last, along == (step % 2 == 0), row0, skip, out, at)
        if at >= len(out):
            break
    return at
