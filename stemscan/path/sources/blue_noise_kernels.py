"""Compiled: blue noise by best candidates in stretches of a curve, for one strip beside others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stemscan.path.strips import StripCurve, point_at
from stemscan.random import Stream, bounded, random_words
from stemscan.runtime.compiled import compiled
from stemscan.types import Points

__all__ = ["CurveStrip", "choose"]

_BLUE = Stream.BLUE_NOISE
_CANDIDATES = (4, 8)
"""Of the first sweep and of the second."""
_BEGIN = 255
_MARGIN = 2
_ADJACENT = 9
_AROUND = sorted(((i // 5, i % 5) for i in range(25)), key=lambda bin: (bin[0] - 2) ** 2 + (bin[1] - 2) ** 2)
_DOWN, _ACROSS = np.array(_AROUND).T.copy()
"""Bins around one, the nearest first: itself and the eight adjacent ones, then the others."""


class CurveStrip(NamedTuple):
    """A strip before anything is chosen.

    Attributes
    ----------
    curve : StripCurve
        Of the strip.
    listed : array of int32, (area, 2) or (0, 2)
        Row and column of the pixels that may be visited, in the order of the curve; empty where all may.
    width : int
        Columns of the grid.
    side : int
        Of the square bins by which samples are found, all but the mean distance of samples.
    first : int
        Number of the strip's first sample in the pass.
    """

    curve: StripCurve
    listed: Points
    width: int
    side: int
    first: int


class Samples(NamedTuple):
    """Samples by the bins in which they lie.

    Attributes
    ----------
    points : array of int32, (n, 2)
        Row, counted from the first row of bins, and column.
    heads : array of int32
        Number of a sample of each bin, -1 for none; two bins of margin on all sides.
    following : array of int32, (n,)
        Number of another sample of the same bin, -1 for none.
    down, across : array of int32, (5,)
        Working memory.
    """

    points: Points
    heads: Points
    following: Points
    down: Points
    across: Points


@compiled(inline=True)
def _beyond(rest: Any, side: Any, squares: Any) -> Any:
    """Squared distances from a coordinate, `rest` into its bin, to five bins around; the least to one not adjacent."""
    squares[0], squares[1] = (rest + 1 + side) ** 2, (rest + 1) ** 2
    squares[2] = 0
    squares[3], squares[4] = (side - rest) ** 2, (2 * side - rest) ** 2
    return min(squares[0], squares[4])


@compiled()
def _room(row: Any, column: Any, enough: Any, side: Any, bins: Any, samples: Samples) -> Any:
    """Squared distance to the nearest chosen pixel, at most (2 side)**2: what lies in the bins around is looked at.

    What is not above `enough` need not be exact.
    """
    nearest = 4 * side * side
    bin_row, bin_column = bins[row], bins[column]
    outside = min(
        _beyond(row - bin_row * side, side, samples.down),
        _beyond(column - bin_column * side, side, samples.across),
    )
    for ring in range(len(_DOWN)):
        if ring == _ADJACENT and nearest <= outside:
            return nearest
        if samples.down[_DOWN[ring]] + samples.across[_ACROSS[ring]] >= nearest:
            continue
        other = samples.heads[bin_row + _DOWN[ring], bin_column + _ACROSS[ring]]
        while other >= 0:
            down, across = samples.points[other, 0] - row, samples.points[other, 1] - column
            nearest = min(nearest, down * down + across * across)
            other = samples.following[other]
        if nearest <= enough:
            return nearest
    return nearest


@compiled(inline=True)
def _put_in(number: Any, row: Any, column: Any, bins: Any, samples: Samples) -> None:
    """Add a sample to its bin."""
    bin_row, bin_column = bins[row] + _MARGIN, bins[column] + _MARGIN
    samples.points[number, 0], samples.points[number, 1] = row, column
    samples.following[number] = samples.heads[bin_row, bin_column]
    samples.heads[bin_row, bin_column] = number


@compiled()
def _take_out(number: Any, bins: Any, samples: Samples) -> None:
    """Remove a sample from its bin."""
    bin_row = bins[samples.points[number, 0]] + _MARGIN
    bin_column = bins[samples.points[number, 1]] + _MARGIN
    other = samples.heads[bin_row, bin_column]
    if other == number:
        samples.heads[bin_row, bin_column] = samples.following[number]
        return
    while samples.following[other] != number:
        other = samples.following[other]
    samples.following[other] = samples.following[number]


@compiled()
def choose(strip: CurveStrip, samples: int, before: Points, around: Points, seed: Any, number: int) -> Points:
    """Choose one sample in each stretch of a strip's curve: of random candidates the one farthest from all others.

    Parameters
    ----------
    samples : int
        0 to the pixels of the curve.
    before : array of int32, (samples, 2) or (0, 2)
        Samples that an earlier sweep chose: they stay where no candidate is better. Empty in the first sweep.
    around : array of int32, (n, 2)
        Samples of other strips; those that are near count.
    number : int
        Of the pass.

    Returns
    -------
    array of int32, (samples, 2)
        Row and column, none twice.
    """
    curve, listed, side = strip.curve, strip.listed, strip.side
    area: Any = np.int64(len(listed) if len(listed) else curve.starts[-1])
    top = max(0, curve.rows[0] // side - _MARGIN) * side
    height = curve.rows[1] + _MARGIN * side - top
    bins = (np.arange(max(height, strip.width)) // side).astype(np.int32)
    heads = np.full((bins[height - 1] + 1 + 2 * _MARGIN, bins[strip.width - 1] + 1 + 2 * _MARGIN), -1, np.int32)
    points = np.empty((samples + len(around), 2), np.int32)
    known = Samples(points, heads, np.empty(len(points), np.int32), np.empty(5, np.int32), np.empty(5, np.int32))
    sweep = 1 if len(before) else 0
    for k in range(len(before)):
        _put_in(k, before[k, 0] - top, before[k, 1], bins, known)
    for k in range(len(around)):
        if 0 <= around[k, 0] - top < height:
            _put_in(samples + k, around[k, 0] - top, around[k, 1], bins, known)
    base = (np.uint64(number) << np.uint64(32)) + np.uint64(strip.first)
    begin = bounded(random_words(seed, _BLUE, base, _BEGIN)[0], area) if area else np.int64(0)
    candidates = _CANDIDATES[sweep]
    words = np.empty(candidates, np.uint32)
    for k in range(samples):
        low = np.int64(k) * area // samples
        size: Any = (np.int64(k) + 1) * area // samples - low
        for half in range(candidates // 4):
            quad = random_words(seed, _BLUE, base + np.uint64(k), 2 * sweep + half)
            words[4 * half], words[4 * half + 1], words[4 * half + 2], words[4 * half + 3] = quad
        best_row, best_column, best_room = np.int32(0), np.int32(0), np.int64(-1)
        if sweep:
            best_row, best_column = points[k]
            _take_out(k, bins, known)
            best_room = _room(best_row, best_column, 0, side, bins, known)
        for c in range(min(candidates, size)):
            offset = c if size <= candidates else bounded(words[c], size)
            at = begin + low + offset
            at = at if at < area else at - area
            if len(listed):
                row, column = np.int32(listed[at, 0] - top), np.int32(listed[at, 1])
            else:
                inner = words[c] if size <= candidates else np.uint32(words[c] * np.uint32(size))
                at_row, at_column = point_at(curve, at, inner)
                row, column = np.int32(at_row - top), np.int32(at_column)
            room = _room(row, column, best_room, side, bins, known)
            if room > best_room:
                best_row, best_column, best_room = row, column, room
        _put_in(k, best_row, best_column, bins, known)
    out = np.empty((samples, 2), np.int32)
    for k in range(samples):
        out[k, 0], out[k, 1] = points[k, 0] + top, points[k, 1]
    return out
