"""Materials of synthetic specimens: a known structure with other elements and lattice constants, along a low zone axis.

A material is what a picture needs of a crystal: the projected cell, the columns in it, and how bright each is per
length. Structures are those of `crystals`; half of the materials have elements replaced by similar ones, and all have
lattice constants of their own, so that no two specimens share a lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.specimens.crystals import CRYSTALS, Zone, crystal_atoms
from stemscan.simulators.specimens.projection import project
from stemscan.simulators.specimens.synthetic.choices import Choices

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["SHEETS", "SPACING", "Material", "choose_material", "choose_sheet"]

SPACING: Final = (6.0, 40.0)
"""Distance of the nearest columns in pixels."""

SHEETS: Final = ("graphene", "hBN", "MoS2-monolayer", "WSe2-monolayer", "MoS2", "WSe2")
"""Structures of two-dimensional materials."""

_BULK: Final = tuple(name for name in CRYSTALS if name not in SHEETS[:4])
_ZONES: Final[tuple[Zone, ...]] = ((0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0))
_NEAREST_NM: Final = 0.09
_ATTEMPTS: Final = 40
_LIGHT: Final = (6, 7, 8, 9, 16, 17, 34, 35, 52)
_HEAVY: Final = (12, 13, 14, 20, 22, 26, 27, 28, 29, 30, 31, 32, 38, 40, 41, 42, 46, 47, 48, 49, 50, 56, 57, 58, 66)
_HEAVIEST: Final = (72, 73, 74, 78, 79, 82, 83)


@dataclass(frozen=True)
class Material:
    """A crystal as it is projected.

    Parameters
    ----------
    cell : float64 (2, 2)
        The two vectors of the projected cell, one a row, as (down, right); in nm as chosen, in pixels once scaled.
    columns : float64 (n, 2)
        Places in fractions of the two vectors.
    weights : float64 (n,)
        Sum of Z**gamma per nm along the column.
    nearest : float
        Distance of the nearest two columns, in the cell's unit.
    """

    cell: NDArray[np.float64]
    columns: NDArray[np.float64]
    weights: NDArray[np.float64]
    nearest: float

    def scaled(self, factor: float) -> Material:
        """With all lengths multiplied."""
        return replace(self, cell=self.cell * factor, nearest=self.nearest * factor)

    def mapped(self, matrix: NDArray[np.float64]) -> Material:
        """Rotated, sheared or mirrored: (down, right) vectors multiplied by a matrix from the left."""
        return replace(self, cell=self.cell @ matrix.T)


def choose_material(choices: Choices, gamma: float, pixel_size_nm: float | None) -> Material:
    """Choose a bulk crystal, its elements, lattice constants and zone axis.

    Parameters
    ----------
    gamma : float
        Exponent of the atomic number.
    pixel_size_nm : float or None
        Pixel size; materials whose nearest columns stand 6 to 40 pixels apart are preferred.

    Returns
    -------
    Material
        Lengths in nm; nearest columns at least 0.09 nm apart.
    """
    tried: list[tuple[float, Material, Choices]] = []
    for attempt in range(_ATTEMPTS):
        trial = choices.apart(f"attempt {attempt}")
        material = _attempt(trial, gamma)
        tried.append((_misfit(material.nearest, pixel_size_nm), material, trial))
        if tried[-1][0] == 0:
            break
    _, material, trial = min(tried, key=lambda one: one[0])
    choices.made.update(trial.made)
    return material


def choose_sheet(choices: Choices, gamma: float) -> Material:
    """Choose a two-dimensional material seen from above, as `choose_material`."""
    name = choices.one_of("structure", SHEETS, (2, 2, 4, 4, 2, 2))
    return _made(choices, name, (0, 0, 1), gamma)


def _misfit(nearest_nm: float, pixel_size_nm: float | None) -> float:
    """Distance of a material from one that can be drawn well; zero where it can."""
    misfit = 10.0 * max(0.0, math.log(_NEAREST_NM / nearest_nm))
    if pixel_size_nm is not None:
        spacing = nearest_nm / pixel_size_nm
        misfit += max(0.0, math.log(SPACING[0] / spacing), math.log(spacing / SPACING[1]))
    return misfit


def _attempt(choices: Choices, gamma: float) -> Material:
    """One candidate."""
    name = choices.one_of("structure", _BULK)
    usual = choices.chance("usual zone axis", 0.4)
    zone = CRYSTALS[name].zone if usual else choices.one_of("zone axis", _ZONES)
    return _made(choices, name, zone, gamma)


def _made(choices: Choices, name: str, zone: Zone, gamma: float) -> Material:
    """A structure with its own elements and lattice constants, projected."""
    atoms = crystal_atoms(name)
    if choices.chance("other elements", 0.5):
        _replace_elements(choices, atoms)
    size = choices.uniform("lattice scale", 0.94, 1.06)
    ratio = choices.uniform("axial ratio", 0.98, 1.02)
    scale = np.array([size, size, size * ratio])
    atoms.set_cell(atoms.cell.array * scale[:, None], scale_atoms=True)
    projection = project(atoms, zone, gamma)
    length = float(np.linalg.norm(np.asarray(zone) @ np.asarray(atoms.cell.array))) / 10.0
    cell = np.stack([-projection.cell[:, 1], projection.cell[:, 0]], axis=1)
    return Material(cell, projection.columns, projection.weights / length, _nearest(cell, projection.columns))


def _replace_elements(choices: Choices, atoms: Atoms) -> None:
    """Give each element a similar one instead: light for light, heavy for heavy."""
    numbers: Any = atoms.numbers.copy()
    for z in sorted(set(numbers.tolist())):
        group = _LIGHT if z in _LIGHT else _HEAVY + (_HEAVIEST if z > 50 else ())
        atoms.numbers[numbers == z] = choices.one_of(f"Z {z} becomes", group)


def _nearest(cell: NDArray[np.float64], columns: NDArray[np.float64]) -> float:
    """Distance of the nearest two columns."""
    apart = columns[:, None, :] - columns[None, :, :]
    shifts = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)], float)
    square = (((apart[:, :, None, :] + shifts) @ cell) ** 2).sum(axis=-1)
    return math.sqrt(float(square[square > 1e-8].min()))
