"""Compiled: a Hilbert curve that fills a grid of any shape: the pixel of any place on it.

The grid is cut along its longer side as long as it is oblong, else into three as Hilbert's square is (up half of the
first column, across, and down half of the last), until one line is left: the generalisation of Hilbert's curve to
rectangles by Cerveny (2018), here with a direct answer for any single place. Successive pixels are neighbours along a
row or column, except for one diagonal step where the longer side is odd and the shorter even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["curve_pixels"]


@compiled(inline=True)
def _sign(value: Any) -> Any:
    """-1, 0 or 1."""
    return (1 if value > 0 else 0) - (1 if value < 0 else 0)


@compiled(inline=True)
def _half(length: Any, limit: Any) -> Any:
    """Half of a signed length towards zero, made even where the length is over 2."""
    size = abs(length) // 2
    if size % 2 and limit > 2:
        size += 1
    return size * _sign(length)


@compiled()
def _pixel_at(place: int, rows: int, columns: int, down: bool) -> tuple[int, int]:
    """Row and column of a place on the curve."""
    row, column = 0, 0
    # A rectangle lies at (row, column); the curve leads from there along a, with b across. One part of each is zero.
    along_row, along_column, across_row, across_column = 0, columns, rows, 0
    if down:
        along_row, along_column, across_row, across_column = rows, 0, 0, columns
    while True:
        width, height = abs(along_row + along_column), abs(across_row + across_column)
        if height == 1:
            return row + place * _sign(along_row), column + place * _sign(along_column)
        if width == 1:
            return row + place * _sign(across_row), column + place * _sign(across_column)
        if 2 * width > 3 * height:
            half_row, half_column = _half(along_row, width), _half(along_column, width)
            size = abs(half_row + half_column) * height
            if place < size:
                along_row, along_column = half_row, half_column
            else:
                place -= size
                row, column = row + half_row, column + half_column
                along_row, along_column = along_row - half_row, along_column - half_column
            continue
        half_row, half_column = _half(across_row, height), _half(across_column, height)
        first_row = abs(along_row) // 2 * _sign(along_row)
        first_column = abs(along_column) // 2 * _sign(along_column)
        reach = abs(half_row + half_column)
        size = reach * abs(first_row + first_column)
        middle = width * (height - reach)
        if place < size:
            along_row, along_column, across_row, across_column = half_row, half_column, first_row, first_column
        elif place < size + middle:
            place -= size
            row, column = row + half_row, column + half_column
            across_row, across_column = across_row - half_row, across_column - half_column
        else:
            place -= size + middle
            row += along_row - _sign(along_row) + half_row - _sign(half_row)
            column += along_column - _sign(along_column) + half_column - _sign(half_column)
            rest_row, rest_column = first_row - along_row, first_column - along_column
            along_row, along_column, across_row, across_column = -half_row, -half_column, rest_row, rest_column


@compiled()
def curve_pixels(shape: tuple[int, int], down: bool, start: int, out: npt.NDArray[np.uint32]) -> None:
    """Fill `out` with the pixels of places start, start + 1, ... on a curve through a grid.

    Parameters
    ----------
    down : bool
        True if the curve ends in the first column's last row, not in the first row's last column.
    out : array of uint32
        Gets row * columns + column.
    """
    for i in range(len(out)):
        row, column = _pixel_at(start + i, shape[0], shape[1], down)
        out[i] = row * shape[1] + column
