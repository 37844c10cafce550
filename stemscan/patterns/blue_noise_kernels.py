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
_AROUND = sorted(((i // 5 - 2, i % 5 - 2) for i in range(25)), key=lambda bin: bin[0] ** 2 + bin[1] ** 2)
_DOWN, _ACROSS = np.array(_AROUND).T.copy()
"""Bins around one, the nearest first."""


@compiled(inline=True)
def _beyond(at: Any, number: Any, side: Any) -> Any:
    """Distance of a coordinate from the nearest pixel of a bin, 0 inside."""
    return max(number * side - at, at - (number * side + side - 1), 0)


@compiled()
def _room(row: Any, column: Any, enough: Any, side: Any, bins: Any, heads: Any, following: Any, chosen: Any) -> Any:
    """Squared distance to the nearest chosen pixel, at most (2 side)**2: what lies in the bins around is looked at.

    What is not above `enough` need not be exact.
    """
    nearest = 4 * side * side
    for ring in range(len(_DOWN)):
        bin_row, bin_column = bins[row] + _DOWN[ring], bins[column] + _ACROSS[ring]
        if not (0 <= bin_row < heads.shape[0] and 0 <= bin_column < heads.shape[1]):
            continue
        down, across = _beyond(row, bin_row, side), _beyond(column, bin_column, side)
        if down * down + across * across >= nearest:
            continue
        other = heads[bin_row, bin_column]
        while other >= 0:
            down, across = chosen[other, 0] - row, chosen[other, 1] - column
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
    per_width = 1.0 / width
    side = 1
    while side * side * samples < area:
        side += 1
    bins = np.arange(max(shape[0], shape[1])) // side
    heads = np.full((shape[0] // side + 1, width // side + 1), -1, np.int64)
    following = np.full(samples, -1, np.int64)
    chosen = np.empty((samples, 2), np.int64)
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
            best_row, best_column, best_room = np.int64(0), np.int64(0), np.int64(-1)
            if sweep:
                best_row, best_column = chosen[k]
                _take_out(k, bins[best_row], bins[best_column], heads, following)
                best_room = _room(best_row, best_column, 0, side, bins, heads, following, chosen)
            for c in range(min(_CANDIDATES, size)):
                offset = c if size <= _CANDIDATES else bounded(words[c], size)
                at = begin + low + offset
                candidate = np.int64(curve[at if at < area else at - area])
                row: Any = np.int64(candidate * per_width)  # quicker than to divide; it may be one row off
                column: Any = candidate - row * width
                if column < 0:
                    row, column = row - 1, column + width
                elif column >= width:
                    row, column = row + 1, column - width
                room = _room(row, column, best_room, side, bins, heads, following, chosen)
                if room > best_room:
                    best_row, best_column, best_room = row, column, room
            chosen[k, 0], chosen[k, 1] = best_row, best_column
            row, column = bins[best_row], bins[best_column]
            following[k] = heads[row, column]
            heads[row, column] = k
    out = np.empty(samples, np.uint32)
    for k in range(samples):
        out[k] = np.uint32(chosen[k, 0] * width + chosen[k, 1])
    return out
