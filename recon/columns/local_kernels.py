"""Compiled: what the normal matrix around a column says of it, its neighbours and the background there unknown."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.normal_kernels import SHARES
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["held_in_place", "local_covariances"]


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
