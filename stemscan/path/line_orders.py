"""Compiled: the orders of `stemscan.path.traversal` for pixels that are there in no particular order.

Each pixel gets a number that tells its place; sorted by it, pixels stand in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.path.traversal import ORDER_CODES
from stemscan.runtime.compiled import compiled

__all__ = ["line_numbers"]

_RASTER, _SERPENTINE = ORDER_CODES["raster"], ORDER_CODES["serpentine"]


@compiled()
def line_numbers(
    pixels: npt.NDArray[np.uint32], shape: tuple[int, int], tile: tuple[int, int], order: int
) -> npt.NDArray[np.int64]:
    """Numbers, (n,) int64, by which pixels (row * columns + column) stand in an order of `ORDER_CODES`."""
    numbers = np.empty(len(pixels), np.int64)
    tiles = (shape[1] + tile[1] - 1) // tile[1]
    for i in range(len(pixels)):
        row: Any = np.int64(pixels[i]) // shape[1]
        column: Any = np.int64(pixels[i]) % shape[1]
        if order == _RASTER or (order == _SERPENTINE and row % 2 == 0):
            numbers[i] = row * shape[1] + column
            continue
        if order == _SERPENTINE:
            numbers[i] = row * shape[1] + shape[1] - 1 - column
            continue
        band, index = row // tile[0], column // tile[1]
        along = band % 2 == 0
        number = index if along else tiles - 1 - index
        rows: Any = min(tile[0], shape[0] - band * tile[0])
        step = row % tile[0] if number % 2 == 0 else rows - 1 - row % tile[0]
        columns: Any = min(tile[1], shape[1] - index * tile[1])
        place = column % tile[1] if along == (step % 2 == 0) else columns - 1 - column % tile[1]
        numbers[i] = ((band * tiles + number) * tile[0] + step) * tile[1] + place
    return numbers
