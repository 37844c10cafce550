"""Orders that go by lines, band by band: raster, serpentine and serpentine-blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.path.parts import Parts
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source
from stemscan.runtime.compiled import compiled

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["LINES", "by_lines", "in_lines"]

_RASTER, _SERPENTINE, _BLOCKS = 0, 1, 2
LINES: Final[dict[str, int]] = {"raster": _RASTER, "serpentine": _SERPENTINE, "serpentine-blocks": _BLOCKS}
"""Numbers by which compiled code knows the orders."""

_DIGIT_BITS = 11


def by_lines(plan: ScanPlan, source: Source) -> Parts:
    """Strips of a source in an order of lines."""
    code, shape, tile = LINES[plan.order.kind], plan.shape, plan.pattern.tile
    return Parts(source.starts, lambda number, strip: in_lines(source.pixels(number, strip), shape, tile, code))


@compiled(inline=True)
def _number_of(pixel: Any, shape: tuple[int, int], tile: tuple[int, int], order: int) -> Any:
    """The number by which a pixel stands in an order of `LINES`."""
    row: Any = np.int64(pixel) // shape[1]
    column: Any = np.int64(pixel) % shape[1]
    if order == _RASTER or (order == _SERPENTINE and row % 2 == 0):
        return np.int64(pixel)
    if order == _SERPENTINE:
        return row * shape[1] + shape[1] - 1 - column
    tiles = (shape[1] + tile[1] - 1) // tile[1]
    band, index = row // tile[0], column // tile[1]
    along = band % 2 == 0
    number = index if along else tiles - 1 - index
    rows: Any = min(tile[0], shape[0] - band * tile[0])
    step = row % tile[0] if number % 2 == 0 else rows - 1 - row % tile[0]
    columns: Any = min(tile[1], shape[1] - index * tile[1])
    place = column % tile[1] if along == (step % 2 == 0) else columns - 1 - column % tile[1]
    return ((band * tiles + number) * tile[0] + step) * tile[1] + place


@compiled()
def in_lines(pixels: Pixels, shape: tuple[int, int], tile: tuple[int, int], order: int) -> Pixels:
    """Bring pixels into an order of `LINES`; sorted digit by digit, for their numbers are close together."""
    numbers, least, most = np.empty(len(pixels), np.int64), np.int64(2**62), np.int64(0)
    ascending = True
    for i in range(len(pixels)):
        numbers[i] = _number_of(pixels[i], shape, tile, order)
        ascending = ascending and (i == 0 or numbers[i - 1] <= numbers[i])
        least, most = min(least, numbers[i]), max(most, numbers[i])
    if ascending:
        return pixels
    sorted_numbers, sorted_pixels, pixels = np.empty_like(numbers), np.empty_like(pixels), pixels.copy()
    shift = 0
    while (most - least) >> shift > 0:
        starts = np.zeros((1 << _DIGIT_BITS) + 1, np.int64)
        for number in numbers:
            starts[((number - least) >> shift) % (1 << _DIGIT_BITS) + 1] += 1
        starts = np.cumsum(starts)
        for i in range(len(numbers)):
            digit = ((numbers[i] - least) >> shift) % (1 << _DIGIT_BITS)
            sorted_numbers[starts[digit]], sorted_pixels[starts[digit]] = numbers[i], pixels[i]
            starts[digit] += 1
        numbers, sorted_numbers, pixels, sorted_pixels = sorted_numbers, numbers, sorted_pixels, pixels
        shift += _DIGIT_BITS
    return pixels
