"""Orders that go by lines, band by band: raster, serpentine and serpentine-blocks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stemscan.path.parts import Parts
from stemscan.path.pixels import Pixels, sorted_by
from stemscan.path.sources.base import Source
from stemscan.runtime.compiled import compiled

__all__ = ["LINES", "by_lines", "in_lines"]

_RASTER, _SERPENTINE, _BLOCKS = 0, 1, 2
LINES: Final[dict[str, int]] = {"raster": _RASTER, "serpentine": _SERPENTINE, "serpentine-blocks": _BLOCKS}
"""Numbers by which compiled code knows the orders."""


def by_lines(source: Source) -> Parts:
    """Strips of a source in an order of lines."""
    plan = source.plan
    how = plan.shape, plan.pattern.tile, LINES[plan.order.kind]
    return Parts(source.starts, lambda number, strip: in_lines(source.pixels(number, strip), *how))


@compiled()
def in_lines(pixels: Pixels, shape: tuple[int, int], tile: tuple[int, int], order: int) -> Pixels:
    """Bring pixels into an order of `LINES`."""
    numbers = np.empty(len(pixels), np.int64)
    tiles = (shape[1] + tile[1] - 1) // tile[1]
    for i in range(len(pixels)):
        row: Any = np.int64(pixels[i]) // shape[1]
        column: Any = np.int64(pixels[i]) % shape[1]
        if order == _RASTER or (order == _SERPENTINE and row % 2 == 0):
            numbers[i] = pixels[i]
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
    return sorted_by(numbers, pixels)
