"""Compiled parts of the fit: which points a column reaches, the model's slopes there, and the normal matrix."""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.observations import BIN
from stemscan.recon.columns.profile import shape_and_slopes
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["add_columns", "link", "local_covariances", "normal_matrix", "own_blocks", "slopes", "without_each"]


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
def add_columns(heights: Floats, starts: Integers, points: Integers, total: Floats) -> None:
    """Add the columns' heights to the model at each point."""
    for n in range(points.size):
        total[points[n]] += heights[n]


@compiled(parallel=True)
def normal_matrix(
    by_row_starts: npt.NDArray[np.int32],
    by_row_indices: npt.NDArray[np.int32],
    by_row_values: Floats,
    by_column_starts: npt.NDArray[np.int32],
    by_column_indices: npt.NDArray[np.int32],
    by_column_values: Floats,
    weights: Floats,
    starts: npt.NDArray[np.int32],
    indices: npt.NDArray[np.int32],
    values: Floats,
) -> None:
    """Fill J^T diag(weights) J, of a given pattern, from J by rows and by columns."""
    size = starts.size - 1
    chunks = 16
    for chunk in numba.prange(chunks):
        slot = np.zeros(size, np.int32)
        for p in range(chunk * size // chunks, (chunk + 1) * size // chunks):
            for n in range(starts[p], starts[p + 1]):
                slot[indices[n]] = n
                values[n] = 0.0
            for n in range(by_column_starts[p], by_column_starts[p + 1]):
                i = by_column_indices[n]
                factor = weights[i] * by_column_values[n]
                for m in range(by_row_starts[i], by_row_starts[i + 1]):
                    values[slot[by_row_indices[m]]] += factor * by_row_values[m]


@compiled()
def own_blocks(
    starts: npt.NDArray[np.int32], indices: npt.NDArray[np.int32], values: Floats, blocks: npt.NDArray[np.float64]
) -> None:
    """Copy each column's 3 x 3 block out of the normal matrix."""
    for k in range(blocks.shape[0]):
        for i in range(3):
            for n in range(starts[3 * k + i], starts[3 * k + i + 1]):
                j = indices[n] - 3 * k
                if 0 <= j < 3:
                    blocks[k, i, j] = values[n]


@compiled(parallel=True)
def local_covariances(
    starts: npt.NDArray[np.int32],
    indices: npt.NDArray[np.int32],
    values: Floats,
    columns: int,
    node_indices: Integers,
    node_weights: Floats,
    covariances: npt.NDArray[np.float64],
) -> None:
    """Covariance of each column's three parameters and of the background at its place, from its neighbourhood.

    Parameters
    ----------
    starts, indices, values
        The normal matrix by rows.
    columns : int
    node_indices, node_weights : ndarray, (4 columns,)
        The four nodes around each column and their shares of the background there.
    covariances : ndarray of float64, (columns, 4, 4)
        Filled.
    """
    size = starts.size - 1
    for chunk in numba.prange(16):
        slot = np.full(size, -1, np.int64)
        for k in range(chunk * columns // 16, (chunk + 1) * columns // 16):
            first, last = starts[3 * k], starts[3 * k + 1]
            local = indices[first:last]
            for n in range(local.size):
                slot[local[n]] = n
            matrix = np.zeros((local.size, local.size))
            for n in range(local.size):
                for m in range(starts[local[n]], starts[local[n] + 1]):
                    if slot[indices[m]] >= 0:
                        matrix[n, slot[indices[m]]] = values[m]
            pick = np.zeros((local.size, 4))
            for n in range(3):
                pick[slot[3 * k + n], n] = 1.0
            for n in range(4):
                place = slot[3 * columns + node_indices[4 * k + n]]
                if place >= 0:
                    pick[place, 3] = node_weights[4 * k + n]
            covariances[k] = pick.T @ np.linalg.solve(matrix, pick)
            for n in range(local.size):
                slot[local[n]] = -1


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
