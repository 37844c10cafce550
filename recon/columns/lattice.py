"""Lattices of columns: two translations that hold around a column, grown from column to column.

A lattice holds the columns that translations (a, b) take into one another, among columns of equal amplitude in the
mean: a dumbbell or a honeycomb is two lattices, the two kinds of site of a perovskite are two, a grain or a twin has
its own. A single column at a site may differ, as a substitution does. Growth follows strain and scan distortion, for
each step is predicted from the members around it. Columns that belong to none, and specimens without any, are as good
as others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.lattice_kernels import MEDIAN_OF_SQUARES, UNEQUAL, grow, translations
from stemscan.recon.columns.sites import Lattice, predict
from stemscan.types import Floats, Integers

__all__ = ["find_lattices"]


_FEWEST = 12
_TOLERANCE = 0.22
_AROUND = 100
_INNER = 24
_LONGEST = 0.7
_HALF = 0.3
"""Share of members with a column half a translation away from which on the cell is doubted."""
_OFF = 0.3
"""Share of the distance of neighbours by which a member may stand off its site."""
_PRUNINGS = 15
_SMALLER = 0.8
"""Area over another one's below which a cell is tried in its place."""


def find_lattices(places: Floats, amplitudes: Floats, errors: Floats) -> list[Lattice]:
    """Group columns into lattices, each grown from a seed until no seed is left.

    Parameters
    ----------
    places : ndarray of float64, (n, 2)
        Rows and columns in pixels.
    amplitudes, errors : ndarray of float64, (n,)
        With their standard deviations.

    Returns
    -------
    list of Lattice
        Largest first, each of at least 12 columns.
    """
    if len(places) < _FEWEST:
        return []
    tree, bins = cKDTree(places), _Bins.of(places)
    free = np.ones(len(places), bool)
    tried = np.zeros(len(places), bool)
    distances = tree.query(places, k=7)[0]
    order = np.argsort(distances[:, 6], kind="stable")
    found: list[Lattice] = []
    failures = 0
    for seed in order:
        if tried[seed] or not free[seed]:
            continue
        tried[seed] = True
        around = tree.query(places[seed], k=min(_AROUND, len(places)))[1]
        basis = _translations(places, amplitudes, errors, around)
        if basis is None:
            failures += 1
            if failures > 40 + len(places) // 50:
                break
            continue
        apart = float(np.median(distances[around[:_INNER], 1]))
        indices, members = bins.grow(free, int(seed), basis, apart)
        if len(members) < _FEWEST:
            tried[members] = True
            continue
        doubted = _doubted(tree, amplitudes, errors, members, basis)
        for other in around[_INNER::_INNER] if doubted else ():
            further = _translations(places, amplitudes, errors, tree.query(places[other], k=len(around))[1])
            if further is not None and _area(further) < _SMALLER * _area(basis):
                more = bins.grow(free, int(seed), further, apart)
                if len(more[1]) > len(members):
                    basis, (indices, members) = further, more
        lattice = _consistent(Lattice(members, indices, basis), places, _OFF * apart)
        if lattice is None:
            tried[members] = True
            continue
        free[lattice.members] = False
        found.append(replace(lattice, basis=_robust_affine(lattice.indices, places[lattice.members])[1:]))
    return sorted(found, key=lambda lattice: -len(lattice.members))


def _consistent(lattice: Lattice, places: Floats, tolerance: float) -> Lattice | None:
    """The lattice without members that stand farther from their sites, as those around say; None if too few are left.

    Growth goes from column to column, and may turn with them into a grain of another orientation.
    """
    for _ in range(_PRUNINGS):
        if len(lattice.members) < _FEWEST or (np.ptp(lattice.indices, axis=0) == 0).any():
            return None
        sites = predict(lattice, places, lattice.indices).places
        good = np.hypot(*(places[lattice.members] - sites).T) <= tolerance
        if good.all():
            break
        lattice = replace(lattice, members=lattice.members[good], indices=lattice.indices[good])
    return lattice if len(lattice.members) >= _FEWEST else None


def _translations(places: Floats, amplitudes: Floats, errors: Floats, around: Integers) -> Floats | None:
    """Two shortest independent translations that take most columns near the first of some to others of equal size."""
    own, inner = places[around], places[around[:_INNER]]
    differences = (own[None, :, :] - inner[:, None, :]).reshape(-1, 2)
    lengths = np.hypot(differences[:, 0], differences[:, 1])
    distance = float(np.median(np.sort(lengths[lengths > 1e-9])[: len(inner)]))
    reach = _LONGEST * float(np.hypot(*(own - inner[0]).T).max())
    wanted = (lengths > 0.5 * distance) & (lengths < reach)
    wanted &= (differences[:, 0] > 0) | ((differences[:, 0] == 0) & (differences[:, 1] > 0))
    order = np.flatnonzero(wanted)[np.argsort(lengths[wanted], kind="stable")]
    found = np.empty((2, 2))
    tolerance = _TOLERANCE * distance
    if not translations(
        own, len(inner), amplitudes[around], errors[around], differences[order], lengths[order], tolerance, found
    ):
        return None
    return _reduced(found)


def _doubted(tree: cKDTree, amplitudes: Floats, errors: Floats, members: Integers, basis: Floats) -> bool:
    """Tell whether columns as large as the members stand half a translation from them: a smaller cell is likely."""
    for half in (basis[0] / 2, basis[1] / 2, (basis[0] + basis[1]) / 2):
        off, nearest = tree.query(tree.data[members] + half)
        met = off < _TOLERANCE * float(np.hypot(*half))
        if met.mean() > _HALF and not _unequal(amplitudes, errors, members[met], nearest[met]):
            return True
    return False


def _area(basis: Floats) -> float:
    """Of a cell."""
    return abs(_cross(basis[0], basis[1]))


def _cross(a: Floats, b: Floats) -> float:
    """Area between two vectors."""
    return float(a[0] * b[1] - a[1] * b[0])


def _unequal(amplitudes: Floats, errors: Floats, one: Integers, other: Integers) -> bool:
    """Tell whether the amplitudes of pairs of columns differ by more than their errors and a tenth."""
    variance = errors[one] ** 2 + errors[other] ** 2 + (0.1 * amplitudes[one]) ** 2
    squares = (amplitudes[one] - amplitudes[other]) ** 2 / variance
    return bool(np.median(squares) > UNEQUAL * MEDIAN_OF_SQUARES)


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
    if _cross(a, b) < 0:
        b = -b
    return np.stack([a, b])


@dataclass(frozen=True, eq=False)
class _Bins:
    """Columns sorted by square bins, and a table for the growth of lattices; see `grow`."""

    places: Floats
    order: Integers
    starts: Integers
    corner: Floats
    side: float
    table: Integers

    @classmethod
    def of(cls, places: Floats) -> _Bins:
        """Sort columns into about as many bins."""
        corner, extent = places.min(axis=0), np.ptp(places, axis=0) + 1e-9
        side = max(math.sqrt(float(extent.prod()) / len(places)), float(extent.max()) / len(places))
        bins = (extent // side).astype(np.int64) + 1
        down, across = ((places - corner) // side).astype(np.int64).T
        number = down * bins[1] + across
        order = np.argsort(number, kind="stable")
        first = np.searchsorted(number[order], np.arange(bins.prod() + 1))
        starts = first[np.arange(bins[0])[:, None] * bins[1] + np.arange(bins[1] + 1)]
        table = np.full((1 << (4 * len(places)).bit_length(), 3), -1, np.int64)
        return cls(places, order, starts, corner, side, table)

    def grow(self, free: npt.NDArray[np.bool_], seed: int, basis: Floats, apart: float) -> tuple[Integers, Integers]:
        """Indices and numbers of the columns that steps along the basis reach from a seed; neighbours are `apart`."""
        tolerance = min(0.3 * float(np.hypot(*basis.T).min()), 0.42 * apart)
        return grow(
            self.places, self.order, self.starts, self.corner, self.side, free, seed, basis, tolerance, self.table
        )


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
