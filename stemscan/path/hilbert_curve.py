"""Compiled: a Hilbert curve that fills a grid of any shape: the pixel of any place on it, and the places of all pixels.

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

__all__ = ["curve_pixels", "curve_places"]


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
def _pixel_at(place: int, rows: int, columns: int) -> tuple[int, int]:
    """Row and column of a place on the curve."""
    row, column = 0, 0
    # A rectangle lies at (row, column); the curve leads from there along a, with b across. One part of each is zero.
    along_row, along_column, across_row, across_column = 0, columns, rows, 0
    if rows > columns:
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
def curve_pixels(shape: tuple[int, int], start: int, out: npt.NDArray[np.int32]) -> None:
    """Fill `out`, (n, 2) int32, with (row, column) of places start, start + 1, ... on the curve of a grid."""
    for i in range(len(out)):
        out[i, 0], out[i, 1] = _pixel_at(start + i, shape[0], shape[1])


@compiled(inline=True)
def _push(stack: Any, top: Any, row: Any, column: Any, along: Any, across: Any) -> Any:
    """Put a rectangle on the stack, if it has pixels; return where the next one goes."""
    if (along[0] or along[1]) and (across[0] or across[1]):
        stack[top, 0], stack[top, 1] = row, column
        stack[top, 2], stack[top, 3] = along
        stack[top, 4], stack[top, 5] = across
        top += 1
    return top


@compiled()
def curve_places(shape: tuple[int, int], down: bool) -> npt.NDArray[np.uint32]:
    """Places of all pixels on a curve from the first corner to the end of the first row, or column: (H, W) uint32.

    Rectangles are cut as `_pixel_at` does.

    Parameters
    ----------
    shape : tuple of int
    down : bool
        Whether the curve ends in the first column's last row, not in the first row's last column.
    """
    places = np.empty(shape, np.uint32)
    stack = np.empty((256, 6), np.int64)
    if down:
        top = _push(stack, 0, 0, 0, (shape[0], 0), (0, shape[1]))
    else:
        top = _push(stack, 0, 0, 0, (0, shape[1]), (shape[0], 0))
    at = 0
    while top:
        top -= 1
        row, column, along_row, along_column, across_row, across_column = stack[top]
        width, height = abs(along_row + along_column), abs(across_row + across_column)
        if height == 1 or width == 1:
            one = height == 1
            row_step = _sign(along_row if one else across_row)
            column_step = _sign(along_column if one else across_column)
            for i in range(max(width, height)):
                places[row + i * row_step, column + i * column_step] = np.uint32(at + i)
            at += max(width, height)
            continue
        along, across = (along_row, along_column), (across_row, across_column)
        if 2 * width > 3 * height:
            half = _half(along_row, width), _half(along_column, width)
            rest = along_row - half[0], along_column - half[1]
            top = _push(stack, top, row + half[0], column + half[1], rest, across)
            top = _push(stack, top, row, column, half, across)
            continue
        half = _half(across_row, height), _half(across_column, height)
        first = abs(along_row) // 2 * _sign(along_row), abs(along_column) // 2 * _sign(along_column)
        last_row = row + along_row - _sign(along_row) + half[0] - _sign(half[0])
        last_column = column + along_column - _sign(along_column) + half[1] - _sign(half[1])
        back = first[0] - along_row, first[1] - along_column
        top = _push(stack, top, last_row, last_column, (-half[0], -half[1]), back)
        rest = across_row - half[0], across_column - half[1]
        top = _push(stack, top, row + half[0], column + half[1], along, rest)
        top = _push(stack, top, row, column, half, first)
    return places
