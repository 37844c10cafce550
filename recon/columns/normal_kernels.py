"""Compiled: the normal matrix of columns that overlap and of the background, and what follows around each column."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["SHARES", "held_in_place", "local_covariances", "mirrored", "of_background", "of_columns", "slopes"]

SHARES = 16
"""Into so many parts, whatever the number of threads, go sums over all points."""


@compiled()
def mirrored(first: Integers, found: Integers) -> Integers:
    """For each pair (k, j) of columns the place of (j, k)."""
    places, filled = np.empty(found.size, np.int64), first[:-1].copy()
    for n in range(found.size):
        places[n] = filled[found[n]]
        filled[found[n]] += 1
    return places


@compiled(parallel=True)
def of_columns(
    starts: Integers,
    points: Integers,
    positions: Integers,
    point_starts: Integers,
    owners: Integers,
    first: Integers,
    found: Integers,
    mirror: Integers,
    node_first: Integers,
    node_found: Integers,
    node_indices: Integers,
    node_weights: Floats,
    own: Floats,
    shared: Floats,
    weights: Floats,
    residual: Floats,
    nodes: int,
    blocks: Floats,
    mixed: Floats,
    border: Floats,
    gradient: Floats,
) -> None:
    """Rows of the normal matrix that belong to columns, and the slopes of ln L.

    Parameters
    ----------
    nodes : int
        Number of nodes.
    blocks : ndarray of float64, (pairs, 3, 3)
        Filled, for the pairs of columns that `first`, `found` list.
    mixed : ndarray of float64, (pairs, 3)
        Filled, for the pairs of a column and a node that `node_first`, `node_found` list.
    border : ndarray of float64, (columns, 3, profile parameters)
    gradient : ndarray of float64, (columns, 3)
        Filled.
    """
    count = starts.size - 1
    for share in numba.prange(SHARES):
        slot = np.empty(count, np.int64)
        node_slot = np.empty(nodes, np.int64)
        weighted = np.empty(3)
        for k in range(share * count // SHARES, (share + 1) * count // SHARES):
            for m in range(first[k], first[k + 1]):
                slot[found[m]] = m
                if found[m] >= k:
                    blocks[m] = 0.0
            for m in range(node_first[k], node_first[k + 1]):
                node_slot[node_found[m]] = m
                mixed[m] = 0.0
            border[k], gradient[k] = 0.0, 0.0
            for n in range(starts[k], starts[k + 1]):
                i, p = points[n], positions[n]
                for a in range(3):
                    weighted[a] = weights[i] * own[p, a]
                    gradient[k, a] += weighted[a] * residual[i]
                for other in range(point_starts[i], point_starts[i + 1]):
                    if owners[other] >= k:
                        m = slot[owners[other]]
                        for a in range(3):
                            for b in range(3):
                                blocks[m, a, b] += weighted[a] * own[other, b]
                for c in range(4 * i, 4 * i + 4):
                    m = node_slot[node_indices[c]]
                    for a in range(3):
                        mixed[m, a] += weighted[a] * node_weights[c]
                for a in range(3):
                    for c in range(shared.shape[1]):
                        border[k, a, c] += weighted[a] * shared[i, c]
            for m in range(first[k], first[k + 1]):
                if found[m] > k:
                    for a in range(3):
                        for b in range(3):
                            blocks[mirror[m], b, a] = blocks[m, a, b]


@compiled(parallel=True)
def slopes(
    starts: Integers, points: Integers, positions: Integers, own: Floats, pull: Floats, gradient: Floats
) -> None:
    """Fill the slopes of ln L by each column's parameters, (n, 3); `pull`, (points,), has those by the signal."""
    for k in numba.prange(gradient.shape[0]):
        down, across, height = 0.0, 0.0, 0.0
        for n in range(starts[k], starts[k + 1]):
            pulled, p = pull[points[n]], positions[n]
            down += pulled * own[p, 0]
            across += pulled * own[p, 1]
            height += pulled * own[p, 2]
        gradient[k, 0], gradient[k, 1], gradient[k, 2] = down, across, height


@compiled(parallel=True)
def of_background(
    node_indices: Integers,
    node_weights: Floats,
    shared: Floats,
    weights: Floats,
    residual: Floats,
    cells: Floats,
    border: Floats,
    gradient: Floats,
    corner: Floats,
) -> None:
    """Rows of the normal matrix that belong to the background and to the profiles, in `SHARES` parts to be added up.

    Parameters
    ----------
    cells : ndarray of float64, (parts, nodes, 4, 4)
        For the four nodes around a cell, by the number of the first of them.
    border : ndarray of float64, (parts, nodes, profile parameters)
    gradient : ndarray of float64, (parts, nodes + profile parameters)
    corner : ndarray of float64, (parts, profile parameters, profile parameters)
    """
    count, nodes, kinds = weights.size, border.shape[1], shared.shape[1]
    for share in numba.prange(SHARES):
        cell, side, pull, inner = cells[share], border[share], gradient[share], corner[share]
        for i in range(share * count // SHARES, (share + 1) * count // SHARES):
            place = node_indices[4 * i]
            for a in range(4):
                weighted = weights[i] * node_weights[4 * i + a]
                node = node_indices[4 * i + a]
                pull[node] += weighted * residual[i]
                for b in range(4):
                    cell[place, a, b] += weighted * node_weights[4 * i + b]
                for c in range(kinds):
                    side[node, c] += weighted * shared[i, c]
            for a in range(kinds):
                weighted = weights[i] * shared[i, a]
                pull[nodes + a] += weighted * residual[i]
                for b in range(kinds):
                    inner[a, b] += weighted * shared[i, b]


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


@compiled(parallel=True)
def local_covariances(
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
    """Covariance of each column's three parameters and of the background at its place, from its neighbourhood.

    Parameters
    ----------
    node_indices, node_weights : ndarray, (4 columns,)
        The four nodes around each column and their shares of the background there.
    least : float
        Added to the diagonal.
    covariances : ndarray of float64, (columns, 4, 4)
        Filled.
    """
    count = first.size - 1
    for share in numba.prange(SHARES):
        slot, node_slot = np.full(count, -1, np.int64), np.full(flat_starts.size - 1, -1, np.int64)
        for k in range(share * count // SHARES, (share + 1) * count // SHARES):
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
            covariances[k] = pick.T @ np.linalg.solve(matrix, pick)
            slot[found[first[k] : first[k + 1]]] = -1
            node_slot[node_found[node_first[k] : node_first[k + 1]]] = -1


@compiled(parallel=True)
def held_in_place(
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
    for share in numba.prange(SHARES):
        slot, node_slot = np.full(count, -1, np.int64), np.full(flat_starts.size - 1, -1, np.int64)
        for q in range(share * which.size // SHARES, (share + 1) * which.size // SHARES):
            k = which[q]
            matrix = _around(
                k, first, found, blocks, node_first, node_found, mixed, flat_starts, flat_indices, flat,
                slot, node_slot, least,
            )  # fmt: skip
            columns, nodes = found[first[k] : first[k + 1]], node_found[node_first[k] : node_first[k + 1]]
            right, slopes = np.zeros(len(matrix)), np.empty(len(matrix))
            for n in range(columns.size):
                slopes[3 * n : 3 * n + 3] = pull[columns[n]]
                if columns[n] >= held:
                    for a in range(3 * n, 3 * n + 2):
                        matrix[a], matrix[:, a], slopes[a] = 0.0, 0.0, 0.0
                        matrix[a, a] = 1.0
            for n in range(nodes.size):
                slopes[3 * columns.size + n] = node_pull[nodes[n]]
            right[slot[k] + 2] = 1.0
            row = np.linalg.solve(matrix, right)
            steps[q], variances[q] = (row * slopes).sum(), row[slot[k] + 2]
            slot[columns], node_slot[nodes] = -1, -1
