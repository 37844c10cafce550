"""Compiled: growth of a lattice from column to column, and robust affine fits around sites."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Floats, Integers

__all__ = ["MEDIAN_OF_SQUARES", "UNEQUAL", "grow", "local_fits", "translations"]

MEDIAN_OF_SQUARES = 0.455
UNEQUAL = 1.7
"""Median of squared differences, over that of a normal law, beyond which amplitudes are not equal."""

_TOWARDS = 0.15
_SUPPORT = 0.65
_FEWEST = 4
_PROMISING = 0.3
_INDEPENDENT = 0.35


@compiled()
def translations(
    own: Floats,
    inner: int,
    amplitudes: Floats,
    errors: Floats,
    steps: Floats,
    lengths: Floats,
    tolerance: float,
    found: Floats,
) -> bool:
    """Two shortest independent steps that take most of the first columns to others of equal size; False without two.

    Parameters
    ----------
    own : ndarray of float64, (n, 2)
        Columns, the `inner` first of which are to have a partner.
    amplitudes, errors : ndarray of float64, (n,)
        With their standard deviations.
    steps : ndarray of float64, (m, 2)
        Differences of columns to choose from, the shortest first, of one of two opposite ones.
    lengths : ndarray of float64, (m,)
    tolerance : float
        Distance within which two places are the same.
    found : ndarray of float64, (2, 2)
        Filled.
    """
    group, squares, refused = np.empty(len(steps)), np.empty(2 * inner), np.zeros(len(steps), np.bool_)
    low, high = np.empty(2), np.empty(2)
    for a in range(2):
        low[a], high[a] = own[:, a].min() - tolerance, own[:, a].max() + tolerance
    mean, number_found, first = np.empty(2), 0, 0
    for number in range(len(steps)):
        while lengths[first] < lengths[number] - tolerance:
            first += 1
        if refused[number]:
            continue
        for a in range(2):
            count, n = 0, first
            while n < len(steps) and lengths[n] <= lengths[number] + tolerance:
                y, x = steps[n, 0] - steps[number, 0], steps[n, 1] - steps[number, 1]
                if y * y + x * x <= tolerance * tolerance:
                    group[count] = steps[n, a]
                    count += 1
                n += 1
            if count < _PROMISING * inner:
                break
            mean[a] = np.median(group[:count])
        if count < _PROMISING * inner:
            continue
        if number_found:
            turned = found[0, 0] * mean[1] - found[0, 1] * mean[0]
            sizes = math.hypot(found[0, 0], found[0, 1]) * math.hypot(mean[0], mean[1])
            if abs(turned) < _INDEPENDENT * sizes:
                continue
        expected, met = 0, 0
        for sign in (1, -1):
            for k in range(inner):
                y, x = own[k, 0] + sign * mean[0], own[k, 1] + sign * mean[1]
                if not (low[0] < y < high[0] and low[1] < x < high[1]):
                    continue
                expected += 1
                near, least = -1, tolerance * tolerance
                for n in range(len(own)):
                    off = (own[n, 0] - y) ** 2 + (own[n, 1] - x) ** 2
                    if off < least:
                        near, least = n, off
                if near >= 0:
                    variance = errors[k] ** 2 + errors[near] ** 2 + (0.1 * amplitudes[k]) ** 2
                    squares[met] = (amplitudes[k] - amplitudes[near]) ** 2 / variance
                    met += 1
        if met < max(_SUPPORT * expected, _FEWEST) or np.median(squares[:met]) > UNEQUAL * MEDIAN_OF_SQUARES:
            for n in range(len(steps)):
                if math.hypot(steps[n, 0] - mean[0], steps[n, 1] - mean[1]) <= 0.5 * tolerance:
                    refused[n] = True
            continue
        found[number_found, 0], found[number_found, 1] = mean[0], mean[1]
        number_found += 1
        if number_found == 2:
            return True
    return False


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
    members[0], count, done = seed, 1, 0
    for a in range(2):
        indices[0, a], local[0, a, 0], local[0, a, 1] = 0, basis[a, 0], basis[a, 1]
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
                members[count], slots[count] = found, step
                for a in range(2):
                    local[count, a, 0], local[count, a, 1] = mine[a, 0], mine[a, 1]
                indices[count, 0], indices[count, 1] = to_i, to_j
                table[step, 0], table[step, 1], table[step, 2] = to_i, to_j, count
                count += 1
        done += 1
    for n in range(count):
        free[members[n]] = True
        table[slots[n], 2] = -1
    return indices[:count].copy(), members[:count].copy()


@compiled()
def local_fits(
    begin: int,
    end: int,
    indices: Integers,
    own: Floats,
    asked: Integers,
    near: Integers,
    rounds: int,
    places: Floats,
    variances: Floats,
) -> None:
    """Values of robust affine fits to members around some indices, and their variances per axis.

    Parameters
    ----------
    begin, end : int
        The first of `asked`, and that before which to stop.
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
    offsets, values = np.empty((count, 2), np.int64), np.empty((count, 2))
    taper, weights, off, inverse = np.empty(count), np.empty(count), np.empty(count), np.empty((3, 3))
    fitted = np.empty((3, 2))
    for k in range(begin, end):
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
