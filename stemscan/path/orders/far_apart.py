"""Compiled: an order that visits successive samples far apart and neighbours at different times.

The grid is divided into T tiles, numbered row by row. Rounds go over all of them, one sample from each, always in the
same order: at time t comes the tile number (step t) mod T. So the times of tiles at a fixed distance differ by a fixed
amount, whatever the tiles, and `step` is chosen, by trying, so that this amount is large where the distance is small. A
tile with fewer samples than there are rounds rests in some of them, evenly spread.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from stemscan.path.pixels import Pixels
from stemscan.runtime.compiled import compiled

__all__ = ["far_apart", "rounds_of", "step_between"]

_SAMPLES_OF_TILE = 8
_REACH = 12
_TRIES = 4000
_GOLDEN = 0.6180339887498949


@compiled()
def _quality(multiplier: Any, tiles: tuple[int, int], sides: tuple[int, int], reach: Any, enough: float) -> float:
    """Smallest product of squared distance and difference in time over pairs of tiles; not exact below `enough`."""
    count = np.uint64(tiles[0] * tiles[1])
    worst = np.inf
    for down in range(min(tiles[0] - 1, reach[0]) + 1):
        for across in range(-min(tiles[1] - 1, reach[1]), min(tiles[1] - 1, reach[1]) + 1):
            if down == 0 and across <= 0:
                continue
            time = (multiplier * np.uint64(down * tiles[1] + across)) % count
            time = min(time, count - time)
            square = np.float64(down * sides[0]) ** 2 + np.float64(across * sides[1]) ** 2
            worst = min(worst, square * np.float64(time))
        if worst <= enough:
            break
    return worst


@compiled()
def _multiplier(tiles: tuple[int, int], sides: tuple[int, int]) -> np.int64:
    """The multiplier, without common divisor with the number T of tiles, of the best times (multiplier n) mod T."""
    count = np.int64(tiles[0] * tiles[1])
    mean = np.sqrt(np.float64(sides[0] * sides[1]))
    reach = int(np.ceil(_REACH * mean / sides[0])), int(np.ceil(_REACH * mean / sides[1]))
    best, best_quality = np.int64(1), -1.0
    for try_number in range(min(_TRIES, int(count))):
        multiplier = 1 + np.int64(np.floor(count * (_GOLDEN * (try_number + 1) % 1.0)))
        if multiplier >= count or math.gcd(count, multiplier) != 1:
            continue
        quality = _quality(np.uint64(multiplier), tiles, sides, reach, best_quality)
        if quality > best_quality:
            best, best_quality = multiplier, quality
    return best


@lru_cache(maxsize=64)
def step_between(tiles: tuple[int, int], sides: tuple[int, int]) -> tuple[int, int]:
    """Sequence in which the tiles of a grid are visited.

    Parameters
    ----------
    tiles : tuple of int
        Rows and columns of tiles, T in all.
    sides : tuple of int
        Rows and columns of pixels of a tile.

    Returns
    -------
    step, multiplier : int
        Time t is that of tile (step t) mod T; tile n is visited at time (multiplier n) mod T.
    """
    multiplier = int(_multiplier(tiles, sides))
    return pow(multiplier, -1, tiles[0] * tiles[1]), multiplier


@compiled(inline=True)
def rounds_of(index: Any, count: Any, rounds: Any) -> Any:
    """The round in which a tile with `count` of `rounds` samples gives its sample number `index`."""
    return (2 * index + 1) * rounds // (2 * count)


def far_apart(pixels: Pixels, shape: tuple[int, int], area: int | None = None) -> Pixels:
    """The same pixels in an order of rounds over tiles of some eight samples: (n,) uint32 row * columns + column.

    Parameters
    ----------
    pixels : array of uint32
        Row by row.
    shape : tuple of int
        Rows and columns of the grid.
    area : int, optional
        Pixels of the region to which they keep; only its surroundings are divided into tiles.
    """
    origin, extent = (0, 0), shape
    if area is not None:
        columns = pixels % np.uint32(shape[1])
        origin = int(pixels[0]) // shape[1], int(columns.min())
        extent = int(pixels[-1]) // shape[1] + 1 - origin[0], int(columns.max()) + 1 - origin[1]
    side, all_pixels = 1, extent[0] * extent[1]
    enough = max(_SAMPLES_OF_TILE * (all_pixels if area is None else min(area, all_pixels)), all_pixels)
    while side * side * len(pixels) < enough:  # not more tiles than samples, however the region is scattered
        side += 1
    tiles = -(-extent[0] // side), -(-extent[1] // side)
    return _by_rounds(pixels, origin, shape[1], side, tiles, np.uint64(step_between(tiles, (side, side))[1]))


@compiled()
def _by_rounds(
    pixels: Pixels, origin: tuple[int, int], width: int, side: int, tiles: tuple[int, int], multiplier: Any
) -> Pixels:
    """One sample of each tile a round; tiles with fewer samples than rounds rest evenly.

    Parameters
    ----------
    origin : tuple of int
        Row and column at which the first tile begins.
    width : int
        Columns of the grid.
    side : int
        Of a tile in pixels.
    tiles : tuple of int
        Rows and columns of tiles.
    multiplier : uint64
        See `step_between`.
    """
    times, starts = np.empty(len(pixels), np.uint32), np.zeros(tiles[0] * tiles[1] + 1, np.int64)
    for i in range(len(pixels)):
        row = (np.int64(pixels[i]) // width - origin[0]) // side
        column = (np.int64(pixels[i]) % width - origin[1]) // side
        times[i] = (multiplier * np.uint64(row * tiles[1] + column)) % np.uint64(tiles[0] * tiles[1])
        starts[times[i] + 1] += 1
    rounds = starts.max()
    starts = np.cumsum(starts)
    by_tile, filled = np.empty_like(pixels), starts.copy()
    for i in range(len(pixels)):
        by_tile[filled[times[i]]] = pixels[i]
        filled[times[i]] += 1
    begins = np.zeros(rounds + 1, np.int64)
    for samples in np.diff(starts):
        for k in range(samples):
            begins[rounds_of(k, samples, rounds) + 1] += 1
    begins = np.cumsum(begins)
    out = np.empty_like(pixels)
    for time in range(len(starts) - 1):
        count: Any = starts[time + 1] - starts[time]
        stride: Any = np.int64(np.floor(count * _GOLDEN + 0.5))  # near the golden section, without common divisor
        while stride > 1 and math.gcd(count, stride) != 1:
            stride -= 1
        for k in range(count):
            turn = rounds_of(k, count, rounds)
            out[begins[turn]] = by_tile[starts[time] + k * max(stride, 1) % count]
            begins[turn] += 1
    return out
