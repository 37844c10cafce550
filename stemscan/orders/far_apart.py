"""Compiled: an order that visits successive samples far apart and neighbours at different times.

The grid is divided into tiles with a few samples each. Rounds go over all tiles, one sample from each, in an order of
tiles that is the same in every round: tile (i, j) has the time (a i + b j) mod p. Multiplied so, tiles that follow one
another closely lie far apart, and adjacent ones far in time; a and b are chosen for it by trying. A tile with fewer
samples than others rests in some rounds, evenly spread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled

__all__ = ["far_apart"]

_SAMPLES_OF_TILE = 8
_REACH = 12
_TRIES = 200
_GOLDEN = 0.6180339887498949


@compiled()
def _quality(a: Any, b: Any, tiles: tuple[int, int], modulus: Any) -> float:
    """Smallest product of squared distance and difference in time over pairs of tiles."""
    worst = np.inf
    for down in range(min(tiles[0], _REACH + 1)):
        for across in range(-min(tiles[1] - 1, _REACH), min(tiles[1], _REACH + 1)):
            if down == 0 and across <= 0:
                continue
            time = (a * down + b * across) % modulus
            time = min(time, modulus - time)
            worst = min(worst, np.float64(down * down + across * across) * np.float64(time))
    return worst


@compiled()
def _multipliers(tiles: tuple[int, int]) -> tuple[np.int64, np.int64, np.int64]:
    """Multipliers a and b and the modulus p of the times of tiles, the best of those tried."""
    modulus = np.int64(tiles[0] * tiles[1]) | 1
    best_a, best_b, best = np.int64(1), np.int64(1), -1.0
    for try_a in range(_TRIES):
        a = 1 + np.int64(np.floor(modulus * (_GOLDEN * (try_a + 1) % 1.0)))
        for try_b in range(_TRIES // 8):
            b = 1 + np.int64(np.floor(modulus * ((0.7548776662466927 * (try_a * 25 + try_b + 1)) % 1.0)))
            quality = _quality(a % modulus, b % modulus, tiles, modulus)
            if quality > best:
                best_a, best_b, best = a % modulus, b % modulus, quality
    return best_a, best_b, modulus


@compiled()
def _stride(count: Any) -> Any:
    """A number without common divisor with `count`, near the golden section of it."""
    stride = np.int64(np.floor(count * _GOLDEN + 0.5))
    while stride > 1:
        a, b = count, stride
        while b:
            a, b = b, a % b
        if a == 1:
            return stride
        stride -= 1
    return np.int64(1)


@compiled()
def far_apart(pixels: npt.NDArray[np.uint32], shape: tuple[int, int]) -> npt.NDArray[np.uint32]:
    """The same pixels in an order of rounds over tiles: (n,) uint32 row * columns + column.

    Parameters
    ----------
    pixels : array of uint32
        Row by row.
    shape : tuple of int
        Rows and columns of the grid.
    """
    n = len(pixels)
    side = 1
    while np.int64(side) * side * n < np.int64(shape[0]) * shape[1] * _SAMPLES_OF_TILE:
        side += 1
    tiles = ((shape[0] + side - 1) // side, (shape[1] + side - 1) // side)
    a, b, modulus = _multipliers(tiles)
    number_of_tiles = tiles[0] * tiles[1]
    times = np.empty(number_of_tiles, np.int64)
    for tile in range(number_of_tiles):
        times[tile] = (a * (tile // tiles[1]) + b * (tile % tiles[1])) % modulus
    ranks = np.empty(number_of_tiles, np.int64)
    ranks[np.argsort(times, kind="mergesort")] = np.arange(number_of_tiles)
    starts = np.zeros(number_of_tiles + 1, np.int64)
    for i in range(n):
        pixel = np.int64(pixels[i])
        starts[ranks[pixel // shape[1] // side * tiles[1] + pixel % shape[1] // side] + 1] += 1
    rounds = starts.max()
    starts = np.cumsum(starts)
    sorted_pixels = np.empty(n, np.uint32)
    filled = starts[:-1].copy()
    for i in range(n):
        pixel = np.int64(pixels[i])
        rank = ranks[pixel // shape[1] // side * tiles[1] + pixel % shape[1] // side]
        sorted_pixels[filled[rank]] = pixels[i]
        filled[rank] += 1
    out: npt.NDArray[np.uint32] = _by_rounds(sorted_pixels, starts, rounds)
    return out


@compiled()
def _by_rounds(pixels: Any, starts: Any, rounds: Any) -> Any:
    """One sample of each tile a round; tiles with fewer samples than rounds rest evenly."""
    sizes = np.zeros(rounds + 1, np.int64)
    for rank in range(len(starts) - 1):
        count = starts[rank + 1] - starts[rank]
        for k in range(count):
            sizes[(2 * k + 1) * rounds // (2 * count) + 1] += 1
    at = np.cumsum(sizes)
    out = np.empty(len(pixels), np.uint32)
    for rank in range(len(starts) - 1):
        count = starts[rank + 1] - starts[rank]
        stride = _stride(count)
        for k in range(count):
            turn = (2 * k + 1) * rounds // (2 * count)
            out[at[turn]] = pixels[starts[rank] + k * stride % count]
            at[turn] += 1
    return out
