"""Compiled parts of the fit: which points a column reaches, and the model and its slopes there."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.observations import BIN
from stemscan.recon.columns.profile import profile_at
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["BATCH", "by_point", "evaluate", "link", "own_blocks", "without_each"]

BATCH = 128
"""Points that are evaluated at once."""


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


@compiled()
def by_point(starts: Integers, points: Integers, number: int) -> tuple[Integers, Integers, Integers]:
    """Sort the links of columns by their points.

    Returns
    -------
    point_starts : ndarray of int64, (points + 1,)
        Links of point i are those from `point_starts[i]` to before `point_starts[i + 1]`.
    owners : ndarray of int64, (links,)
        Column of each link in that order.
    positions : ndarray of int64, (links,)
        Place in that order of each link of columns.
    """
    first = np.zeros(number + 1, np.int64)
    for n in range(points.size):
        first[points[n] + 1] += 1
    for i in range(number):
        first[i + 1] += first[i]
    filled = first[:-1].copy()
    owners, positions = np.empty(points.size, np.int64), np.empty(points.size, np.int64)
    for k in range(starts.size - 1):
        for n in range(starts[k], starts[k + 1]):
            place = filled[points[n]]
            owners[place], positions[n] = k, place
            filled[points[n]] += 1
    return first, owners, positions


@compiled()
def _profiles_at(off: Floats, each: Floats, closed: float, out: Floats) -> None:
    """Fill (8, n) with profiles and slopes at offsets (2, n): a plain loop, which becomes vector instructions."""
    for n in range(off.shape[1]):
        out[0, n], out[1, n], out[2, n], out[3, n], out[4, n], out[5, n], out[6, n], out[7, n] = profile_at(
            off[0, n], off[1, n], each[0, n], each[1, n], each[2, n], each[3, n], each[4, n], closed
        )


@compiled()
def evaluate(
    begin: int,
    end: int,
    rows: Floats,
    columns: Floats,
    amplitudes: Floats,
    classes: Integers,
    profiles: Floats,
    reach: float,
    point_starts: Integers,
    owners: Integers,
    point_rows: Floats,
    point_columns: Floats,
    counted: Floats,
    visits: Floats,
    known: Floats,
    node_indices: npt.NDArray[np.int64],
    node_weights: Floats,
    nodes: Floats,
    dose: float,
    floor: float,
    by_gain: bool,
    own: Floats,
    shared: Floats,
    signal: Floats,
    weights: Floats,
    residual: Floats,
    sums: Floats,
) -> None:
    """Evaluate the model and its slopes at the points of some batches.

    Parameters
    ----------
    begin, end : int
        The first batch, and that before which to stop.
    rows, columns, amplitudes : ndarray of float64, (columns,)
    classes : ndarray of int64, (columns,)
    profiles : ndarray of float64, (classes, 5)
    counted, visits, known : ndarray of float64, (points,)
        Counts over dose, visits, and signal beside the model's.
    node_indices, node_weights : ndarray, (4 points,)
        The background's nodes around each point.
    floor : float
        Least signal.
    by_gain : bool
        Take equation 5's likelihood in place of Poisson's.
    own : ndarray of float64, (links, 3)
        Filled with the slopes by the column's row, column and amplitude, link by link of points.
    shared : ndarray of float64, (points, 5 classes) or (points, 0)
        Filled with the slopes by the classes' profiles, unless it is empty.
    signal, weights, residual : ndarray of float64, (points,)
        Filled with the model, its information and counts over visits less the model.
    sums : ndarray of float64, (batches,)
        Filled with -ln L over the dose, up to a constant, of each `BATCH` points.
    """
    parameters = np.empty(profiles.shape)
    for n in range(len(profiles)):
        for m in range(5):
            parameters[n, m] = profiles[n, m] if m else 1.0 / profiles[n, m] ** 2
    closed = 1.0 / reach**2
    for batch in range(begin, end):
        first, last = batch * BATCH, min(signal.size, (batch + 1) * BATCH)
        start, size = point_starts[first], point_starts[last] - point_starts[first]
        off, each, out = np.empty((2, size)), np.empty((5, size)), np.empty((8, size))
        for i in range(first, last):
            for n in range(point_starts[i] - start, point_starts[i + 1] - start):
                k = owners[start + n]
                off[0, n], off[1, n] = point_rows[i] - rows[k], point_columns[i] - columns[k]
                for m in range(5):
                    each[m, n] = parameters[classes[k], m]
        _profiles_at(off, each, closed, out)
        total = 0.0
        for i in range(first, last):
            here = known[i]
            for n in range(4 * i, 4 * i + 4):
                here += node_weights[n] * nodes[node_indices[n]]
            for m in range(shared.shape[1]):
                shared[i, m] = 0.0
            for n in range(point_starts[i] - start, point_starts[i + 1] - start):
                k = owners[start + n]
                height = amplitudes[k]
                here += height * out[0, n]
                own[start + n, 0] = height * out[1, n]
                own[start + n, 1] = height * out[2, n]
                own[start + n, 2] = out[0, n]
                if shared.shape[1]:
                    place = 5 * classes[k]
                    for m in range(5):
                        shared[i, place + m] += height * out[3 + m, n]
            here = max(here, floor)
            signal[i], residual[i] = here, counted[i] / visits[i] - here
            if by_gain:
                weights[i] = dose * visits[i] / (here * here)
                total += visits[i] * math.log(here) + counted[i] / here
            else:
                weights[i] = dose * visits[i] / here
                total += visits[i] * here - counted[i] * math.log(here)
        sums[batch] = total


@compiled()
def own_blocks(
    starts: Integers, points: Integers, positions: Integers, own: Floats, weights: Floats, blocks: Floats
) -> None:
    """Fill each column's block of the normal matrix, (n, 3, 3), which is zero before."""
    for k in range(blocks.shape[0]):
        for n in range(starts[k], starts[k + 1]):
            weight, p = weights[points[n]], positions[n]
            for a in range(3):
                for b in range(3):
                    blocks[k, a, b] += weight * own[p, a] * own[p, b]


@compiled()
def without_each(
    amplitudes: Floats,
    starts: Integers,
    points: Integers,
    positions: Integers,
    own: Floats,
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
    for k in range(amplitudes.size):
        total = 0.0
        for n in range(starts[k], starts[k + 1]):
            i = points[n]
            here = signal[i]
            left = max(here - amplitudes[k] * own[positions[n], 2], floor)
            if by_gain:
                total += visits[i] * math.log(left / here) + counted[i] * (1.0 / left - 1.0 / here)
            else:
                total += visits[i] * (left - here) - counted[i] * math.log(left / here)
        loss[k] = total
