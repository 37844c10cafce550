"""Lattices of columns: two translations that hold around a column, grown from column to column.

A lattice holds the columns of one class that translations (a, b) take into one another; a dumbbell or a honeycomb is
two lattices, a grain or a twin has its own. Growth follows strain and scan distortion, for each step is predicted from
the members around it. Columns that belong to none, and specimens without any, are as good as others.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.types import Floats, Integers

__all__ = ["Lattice", "find_lattices"]


_FEWEST = 12
_SUPPORT = 0.6
_TOLERANCE = 0.22
_AROUND = 60
_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], np.int64)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Columns that translations take into one another.

    Attributes
    ----------
    members : ndarray of int64, (n,)
        Numbers of the columns.
    indices : ndarray of int64, (n, 2)
        (i, j) of each member.
    basis : ndarray of float64, (2, 2)
        Translations a and b as (row, column) in pixels, averaged over the lattice.
    """

    members: Integers
    indices: Integers
    basis: Floats


def find_lattices(places: Floats, classes: Integers) -> list[Lattice]:
    """Group columns into lattices.

    Parameters
    ----------
    places : ndarray of float64, (n, 2)
        Rows and columns in pixels.
    classes : ndarray of int64, (n,)
        A lattice holds columns of one class.

    Returns
    -------
    list of Lattice
        Largest first, each of at least 12 columns.
    """
    found: list[Lattice] = []
    for kind in np.unique(classes):
        mine = np.nonzero(classes == kind)[0]
        if len(mine) >= _FEWEST:
            found += _of_class(places, mine)
    return sorted(found, key=lambda lattice: -len(lattice.members))


def _of_class(places: Floats, mine: Integers) -> list[Lattice]:
    """Lattices among some columns: grown from seeds until no seed is left."""
    own = places[mine]
    tree = cKDTree(own)
    free = np.ones(len(own), bool)
    tried = np.zeros(len(own), bool)
    around = tree.query(own, k=min(_AROUND, len(own)))[1]
    order = np.argsort(tree.query(own, k=min(7, len(own)))[0][:, -1], kind="stable")
    found = []
    failures = 0
    for seed in order:
        if tried[seed] or not free[seed]:
            continue
        tried[seed] = True
        basis = _translations(own[around[seed]])
        if basis is None:
            failures += 1
            if failures > 40 + len(own) // 50:
                break
            continue
        indices, members = _grow(own, tree, free, int(seed), basis)
        if len(members) < _FEWEST:
            tried[members] = True
            continue
        free[members] = False
        basis = _robust_affine(indices, own[members])[1:]
        found.append(Lattice(mine[members], indices, basis))
    return found


def _translations(places: Floats) -> Floats | None:
    """Two shortest independent translations that take most of some places to others of them."""
    inner = places[: max(8, len(places) // 3)]
    differences = (places[None, :, :] - inner[:, None, :]).reshape(-1, 2)
    lengths = np.hypot(differences[:, 0], differences[:, 1])
    nearest = np.sort(lengths[lengths > 1e-9])[: len(inner)]
    if not len(nearest):
        return None
    distance = float(np.median(nearest))
    reach = 0.6 * float(np.hypot(*(places - inner[0]).T).max())
    near = differences[(lengths > 0.5 * distance) & (lengths < reach)]
    half = near[(near[:, 0] > 0) | ((near[:, 0] == 0) & (near[:, 1] > 0))]
    if not len(half):
        return None
    cloud, tree = cKDTree(half), cKDTree(places)
    tolerance = _TOLERANCE * distance
    first: Floats | None = None
    for t in half[np.argsort(np.hypot(half[:, 0], half[:, 1]), kind="stable")]:
        group = half[cloud.query_ball_point(t, tolerance)]
        if len(group) < 0.3 * len(inner):
            continue
        mean = np.median(group, axis=0)
        if first is not None and abs(first[0] * mean[1] - first[1] * mean[0]) < 0.35 * np.hypot(*first) * np.hypot(
            *mean
        ):
            continue
        support = np.mean(np.minimum(tree.query(inner + mean)[0], tree.query(inner - mean)[0]) < tolerance)
        both = np.mean(tree.query(np.concatenate([inner + mean, inner - mean]))[0] < tolerance)
        if support < _SUPPORT or both < 0.5 * _SUPPORT:
            continue
        if first is None:
            first = mean
        else:
            return _reduced(np.stack([first, mean]))
    return None


def _reduced(basis: Floats) -> Floats:
    """The shortest basis of the same lattice, right-handed."""
    a, b = basis
    while True:
        if np.dot(a, a) > np.dot(b, b):
            a, b = b, a
        turn = round(float(np.dot(a, b) / np.dot(a, a)))
        if turn == 0:
            break
        b = b - turn * a
    if a[0] * b[1] - a[1] * b[0] < 0:
        b = -b
    return np.stack([a, b])


def _grow(
    own: Floats, tree: cKDTree, free: npt.NDArray[np.bool_], seed: int, basis: Floats
) -> tuple[Integers, Integers]:
    """Indices and numbers of the columns that steps along the basis reach from a seed."""
    tolerance = 0.3 * float(np.hypot(*basis.T).min())
    index_of: dict[int, tuple[int, int]] = {seed: (0, 0)}
    member_at: dict[tuple[int, int], int] = {(0, 0): seed}
    local = {seed: basis}
    queue = deque([seed])
    while queue:
        here = queue.popleft()
        i, j = index_of[here]
        mine = _local_basis(own, here, (i, j), member_at, local[here])
        for step in _STEPS:
            target = (i + int(step[0]), j + int(step[1]))
            if target in member_at:
                continue
            distance, found = tree.query(own[here] + step @ mine)
            number = int(found)
            if distance > tolerance or not free[number] or number in index_of:
                continue
            index_of[number], member_at[target], local[number] = target, number, mine
            queue.append(number)
    members = np.array(list(index_of), np.int64)
    return np.array([index_of[int(number)] for number in members], np.int64), members


def _local_basis(
    own: Floats, here: int, index: tuple[int, int], member_at: dict[tuple[int, int], int], before: Floats
) -> Floats:
    """Basis around a member: what came down from its neighbour, moved towards the steps that are there."""
    basis = before.copy()
    for axis, step in enumerate(((1, 0), (0, 1))):
        seen = []
        for sign in (1, -1):
            other = member_at.get((index[0] + sign * step[0], index[1] + sign * step[1]))
            if other is not None:
                seen.append(sign * (own[other] - own[here]))
        for vector in seen:
            basis[axis] += 0.15 * (vector - basis[axis])
    return basis


def _robust_affine(indices: Integers, places: Floats) -> Floats:
    """Affine map (3, 2) by least squares that reject what lies beyond 2.5 medians."""
    design = np.column_stack([np.ones(len(indices)), indices]).astype(np.float64)
    kept = np.ones(len(indices), bool)
    fitted: Floats = np.zeros((3, 2))
    for _ in range(8):
        fitted = np.asarray(np.linalg.lstsq(design[kept], places[kept], rcond=None)[0], np.float64)
        off = np.hypot(*(places - design @ fitted).T)
        kept = off <= 2.5 * max(float(np.median(off)), 1e-9)
    return fitted
