"""Compiled parts of the fit: which points a column reaches, the model's slopes there, and products with them."""

from __future__ import annotations

import math

import numba
import numpy as np

from stemscan.recon.columns.observations import BIN
from stemscan.recon.columns.profile import shape_and_slopes
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = [
    "backward",
    "by_point",
    "forward",
    "gather",
    "link",
    "own_blocks",
    "slopes",
    "without_each",
]


@compiled()
def link(
    rows: Floats,
    columns: Floats,
    point_rows: Floats,
    point_columns: Floats,
    bin_starts: Integers,
    bins: tuple[int, int],
    reach: float,
) -> tuple[Integers, Integers]:
    """List the points within `reach` of each column.

    Returns
    -------
    starts : ndarray of int64, (columns + 1,)
    points : ndarray of int64, (links,)
        Points of column k are `points[starts[k] : starts[k + 1]]`.
    """
    starts = np.zeros(rows.size + 1, np.int64)
    points = np.empty(0, np.int64)
    for fill in range(2):
        if fill:
            points = np.empty(starts[-1], np.int64)
        number = 0
        for k in range(rows.size):
            first_down = max(0, min(bins[0] - 1, int((rows[k] - reach) // BIN)))
            last_down = max(0, min(bins[0] - 1, int((rows[k] + reach) // BIN)))
            first_across = max(0, min(bins[1] - 1, int((columns[k] - reach) // BIN)))
            last_across = max(0, min(bins[1] - 1, int((columns[k] + reach) // BIN)))
            for down in range(first_down, last_down + 1):
                first = bin_starts[down * bins[1] + first_across]
                for i in range(first, bin_starts[down * bins[1] + last_across + 1]):
                    y, x = point_rows[i] - rows[k], point_columns[i] - columns[k]
                    if y * y + x * x < reach * reach:
                        if fill:
                            points[number] = i
                        number += 1
            starts[k + 1] = number
    return starts, points


@compiled(parallel=True)
def slopes(
    rows: Floats,
    columns: Floats,
    amplitudes: Floats,
    classes: Integers,
    profiles: Floats,
    reach: float,
    starts: Integers,
    points: Integers,
    point_rows: Floats,
    point_columns: Floats,
    heights: Floats,
    own: Floats,
    shared: Floats,
) -> None:
    """Evaluate every column at every point that it reaches.

    Parameters
    ----------
    rows, columns, amplitudes : ndarray of float64, (columns,)
    classes : ndarray of int64, (columns,)
    profiles : ndarray of float64, (classes, 5)
    heights : ndarray of float64, (links,)
        Filled with amplitude times shape.
    own : ndarray of float64, (links, 3)
        Filled with the slopes by the column's row, column and amplitude.
    shared : ndarray of float64, (links, 5) or (0, 5)
        Filled with the slopes by the class's profile unless it is empty.
    """
    for k in numba.prange(rows.size):
        out = np.empty(8)
        for n in range(starts[k], starts[k + 1]):
            i = points[n]
            shape_and_slopes(point_rows[i] - rows[k], point_columns[i] - columns[k], profiles[classes[k]], reach, out)
            heights[n] = amplitudes[k] * out[0]
            own[n, 0] = amplitudes[k] * out[1]
            own[n, 1] = amplitudes[k] * out[2]
            own[n, 2] = out[0]
            if shared.shape[0]:
                for m in range(5):
                    shared[n, m] = amplitudes[k] * out[3 + m]


@compiled()
def by_point(points: Integers, number: int) -> tuple[Integers, Integers]:
    """List the links of each point: those of point i are `links[starts[i] : starts[i + 1]]`."""
    starts = np.zeros(number + 1, np.int64)
    for n in range(points.size):
        starts[points[n] + 1] += 1
    for i in range(number):
        starts[i + 1] += starts[i]
    links, filled = np.empty(points.size, np.int64), starts[:-1].copy()
    for n in range(points.size):
        links[filled[points[n]]] = n
        filled[points[n]] += 1
    return starts, links


@compiled(parallel=True)
def gather(starts: Integers, links: Integers, values: Floats, kinds: Integers, total: Floats) -> None:
    """Add the links' values, (links, m), to those of their points, (points, kinds, m)."""
    for i in numba.prange(total.shape[0]):
        for p in range(starts[i], starts[i + 1]):
            n = links[p]
            for m in range(values.shape[1]):
                total[i, kinds[n], m] += values[n, m]


@compiled(parallel=True)
def forward(starts: Integers, links: Integers, owners: Integers, own: Floats, step: Floats, change: Floats) -> None:
    """Add to `change`, (points,), what a step of all columns, (n, 3), does to the model at each point."""
    for i in numba.prange(change.size):
        total = 0.0
        for p in range(starts[i], starts[i + 1]):
            n = links[p]
            k = owners[n]
            total += own[n, 0] * step[k, 0] + own[n, 1] * step[k, 1] + own[n, 2] * step[k, 2]
        change[i] += total


@compiled(parallel=True)
def backward(starts: Integers, points: Integers, own: Floats, values: Floats, pull: Floats) -> None:
    """Fill `pull`, (n, 3), with the sums over each column's points of its slopes times values, (points,)."""
    for k in numba.prange(pull.shape[0]):
        a = b = c = 0.0
        for n in range(starts[k], starts[k + 1]):
            value = values[points[n]]
            a += own[n, 0] * value
            b += own[n, 1] * value
            c += own[n, 2] * value
        pull[k, 0], pull[k, 1], pull[k, 2] = a, b, c


@compiled(parallel=True)
def own_blocks(
    starts: Integers, points: Integers, own: Floats, shared: Floats, weights: Floats, blocks: Floats, cross: Floats
) -> None:
    """Fill each column's block of the normal matrix, (n, 3, 3), and its cross terms with the profiles, (n, 3, m)."""
    for k in numba.prange(blocks.shape[0]):
        blocks[k] = 0.0
        cross[k] = 0.0
        for n in range(starts[k], starts[k + 1]):
            i = points[n]
            for a in range(3):
                weighted = weights[i] * own[n, a]
                for b in range(3):
                    blocks[k, a, b] += weighted * own[n, b]
                for m in range(shared.shape[1]):
                    cross[k, a, m] += weighted * shared[i, m]


@compiled(parallel=True)
def without_each(
    rows: Floats,
    columns: Floats,
    amplitudes: Floats,
    classes: Integers,
    profiles: Floats,
    reach: float,
    starts: Integers,
    points: Integers,
    point_rows: Floats,
    point_columns: Floats,
    counted: Floats,
    visits: Floats,
    signal: Floats,
    floor: float,
    by_gain: bool,
    loss: Floats,
) -> None:
    """Fill `loss` with ln L over the dose as it is, less that without each column and with all others held.

    Parameters
    ----------
    counted, visits, signal : ndarray of float64, (points,)
        Counts over dose, visits, and the model.
    floor : float
        Least signal.
    by_gain : bool
        Take equation 5's likelihood in place of Poisson's.
    """
    for k in numba.prange(rows.size):
        out = np.empty(8)
        total = 0.0
        for n in range(starts[k], starts[k + 1]):
            i = points[n]
            shape_and_slopes(point_rows[i] - rows[k], point_columns[i] - columns[k], profiles[classes[k]], reach, out)
            here = signal[i]
            left = max(here - amplitudes[k] * out[0], floor)
            if by_gain:
                total += visits[i] * math.log(left / here) + counted[i] * (1.0 / left - 1.0 / here)
            else:
                total += visits[i] * (left - here) - counted[i] * math.log(left / here)
        loss[k] = total
