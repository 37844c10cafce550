"""Compiled: the normal matrix where columns overlap, and what follows from it around each column."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["local_covariances", "overlaps"]


@compiled(parallel=True)
def overlaps(
    starts: Integers,
    points: Integers,
    by_point_starts: Integers,
    by_point_links: Integers,
    owners: Integers,
    node_indices: npt.NDArray[np.int32],
    first: Integers,
    fill: bool,
    own: Floats,
    node_weights: Floats,
    weights: Floats,
    nodes: int,
    indices: Integers,
    values: Floats,
) -> None:
    """Rows of the normal matrix that belong to columns, as blocks of 3 x 3 (columns) and 3 x 1 (nodes).

    Parameters
    ----------
    node_indices, node_weights : ndarray, (4 points,)
        Nodes around each point and their shares.
    first : ndarray of int64, (columns + 1,)
        Without `fill`, gets the number of partners of each column behind place k; with it, the place of its first.
    nodes : int
        Number of nodes; partner numbers below the number of columns are columns, above nodes.
    indices, values : ndarray, (partners,), (partners, 3, 3)
        Filled with partners' numbers, ascending, and their blocks; of nodes, the first of three columns counts.
    """
    count = starts.size - 1
    for chunk in numba.prange(16):
        slot = np.full(count + nodes, -1, np.int64)
        found = np.empty(count + nodes, np.int64)
        for k in range(chunk * count // 16, (chunk + 1) * count // 16):
            number = 0
            for n in range(starts[k], starts[k + 1]):
                i = points[n]
                for p in range(by_point_starts[i], by_point_starts[i + 1]):
                    j = owners[by_point_links[p]]
                    if slot[j] < 0:
                        slot[j] = 0
                        found[number] = j
                        number += 1
                for m in range(4 * i, 4 * i + 4):
                    j = count + node_indices[m]
                    if slot[j] < 0:
                        slot[j] = 0
                        found[number] = j
                        number += 1
            if not fill:
                first[k + 1] = number
            else:
                mine = np.sort(found[:number])
                for m in range(number):
                    slot[mine[m]] = first[k] + m
                    indices[first[k] + m] = mine[m]
                    values[first[k] + m] = 0.0
                for n in range(starts[k], starts[k + 1]):
                    i = points[n]
                    for a in range(3):
                        weighted = weights[i] * own[n, a]
                        for p in range(by_point_starts[i], by_point_starts[i + 1]):
                            other = by_point_links[p]
                            place = slot[owners[other]]
                            for b in range(3):
                                values[place, a, b] += weighted * own[other, b]
                        for m in range(4 * i, 4 * i + 4):
                            values[slot[count + node_indices[m]], a, 0] += weighted * node_weights[m]
            for m in range(number):
                slot[found[m]] = -1


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
