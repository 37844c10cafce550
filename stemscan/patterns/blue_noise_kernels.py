"""Compiled: blue noise by best candidates in stretches of the Hilbert curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled
from stemscan.random import Stream, bounded, random_words

__all__ = ["blue_noise"]

_BLUE = Stream.BLUE_NOISE
_CANDIDATES = 8
_SWEEPS = 2


@compiled()
def _room(row: Any, column: Any, enough: Any, side: Any, width: Any, heads: Any, following: Any, chosen: Any) -> Any:
    """Squared distance to the nearest chosen pixel, at most (2 side)**2: what lies in the bins around is looked at.

    What is not above `enough` need not be exact.
    """
    nearest = 4 * side * side
    for bin_row in range(max(0, row // side - 2), min(heads.shape[0], row // side + 3)):
        for bin_column in range(max(0, column // side - 2), min(heads.shape[1], column // side + 3)):
            other = heads[bin_row, bin_column]
            while other >= 0:
                pixel = np.int64(chosen[other])
                down, across = pixel // width - row, pixel % width - column
                nearest = min(nearest, down * down + across * across)
                other = following[other]
            if nearest <= enough:
                return nearest
    return nearest


@compiled()
def _take_out(number: Any, bin_row: Any, bin_column: Any, heads: Any, following: Any) -> None:
    """Remove a sample from its bin."""
    other = heads[bin_row, bin_column]
    if other == number:
        heads[bin_row, bin_column] = following[number]
        return
    while following[other] != number:
        other = following[other]
    following[other] = following[number]


@compiled()
def blue_noise(
    curve: npt.NDArray[np.uint32], shape: tuple[int, int], samples: int, seed: Any, number: int
) -> npt.NDArray[np.uint32]:
    """Pixels, row * columns + column, of a pass along the curve: (samples,) uint32, none twice.

    Parameters
    ----------
    curve : array of uint32
        The pixels that may be visited, in the order of the Hilbert curve.
    shape : tuple of int
    samples : int
        1 to len(curve).
    seed : uint64
    number : int
        Of the pass.
    """
    area, width = len(curve), shape[1]
    side = 1
    while side * side * samples < area:
        side += 1
    heads = np.full((shape[0] // side + 1, width // side + 1), -1, np.int64)
    following = np.full(samples, -1, np.int64)
    chosen = np.empty(samples, np.uint32)
    base = np.uint64(number) << np.uint64(32)
    begin = bounded(random_words(seed, _BLUE, base, 255)[0], area)
    words = np.empty(_CANDIDATES, np.uint32)
    for sweep in range(_SWEEPS):
        for k in range(samples):
            low = np.int64(k) * area // samples
            size: Any = (np.int64(k) + 1) * area // samples - low
            for half in range(_CANDIDATES // 4):
                quad = random_words(seed, _BLUE, base + np.uint64(k), sweep * (_CANDIDATES // 4) + half)
                words[4 * half], words[4 * half + 1], words[4 * half + 2], words[4 * half + 3] = quad
            best, best_room = np.uint32(0), np.int64(-1)
            if sweep:
                best = chosen[k]
                row, column = np.int64(best) // width, np.int64(best) % width
                _take_out(k, row // side, column // side, heads, following)
                best_room = _room(row, column, 0, side, width, heads, following, chosen)
            for c in range(min(_CANDIDATES, size)):
                offset = c if size <= _CANDIDATES else bounded(words[c], size)
                candidate = curve[(begin + low + offset) % area]
                row, column = np.int64(candidate) // width, np.int64(candidate) % width
                room = _room(row, column, best_room, side, width, heads, following, chosen)
                if room > best_room:
                    best, best_room = candidate, room
            chosen[k] = best
            row, column = np.int64(best) // width // side, np.int64(best) % width // side
            following[k] = heads[row, column]
            heads[row, column] = k
    return chosen
