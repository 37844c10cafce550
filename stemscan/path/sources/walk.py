"""Random walks: walked up to where they are asked for, with the place noted at which each stretch begins."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.parts import Parts
from stemscan.path.pixels import Pixels
from stemscan.random import Stream, bounded, random_words
from stemscan.runtime.compiled import compiled
from stemscan.types import Mask

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["random_walk"]

_WALK = Stream.WALK
_STEPS_OF_A_WORD = 8
"""Steps that one random word decides: a walk can be taken up at a multiple of it."""

_STRETCH: Final = 8192 * _STEPS_OF_A_WORD
"""Samples of a stretch."""

_DIRECTIONS = 8
_ROWS = np.array([-1, -1, 0, 1, 1, 1, 0, -1])
_COLUMNS = np.array([0, 1, 1, 1, 0, -1, -1, -1])

Place = npt.NDArray[np.int64]


def random_walk(plan: ScanPlan, step: int) -> Parts:
    """Samples of a plan of the pattern random-walk, with so many pixels per step, in the order in which it runs."""
    shape, seed, samples = plan.shape, np.uint64(plan.seed), plan.samples_per_pass
    allowed = np.zeros((0, 0), np.bool_) if plan.region is None else plan.region.mask(shape)
    pixels = shape[0] * shape[1] if plan.region is None else int(np.count_nonzero(allowed))

    @lru_cache(maxsize=2)
    def places(number: int) -> dict[int, Place]:
        """Row and column at which stretches of a pass begin: of the first alone, `part` adds the others in turn."""
        pixel = int(_first_pixel(pixels, seed, number))
        if plan.region is not None:
            pixel = _pixel_inside(allowed, pixel)
        return {0: np.array(divmod(pixel, shape[1]), np.int64)}

    def part(number: int, stretch: int) -> Pixels:
        """Pixels of a stretch, walked from the last place before it that is known."""
        known = places(number)
        for at in range(min(len(known) - 1, stretch), stretch + 1):
            out, place = np.empty(min(_STRETCH, samples - at * _STRETCH), np.uint32), known[at].copy()
            _walk(place, at * _STRETCH, shape, allowed, step, seed, number, out)
            known[at + 1] = place
        return out

    starts = np.minimum(np.arange(0, samples + _STRETCH, _STRETCH, dtype=np.int64), samples)
    return Parts(lambda number: starts, part)


def _pixel_inside(allowed: Mask, number: int) -> int:
    """The pixel number `number` of those allowed."""
    rows = np.cumsum(np.count_nonzero(allowed, axis=1))
    row = int(np.searchsorted(rows, number, side="right"))
    within = number - (int(rows[row - 1]) if row else 0)
    return int(row * allowed.shape[1] + np.flatnonzero(allowed[row])[within])


@compiled()
def _first_pixel(pixels: int, seed: Any, number: int) -> Any:
    """First pixel of the walk of a pass, of so many pixels."""
    w0, _, _, _ = random_words(seed, _WALK, np.uint64(number) << np.uint64(32), 1)
    return bounded(w0, pixels)


@compiled()
def _walk(
    place: Place, start: int, shape: tuple[int, int], allowed: Mask, step: int, seed: Any, number: int, out: Pixels
) -> None:
    """Fill `out` with samples start, start + 1, ... of the walk of a pass.

    Parameters
    ----------
    place : array of int64, (2,)
        Row and column of sample `start`; gets those of the sample after the last.
    start : int
        A multiple of `_STEPS_OF_A_WORD`.
    allowed : array of bool, (H, W) or (0, 0)
        Pixels that the walk may visit; empty for all.
    step : int
        Pixels of a step.
    number : int
        Of the pass.
    out : array of uint32, (n,)
    """
    everywhere = allowed.size == 0
    index = np.uint64(number) << np.uint64(32)
    row, column = place
    word = np.uint32(0)
    for i in range(len(out)):
        out[i] = row * shape[1] + column
        if i % _STEPS_OF_A_WORD == 0:  # three of a word's bits choose a direction
            word, _, _, _ = random_words(seed, _WALK, index + np.uint64((start + i) // _STEPS_OF_A_WORD), 0)
        first = np.int64(word & np.uint32(7))
        word = np.uint32(word >> np.uint32(3))
        for turn in range(_DIRECTIONS):
            direction = (first + 3 * turn) % _DIRECTIONS
            to_row, to_column = row + step * _ROWS[direction], column + step * _COLUMNS[direction]
            if 0 <= to_row < shape[0] and 0 <= to_column < shape[1] and (everywhere or allowed[to_row, to_column]):
                row, column = to_row, to_column
                break
    place[0], place[1] = row, column
