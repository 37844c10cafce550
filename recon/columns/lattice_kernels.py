"""Compiled: growth of a lattice from column to column, and robust affine fits around sites."""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["grow", "local_fits"]

_SHARES = 16
_TOWARDS = 0.15


@compiled()
def _slot(table: Integers, i: int, j: int) -> int:
    """Place of (i, j) in a table, or where it would be put."""
    mask = len(table) - 1
    place = (i * 73856093 + j * 19349663) & mask
    while table[place, 2] >= 0 and (table[place, 0] != i or table[place, 1] != j):
        place = (place + 1) & mask
    return place


@compiled()
def _nearest(
    places: Floats, order: Integers, starts: Integers, corner: Floats, side: float, y: float, x: float, within: float
) -> int:
    """The column nearest to a place, -1 for none within so much; `starts` is (rows of bins, columns of bins + 1)."""
    found, least = -1, within * within
    top, bottom = math.floor((y - within - corner[0]) / side), math.floor((y + within - corner[0]) / side)
    left, right = math.floor((x - within - corner[1]) / side), math.floor((x + within - corner[1]) / side)
    for down in range(max(0, top), min(starts.shape[0] - 1, bottom) + 1):
        first, last = max(0, left), min(starts.shape[1] - 2, right)
        if first > last:
            continue
        for n in range(starts[down, first], starts[down, last + 1]):
            k = order[n]
            off = (places[k, 0] - y) ** 2 + (places[k, 1] - x) ** 2
            if off <= least:
                found, least = k, off
    return found


@compiled()
def grow(
    places: Floats,
    order: Integers,
    starts: Integers,
    corner: Floats,
    side: float,
    free: npt.NDArray[np.bool_],
    seed: int,
    basis: Floats,
    tolerance: float,
    table: Integers,
) -> tuple[Integers, Integers]:
    """Indices (i, j) and numbers of the free columns that steps along a basis reach from a seed.

    Each step is predicted by the basis around the member that it starts from: what came down from its neighbour, moved
    towards the steps that are there.

    Parameters
    ----------
    order, starts, corner, side
        Columns by bins: those of bin (r, c) are `order[starts[r, c] : starts[r, c + 1]]`.
    tolerance : float
        Distance from its prediction within which a column is taken.
    table : ndarray of int64, (a power of 2, 3)
        Twice as long as there are columns at least; -1, and left so: indices and places among the members, by a hash.
    """
    members, slots = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    indices, local = np.empty((len(places), 2), np.int64), np.empty((len(places), 2, 2))
    members[0], local[0], count, done = seed, basis, 1, 0
    indices[0] = 0
    slots[0] = _slot(table, 0, 0)
    table[slots[0], 0], table[slots[0], 1], table[slots[0], 2] = 0, 0, 0
    free[seed] = False
    while done < count:
        here, i, j = places[members[done]], indices[done, 0], indices[done, 1]
        mine = local[done]
        for axis in range(2):
            for sign in (1, -1):
                step = _slot(table, i + sign * (axis == 0), j + sign * (axis == 1))
                if table[step, 2] >= 0:
                    other = places[members[table[step, 2]]]
                    for a in range(2):
                        mine[axis, a] += _TOWARDS * (sign * (other[a] - here[a]) - mine[axis, a])
        for axis in range(2):
            for sign in (1, -1):
                to_i, to_j = i + sign * (axis == 0), j + sign * (axis == 1)
                step = _slot(table, to_i, to_j)
                if table[step, 2] >= 0:
                    continue
                y, x = here[0] + sign * mine[axis, 0], here[1] + sign * mine[axis, 1]
                found = _nearest(places, order, starts, corner, side, y, x, tolerance)
                if found < 0 or not free[found]:
                    continue
                free[found] = False
                members[count], slots[count], local[count] = found, step, mine
                indices[count, 0], indices[count, 1] = to_i, to_j
                table[step, 0], table[step, 1], table[step, 2] = to_i, to_j, count
                count += 1
        done += 1
    for n in range(count):
        free[members[n]] = True
        table[slots[n], 2] = -1
    return indices[:count].copy(), members[:count].copy()


@compiled(parallel=True)
def local_fits(
    indices: Integers, own: Floats, asked: Integers, near: Integers, rounds: int, places: Floats, variances: Floats
) -> None:
    """Values of robust affine fits to members around indices, and their variances per axis.

    Parameters
    ----------
    indices, own : ndarray, (members, 2)
        Their indices and places.
    asked : ndarray of int64, (n, 2)
        Indices; a member at the same one does not count.
    near : ndarray of int64, (n, neighbours)
        The members around each.
    rounds : int
        Of weighting anew, by Tukey's biweight at four times the median.
    places : ndarray of float64, (n, 2)
    variances : ndarray of float64, (n,)
        Filled.
    """
    count = near.shape[1]
    for share in numba.prange(_SHARES):
        offsets, values = np.empty((count, 2), np.int64), np.empty((count, 2))
        taper, weights, off, inverse = np.empty(count), np.empty(count), np.empty(count), np.empty((3, 3))
        fitted = np.empty((3, 2))
        for k in range(share * len(asked) // _SHARES, (share + 1) * len(asked) // _SHARES):
            for n in range(count):
                for a in range(2):
                    offsets[n, a], values[n, a] = indices[near[k, n], a] - asked[k, a], own[near[k, n], a]
                off[n] = offsets[n, 0] ** 2 + offsets[n, 1] ** 2
            usual = max(np.median(off), 1.0)
            for n in range(count):
                taper[n] = 1.0 / (1.0 + off[n] / usual) if off[n] > 0 else 0.0
                weights[n] = taper[n]
            scale = 0.0
            for _ in range(rounds):
                _affine(offsets, values, weights, inverse, fitted)
                for n in range(count):
                    i, j = offsets[n, 0], offsets[n, 1]
                    y = values[n, 0] - fitted[0, 0] - i * fitted[1, 0] - j * fitted[2, 0]
                    x = values[n, 1] - fitted[0, 1] - i * fitted[1, 1] - j * fitted[2, 1]
                    off[n] = math.sqrt(y * y + x * x)
                scale = np.median(off) / 1.1774
                for n in range(count):
                    ratio = off[n] / max(4.0 * scale, 1e-9)
                    weights[n] = taper[n] * (1.0 - ratio * ratio) ** 2 if ratio < 1.0 else 0.0
            places[k, 0], places[k, 1] = fitted[0, 0], fitted[0, 1]
            total = 0.0
            for n in range(count):
                i, j = offsets[n, 0], offsets[n, 1]
                total += (weights[n] * (inverse[0, 0] + i * inverse[1, 0] + j * inverse[2, 0])) ** 2
            variances[k] = total * scale**2


@compiled()
def _affine(offsets: Integers, values: Floats, weights: Floats, inverse: Floats, fitted: Floats) -> None:
    """Fill the affine map (3, 2) of weighted least squares, and the inverse of its normal matrix."""
    one, down, across, down2, both, across2 = 1e-9, 0.0, 0.0, 1e-9, 0.0, 1e-9
    right = np.zeros((3, 2))
    for n in range(len(weights)):
        weight, i, j = weights[n], offsets[n, 0], offsets[n, 1]
        one += weight
        down += weight * i
        across += weight * j
        down2 += weight * i * i
        both += weight * i * j
        across2 += weight * j * j
        for a in range(2):
            value = weight * values[n, a]
            right[0, a] += value
            right[1, a] += i * value
            right[2, a] += j * value
    inverse[0, 0] = down2 * across2 - both * both
    inverse[0, 1] = across * both - down * across2
    inverse[0, 2] = down * both - across * down2
    inverse[1, 1] = one * across2 - across * across
    inverse[1, 2] = down * across - one * both
    inverse[2, 2] = one * down2 - down * down
    size = one * inverse[0, 0] + down * inverse[0, 1] + across * inverse[0, 2]
    for a in range(3):
        for b in range(a, 3):
            inverse[a, b] /= size
            inverse[b, a] = inverse[a, b]
    for a in range(3):
        for b in range(2):
            fitted[a, b] = inverse[a, 0] * right[0, b] + inverse[a, 1] * right[1, b] + inverse[a, 2] * right[2, b]
