"""Compiled: the random walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled
from stemscan.random import Stream, bounded, random_words

__all__ = ["walk"]

_WALK = Stream.WALK
_EIGHT = 8
_ROWS = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
_COLUMNS = np.array([0, 1, 1, 1, 0, -1, -1, -1])


@compiled()
def walk(
    shape: tuple[int, int], allowed: npt.NDArray[np.uint8], pixels: int, samples: int, step: int, seed: Any, number: int
) -> npt.NDArray[np.uint32]:
    """Pixels, row * columns + column, of the walk of a pass: (samples,) uint32.

    Parameters
    ----------
    shape : tuple of int
    allowed : array of uint8, (H, W) or (0, 0)
        Not zero where the walk may go; empty for everywhere.
    pixels : int
        How many pixels it may go to.
    samples, step : int
        Steps and their length in pixels.
    seed : uint64
    number : int
        Of the pass.
    """
    out = np.empty(samples, np.uint32)
    everywhere = allowed.size == 0
    index = np.uint64(number) << np.uint64(32)
    w0, _, _, _ = random_words(seed, _WALK, index, 1)
    left: Any = bounded(w0, pixels)
    row: Any = left // shape[1]
    column: Any = left % shape[1]
    if not everywhere:
        row = 0
        while left >= 0:  # the pixel number `left` of those allowed
            inside = np.int64(allowed[row].sum())
            if left < inside:
                break
            left -= inside
            row += 1
        column = -1
        while left >= 0:
            column += 1
            if allowed[row, column]:
                left -= 1
    word = np.uint32(0)
    for i in range(samples):
        out[i] = np.uint32(row * shape[1] + column)
        if i % _EIGHT == 0:  # three of a word's bits choose a direction
            word, _, _, _ = random_words(seed, _WALK, index + np.uint64(i // _EIGHT), 0)
        first = np.int64(word & np.uint32(7))
        word = np.uint32(word >> np.uint32(3))
        for turn in range(_EIGHT):
            direction = (first + 3 * turn) % _EIGHT
            to_row, to_column = row + step * _ROWS[direction], column + step * _COLUMNS[direction]
            if 0 <= to_row < shape[0] and 0 <= to_column < shape[1] and (everywhere or allowed[to_row, to_column]):
                row, column = to_row, to_column
                break
    return out
