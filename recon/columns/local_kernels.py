"""Compiled: what the normal matrix around a column says of it, its neighbours and the background there unknown."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["held_in_place", "local_covariances"]

_POSITIVE = 1e-300


@compiled()
def _around(
    k: int,
    first: Integers,
    found: Integers,
    blocks: Floats,
    node_first: Integers,
    node_found: Integers,
    mixed: Floats,
    flat_starts: npt.NDArray[np.int32],
    flat_indices: npt.NDArray[np.int32],
    flat: Floats,
    slot: Integers,
    node_slot: Integers,
    least: float,
) -> Floats:
    """Normal matrix of a column, of those that it overlaps and of the nodes around it; slots tell their places."""
    columns, nodes = found[first[k] : first[k + 1]], node_found[node_first[k] : node_first[k + 1]]
    for n in range(columns.size):
        slot[columns[n]] = 3 * n
    for n in range(nodes.size):
        node_slot[nodes[n]] = 3 * columns.size + n
    matrix = np.zeros((3 * columns.size + nodes.size, 3 * columns.size + nodes.size))
    for n in range(columns.size):
        j = columns[n]
        for m in range(first[j], first[j + 1]):
            place = slot[found[m]]
            if place >= 0:
                for a in range(3):
                    for b in range(3):
                        matrix[3 * n + a, place + b] = blocks[m, a, b]
        for m in range(node_first[j], node_first[j + 1]):
            place = node_slot[node_found[m]]
            if place >= 0:
                for a in range(3):
                    matrix[3 * n + a, place] = matrix[place, 3 * n + a] = mixed[m, a]
    for n in range(nodes.size):
        for m in range(flat_starts[nodes[n]], flat_starts[nodes[n] + 1]):
            place = node_slot[flat_indices[m]]
            if place >= 0:
                matrix[3 * columns.size + n, place] = flat[m]
    for n in range(len(matrix)):
        matrix[n, n] += 1e-9 * matrix[n, n] + least
    return matrix


@compiled()
def local_covariances(
    begin: int,
    end: int,
    first: Integers,
    found: Integers,
    blocks: Floats,
    node_first: Integers,
    node_found: Integers,
    mixed: Floats,
    flat_starts: npt.NDArray[np.int32],
    flat_indices: npt.NDArray[np.int32],
    flat: Floats,
    node_indices: npt.NDArray[np.int32],
    node_weights: Floats,
    least: float,
    covariances: Floats,
) -> None:
    """Covariance of some columns' three parameters and of the background at their places, from their neighbourhoods.

    Parameters
    ----------
    begin, end : int
        The first column, and that before which to stop.
    node_indices, node_weights : ndarray, (4 columns,)
        The four nodes around each column and their shares of the background there.
    least : float
        Added to the diagonal.
    covariances : ndarray of float64, (columns, 4, 4)
        Filled.
    """
    count = first.size - 1
    slot, node_slot = np.full(count, -1, np.int64), np.full(flat_starts.size - 1, -1, np.int64)
    for k in range(begin, end):
        matrix = _around(
            k, first, found, blocks, node_first, node_found, mixed, flat_starts, flat_indices, flat,
            slot, node_slot, least,
        )  # fmt: skip
        pick = np.zeros((len(matrix), 4))
        for n in range(3):
            pick[slot[k] + n, n] = 1.0
        for n in range(4 * k, 4 * k + 4):
            if node_slot[node_indices[n]] >= 0:
                pick[node_slot[node_indices[n]], 3] = node_weights[n]
        _factorise(matrix)
        for a in range(4):
            _forward(matrix, pick[:, a])
        for a in range(4):
            for b in range(4):
                total = 0.0
                for n in range(len(matrix)):
                    total += pick[n, a] * pick[n, b]
                covariances[k, a, b] = total
        _forget(k, first, found, slot)
        _forget(k, node_first, node_found, node_slot)


@compiled()
def held_in_place(
    begin: int,
    end: int,
    which: Integers,
    first: Integers,
    found: Integers,
    blocks: Floats,
    node_first: Integers,
    node_found: Integers,
    mixed: Floats,
    flat_starts: npt.NDArray[np.int32],
    flat_indices: npt.NDArray[np.int32],
    flat: Floats,
    pull: Floats,
    node_pull: Floats,
    least: float,
    steps: Floats,
    variances: Floats,
) -> None:
    """Step of the amplitude of columns whose positions are held, and its variance, neighbours and background free.

    Parameters
    ----------
    begin, end : int
        The first of `which`, and that before which to stop.
    which : ndarray of int64, (q,)
        Numbers of those columns, the last ones of all.
    pull, node_pull : ndarray of float64, (columns, 3) and (nodes,)
        Slopes of ln L.
    least : float
        Added to the diagonal.
    steps, variances : ndarray of float64, (q,)
        Filled.
    """
    count = first.size - 1
    held = count - which.size
    slot, node_slot = np.full(count, -1, np.int64), np.full(flat_starts.size - 1, -1, np.int64)
    for q in range(begin, end):
        k = which[q]
        matrix = _around(
            k, first, found, blocks, node_first, node_found, mixed, flat_starts, flat_indices, flat,
            slot, node_slot, least,
        )  # fmt: skip
        columns, nodes = found[first[k] : first[k + 1]], node_found[node_first[k] : node_first[k + 1]]
        row, slopes = np.zeros(len(matrix)), np.empty(len(matrix))
        for n in range(columns.size):
            for a in range(3):
                slopes[3 * n + a] = pull[columns[n], a]
            if columns[n] >= held:
                for a in range(3 * n, 3 * n + 2):
                    for m in range(len(matrix)):
                        matrix[a, m] = matrix[m, a] = 0.0
                    matrix[a, a], slopes[a] = 1.0, 0.0
        for n in range(nodes.size):
            slopes[3 * columns.size + n] = node_pull[nodes[n]]
        row[slot[k] + 2] = 1.0
        _factorise(matrix)
        _forward(matrix, row)
        variance = 0.0
        for n in range(len(row)):
            variance += row[n] * row[n]
        _forward(matrix, slopes)
        step = 0.0
        for n in range(len(row)):
            step += row[n] * slopes[n]
        steps[q], variances[q] = step, variance
        _forget(k, first, found, slot)
        _forget(k, node_first, node_found, node_slot)


@compiled()
def _factorise(matrix: Floats) -> None:
    """Put the Cholesky factor of a symmetric, positive matrix into its lower half."""
    for i in range(len(matrix)):
        for j in range(i + 1):
            total = matrix[i, j]
            for n in range(j):
                total -= matrix[i, n] * matrix[j, n]
            if i == j:
                matrix[i, i] = math.sqrt(max(total, _POSITIVE))
            else:
                matrix[i, j] = total / matrix[j, j]


@compiled()
def _forward(factor: Floats, right: Floats) -> None:
    """Solve with a Cholesky factor in place: of solutions' products the inverse of its matrix is made."""
    for i in range(len(right)):
        total = right[i]
        for n in range(i):
            total -= factor[i, n] * right[n]
        right[i] = total / factor[i, i]


@compiled()
def _forget(k: int, first: Integers, found: Integers, slot: Integers) -> None:
    """Take the partners of a column out of a table of places."""
    for n in range(first[k], first[k + 1]):
        slot[found[n]] = -1
