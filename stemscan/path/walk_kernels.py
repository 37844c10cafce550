"""Compiled: the random walk."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.path.traversal import Positions
from stemscan.random import Stream, bounded, random_words
from stemscan.runtime.compiled import compiled

__all__ = ["STEPS_OF_A_WORD", "first_pixel", "walk"]

_WALK = Stream.WALK
STEPS_OF_A_WORD = 8
"""Steps that one random word decides: a walk can be taken up at a multiple of it."""

_EIGHT = 8
_ROWS = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
_COLUMNS = np.array([0, 1, 1, 1, 0, -1, -1, -1])


@compiled()
def first_pixel(pixels: int, seed: Any, number: int) -> Any:
    """Which of so many pixels the walk of a pass begins with."""
    w0, _, _, _ = random_words(seed, _WALK, np.uint64(number) << np.uint64(32), 1)
    return bounded(w0, pixels)


@compiled()
def walk(
    point: npt.NDArray[np.int64],
    start: int,
    shape: tuple[int, int],
    allowed: npt.NDArray[np.bool_],
    step: int,
    seed: Any,
    number: int,
    out: Positions,
) -> None:
    """Fill `out` with samples start, start + 1, ... of the walk of a pass.

    Parameters
    ----------
    point : array of int64, (2,)
        Row and column of sample `start`; gets those of the sample after the last.
    start : int
        A multiple of `STEPS_OF_A_WORD`.
    shape : tuple of int
    allowed : array of bool, (H, W) or (0, 0)
        Where the walk may go; empty for everywhere.
    step : int
        Pixels of a step.
    seed : uint64
    number : int
        Of the pass.
    out : array of int32, (n, 2)
        Gets (row, column).
    """
    everywhere = allowed.size == 0
    index = np.uint64(number) << np.uint64(32)
    row, column = point
    word = np.uint32(0)
    for i in range(len(out)):
        out[i, 0], out[i, 1] = row, column
        if i % STEPS_OF_A_WORD == 0:  # three of a word's bits choose a direction
            word, _, _, _ = random_words(seed, _WALK, index + np.uint64((start + i) // STEPS_OF_A_WORD), 0)
        first = np.int64(word & np.uint32(7))
        word = np.uint32(word >> np.uint32(3))
        for turn in range(_EIGHT):
            direction = (first + 3 * turn) % _EIGHT
            to_row, to_column = row + step * _ROWS[direction], column + step * _COLUMNS[direction]
            if 0 <= to_row < shape[0] and 0 <= to_column < shape[1] and (everywhere or allowed[to_row, to_column]):
                row, column = to_row, to_column
                break
    point[0], point[1] = row, column
