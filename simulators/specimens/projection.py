"""A crystal seen along a zone axis: its atomic columns in the repeating cell of the projection.

Along a lattice vector [uvw] the projected structure repeats on a two-dimensional lattice. Two further lattice vectors
that complete [uvw] to a basis of the same lattice span it; Gauss reduction picks the shortest pair. The picture is
seen from the electron source with [uvw] pointing towards the eye, the shortest vector to the right, the other upwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.types import Floats

if TYPE_CHECKING:
    from ase import Atoms

    from stemscan.simulators.specimens.crystals import Zone

__all__ = ["Z_EXPONENT", "Projection", "project"]

Z_EXPONENT: Final = 1.7
"""Exponent of the atomic number in the high-angle annular dark-field signal."""

_SAME_NM = 1e-5


@dataclass(frozen=True)
class Projection:
    """Repeating cell of a crystal's projection.

    Attributes
    ----------
    right : tuple of int
        Lattice vector whose projection points to the right.
    cell : float64 (2, 2)
        The two vectors that span the cell, one a row, as (to the right, upwards) in nm; the first lies flat.
    columns : float64 (n, 2)
        Column positions in fractions of the two vectors, in [0, 1).
    weights : float64 (n,)
        Sum of Z**exponent over the atoms of one period of each column.
    names : tuple of str
        Elements of each column, heaviest first, as in ``TiO``.
    """

    right: tuple[int, int, int]
    cell: NDArray[np.float64]
    columns: NDArray[np.float64]
    weights: NDArray[np.float64]
    names: tuple[str, ...]


def project(atoms: Atoms, zone: Zone, exponent: float) -> Projection:
    """Project a crystal along a zone axis.

    Parameters
    ----------
    atoms : ase.Atoms
        A periodic cell, lengths in angstrom.
    zone : tuple of int
        Direct-lattice indices [uvw] of that cell without a common factor.
    exponent : float
        Of the atomic number in a column's weight; 1.7 for high-angle annular dark field.
    """
    lattice = np.asarray(atoms.cell.array, np.float64) / 10.0
    towards = np.asarray(zone) @ lattice
    towards /= math.sqrt(float(towards @ towards))
    right, other = _oriented(*_reduced(*_completion(zone), lattice, towards), lattice, towards)
    x_axis = _flat(right, lattice, towards)
    x_axis /= math.sqrt(float(x_axis @ x_axis))
    frame = np.stack([x_axis, np.cross(towards, x_axis)], axis=1)
    cell = np.stack([right @ lattice @ frame, other @ lattice @ frame])
    cell[0, 1] = 0.0
    places = (np.asarray(atoms.positions, np.float64) / 10.0) @ frame @ np.linalg.inv(cell)
    columns, owners = _merge(places, cell)
    weights = np.zeros(len(columns))
    np.add.at(weights, owners, np.asarray(atoms.numbers, np.float64) ** exponent)
    names = tuple(_name(atoms[owners == number]) for number in range(len(columns)))
    return Projection((int(right[0]), int(right[1]), int(right[2])), cell, columns, weights, names)


def _completion(zone: Zone) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two integer vectors that form, with `zone`, a basis of all integer vectors."""
    u, v, w = zone
    if u == 0 and v == 0:
        return np.array([1, 0, 0]), np.array([0, 1, 0])
    g, p, q = _bezout(u, v)
    _, r, s = _bezout(g, w)
    return np.array([-q, p, 0]), np.array([-s * u // g, -s * v // g, r])


def _bezout(a: int, b: int) -> tuple[int, int, int]:
    """(g, p, q) with p a + q b = g, the greatest common divisor, above zero."""
    g, p, q, g2, p2, q2 = a, 1, 0, b, 0, 1
    while g2:
        n = g // g2
        g, p, q, g2, p2, q2 = g2, p2, q2, g - n * g2, p - n * p2, q - n * q2
    return (g, p, q) if g > 0 else (-g, -p, -q)


def _flat(indices: NDArray[np.int64], lattice: Floats, towards: Floats) -> Floats:
    """Part of a lattice vector that lies in the picture, in nm."""
    vector = indices @ lattice
    return np.asarray(vector - (vector @ towards) * towards)


def _reduced(
    first: NDArray[np.int64], second: NDArray[np.int64], lattice: Floats, towards: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gauss reduction: the shortest two vectors that span the same projected lattice."""
    while True:
        a, b = _flat(first, lattice, towards), _flat(second, lattice, towards)
        if a @ a > (b @ b) * (1 + 1e-9):
            first, second, a, b = second, first, b, a
        steps = round(float(a @ b) / float(a @ a) * (1 - 1e-9))
        if steps == 0:
            return first, second
        second = second - steps * first


def _oriented(
    first: NDArray[np.int64], second: NDArray[np.int64], lattice: Floats, towards: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose signs, and between equally long vectors, so that the picture is always the same."""
    a, b = _flat(first, lattice, towards), _flat(second, lattice, towards)
    candidates = [_positive(first)]
    if abs(float(a @ a - b @ b)) < 1e-9 * float(a @ a):
        candidates.append(_positive(second))
    right = max(candidates, key=lambda vector: vector.tolist())
    other = second if right is candidates[0] else first
    across = np.cross(_flat(right, lattice, towards), _flat(other, lattice, towards))
    return right, other if across @ towards > 0 else -other


def _positive(vector: NDArray[np.int64]) -> NDArray[np.int64]:
    """The vector or its opposite, whichever has its first index other than zero above zero."""
    return vector if vector[np.flatnonzero(vector)[0]] > 0 else -vector


def _merge(places: Floats, cell: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Places of columns, and the column of each atom: atoms that stand behind one another are in one."""
    columns: list[Floats] = []
    owners = np.empty(len(places), np.int64)
    for atom, place in enumerate(places):
        for number, column in enumerate(columns):
            apart = (place - column - np.round(place - column)) @ cell
            if apart @ apart < _SAME_NM**2:
                owners[atom] = number
                break
        else:
            inside = place - np.floor(place + 1e-9)
            owners[atom] = len(columns)
            columns.append(np.where(np.abs(inside) < 1e-9, 0.0, inside))
    return np.array(columns), owners


def _name(atoms: Atoms) -> str:
    """Elements of a column, heaviest first."""
    symbols = dict(zip(atoms.numbers.tolist(), atoms.get_chemical_symbols(), strict=True))
    return "".join(symbols[number] for number in sorted(symbols, reverse=True))
