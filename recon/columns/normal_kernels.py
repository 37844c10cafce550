"""Compiled: the normal matrix of columns that overlap and of the background."""

from __future__ import annotations

import numpy as np

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["SHARES", "mirrored", "of_background", "of_columns", "slopes"]

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


@compiled()
def of_columns(
    begin: int,
    end: int,
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
    """Rows of the normal matrix that belong to some columns, and the slopes of ln L.

    Parameters
    ----------
    begin, end : int
        The first column, and that before which to stop.
    nodes : int
        Number of nodes.
    blocks : ndarray of float64, (pairs, 3, 3)
        Zero before; filled for the pairs of columns that `first`, `found` list.
    mixed : ndarray of float64, (pairs, 3)
        Zero before; filled for the pairs of a column and a node that `node_first`, `node_found` list.
    border : ndarray of float64, (columns, 3, profile parameters)
        Zero before; filled.
    gradient : ndarray of float64, (columns, 3)
        Filled.
    """
    count, kinds = starts.size - 1, shared.shape[1]
    slot, node_slot = np.empty(count, np.int64), np.empty(nodes, np.int64)
    for k in range(begin, end):
        for m in range(first[k], first[k + 1]):
            slot[found[m]] = m
        for m in range(node_first[k], node_first[k + 1]):
            node_slot[node_found[m]] = m
        one, two, three = 0.0, 0.0, 0.0
        yy, yx, yh, xx, xh, hh = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for n in range(starts[k], starts[k + 1]):
            i, p = points[n], positions[n]
            down, across, height = own[p, 0], own[p, 1], own[p, 2]
            y, x, h = weights[i] * down, weights[i] * across, weights[i] * height
            one += y * residual[i]
            two += x * residual[i]
            three += h * residual[i]
            yy += y * down
            yx += y * across
            yh += y * height
            xx += x * across
            xh += x * height
            hh += h * height
            for other in range(p + 1, point_starts[i + 1]):
                m = slot[owners[other]]
                for b in range(3):
                    blocks[m, 0, b] += y * own[other, b]
                    blocks[m, 1, b] += x * own[other, b]
                    blocks[m, 2, b] += h * own[other, b]
            for c in range(4 * i, 4 * i + 4):
                m = node_slot[node_indices[c]]
                mixed[m, 0] += y * node_weights[c]
                mixed[m, 1] += x * node_weights[c]
                mixed[m, 2] += h * node_weights[c]
            for c in range(kinds):
                border[k, 0, c] += y * shared[i, c]
                border[k, 1, c] += x * shared[i, c]
                border[k, 2, c] += h * shared[i, c]
        m = slot[k]
        blocks[m, 0, 0], blocks[m, 0, 1], blocks[m, 0, 2] = yy, yx, yh
        blocks[m, 1, 0], blocks[m, 1, 1], blocks[m, 1, 2] = yx, xx, xh
        blocks[m, 2, 0], blocks[m, 2, 1], blocks[m, 2, 2] = yh, xh, hh
        gradient[k, 0], gradient[k, 1], gradient[k, 2] = one, two, three
        for m in range(first[k], first[k + 1]):
            if found[m] > k:
                for a in range(3):
                    for b in range(3):
                        blocks[mirror[m], b, a] = blocks[m, a, b]


@compiled()
def slopes(
    starts: Integers, points: Integers, positions: Integers, own: Floats, pull: Floats, gradient: Floats
) -> None:
    """Fill the slopes of ln L by each column's parameters, (n, 3); `pull`, (points,), has those by the signal."""
    for k in range(gradient.shape[0]):
        down, across, height = 0.0, 0.0, 0.0
        for n in range(starts[k], starts[k + 1]):
            pulled, p = pull[points[n]], positions[n]
            down += pulled * own[p, 0]
            across += pulled * own[p, 1]
            height += pulled * own[p, 2]
        gradient[k, 0], gradient[k, 1], gradient[k, 2] = down, across, height


@compiled()
def of_background(
    begin: int,
    end: int,
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
    begin, end : int
        The first part, and that before which to stop.
    cells : ndarray of float64, (parts, nodes, 4, 4)
        For the four nodes around a cell, by the number of the first of them.
    border : ndarray of float64, (parts, nodes, profile parameters)
    gradient : ndarray of float64, (parts, nodes + profile parameters)
    corner : ndarray of float64, (parts, profile parameters, profile parameters)
    """
    count, nodes, kinds = weights.size, border.shape[1], shared.shape[1]
    for share in range(begin, end):
        cell, side, pull, inner = cells[share], border[share], gradient[share], corner[share]
        for i in range(share * count // SHARES, (share + 1) * count // SHARES):
            place = node_indices[4 * i]
            pulled = weights[i] * residual[i]
            for a in range(4):
                part = node_weights[4 * i + a]
                weighted = weights[i] * part
                node = node_indices[4 * i + a]
                pull[node] += pulled * part
                for b in range(4):
                    cell[place, a, b] += weighted * node_weights[4 * i + b]
                for c in range(kinds):
                    side[node, c] += weighted * shared[i, c]
            for a in range(kinds):
                weighted = weights[i] * shared[i, a]
                pull[nodes + a] += pulled * shared[i, a]
                for b in range(a + 1):
                    inner[a, b] += weighted * shared[i, b]
        for a in range(kinds):
            for b in range(a):
                inner[b, a] = inner[a, b]
