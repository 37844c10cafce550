"""Structures of crystals, against their space groups and the literature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stemscan.simulators.specimens.crystals import CRYSTALS, crystal_atoms

if TYPE_CHECKING:
    from ase import Atoms

Sites = list[tuple[str, tuple[float, float, float]]]
ORIGIN = (0.0, 0.0, 0.0)
HALF = (0.5, 0.5, 0.5)
QUARTER = (0.25, 0.25, 0.25)


def _polar(a: str, b: str, heights: tuple[float, float, float]) -> Sites:
    z_b, z_apex, z_base = heights
    return [(a, ORIGIN), (b, (0.5, 0.5, z_b)), ("O", (0.5, 0.5, z_apex)), ("O", (0.5, 0, z_base))]


def _wurtzite(a: str, b: str, u: float) -> Sites:
    return [(a, (1 / 3, 2 / 3, 0)), (b, (1 / 3, 2 / 3, u))]


def _layered(metal: str, chalcogen: str) -> Sites:
    return [(metal, (1 / 3, 2 / 3, 0.25)), (chalcogen, (1 / 3, 2 / 3, 0.621))]


def _monolayer(metal: str, chalcogen: str, half: float) -> Sites:
    return [(metal, ORIGIN), (chalcogen, (1 / 3, 2 / 3, half / 15))]


# Space group, its setting in ase, and one site of each orbit.
SPACE_GROUPS: dict[str, tuple[int, int, Sites]] = {
    "SrTiO3": (221, 1, [("Sr", ORIGIN), ("Ti", HALF), ("O", (0.5, 0.5, 0))]),
    "KTaO3": (221, 1, [("K", ORIGIN), ("Ta", HALF), ("O", (0.5, 0.5, 0))]),
    "BaTiO3": (99, 1, _polar("Ba", "Ti", (0.5224, 0.9756, 0.4895))),
    "PbTiO3": (99, 1, _polar("Pb", "Ti", (0.5377, 0.1118, 0.6174))),
    "YBa2Cu3O7": (
        47,
        1,
        [
            ("Y", HALF),
            ("Ba", (0.5, 0.5, 0.1843)),
            ("Cu", ORIGIN),
            ("Cu", (0, 0, 0.3556)),
            ("O", (0, 0.5, 0)),
            ("O", (0.5, 0, 0.3773)),
            ("O", (0, 0.5, 0.3789)),
            ("O", (0, 0, 0.1584)),
        ],
    ),
    **{name: (227, 1, [(element, ORIGIN)]) for name, element in (("Si", "Si"), ("Ge", "Ge"), ("diamond", "C"))},
    **{
        f"{a}{b}": (216, 1, [(a, ORIGIN), (b, QUARTER)])
        for a, b in (("Si", "C"), ("Ga", "As"), ("In", "P"), ("Cd", "Te"))
    },
    "GaN": (186, 1, _wurtzite("Ga", "N", 0.377)),
    "AlN": (186, 1, _wurtzite("Al", "N", 0.3821)),
    "ZnO": (186, 1, _wurtzite("Zn", "O", 0.382)),
    **{f"{a}{b}": (225, 1, [(a, ORIGIN), (b, HALF)]) for a, b in (("Mg", "O"), ("Na", "Cl"), ("Pb", "Te"))},
    "CeO2": (225, 1, [("Ce", ORIGIN), ("O", QUARTER)]),
    "TiO2": (136, 1, [("Ti", ORIGIN), ("O", (0.3048, 0.3048, 0))]),
    **{element: (225, 1, [(element, ORIGIN)]) for element in ("Al", "Cu", "Ag", "Au", "Pt")},
    **{element: (229, 1, [(element, ORIGIN)]) for element in ("Fe", "W")},
    "Mg": (194, 1, [("Mg", (1 / 3, 2 / 3, 0.25))]),
    "Bi2Te3": (166, 1, [("Te", ORIGIN), ("Bi", (0, 0, 0.4001)), ("Te", (0, 0, 0.2095))]),
    "graphite": (194, 1, [("C", (0, 0, 0.25)), ("C", (1 / 3, 2 / 3, 0.25))]),
    "graphene": (191, 1, [("C", (1 / 3, 2 / 3, 0))]),
    "hBN": (187, 1, [("B", (1 / 3, 2 / 3, 0)), ("N", (2 / 3, 1 / 3, 0))]),
    "MoS2": (194, 1, _layered("Mo", "S")),
    "WSe2": (194, 1, _layered("W", "Se")),
    "MoS2-monolayer": (187, 1, _monolayer("Mo", "S", 1.565)),
    "WSe2-monolayer": (187, 1, _monolayer("W", "Se", 1.672)),
}


# Shortest distance between atoms in angstrom, from the literature.
BONDS = {
    "SrTiO3": 1.953,
    "KTaO3": 1.995,
    "BaTiO3": 1.83,
    "PbTiO3": 1.77,
    "YBa2Cu3O7": 1.85,
    "Si": 2.352,
    "Ge": 2.450,
    "diamond": 1.545,
    "SiC": 1.888,
    "GaAs": 2.448,
    "InP": 2.541,
    "CdTe": 2.807,
    "GaN": 1.95,
    "AlN": 1.89,
    "ZnO": 1.975,
    "MgO": 2.106,
    "NaCl": 2.820,
    "PbTe": 3.231,
    "CeO2": 2.343,
    "TiO2": 1.949,
    "Al": 2.863,
    "Cu": 2.556,
    "Ag": 2.889,
    "Au": 2.884,
    "Pt": 2.774,
    "Fe": 2.482,
    "W": 2.741,
    "Mg": 3.197,
    "Bi2Te3": 3.07,
    "graphite": 1.421,
    "graphene": 1.421,
    "hBN": 1.446,
    "MoS2": 2.417,
    "WSe2": 2.53,
    "MoS2-monolayer": 2.41,
    "WSe2-monolayer": 2.527,
}


def assert_same_sites(first: Atoms, second: Atoms) -> None:
    """Every atom of one structure stands on an atom of the other, and the other way round."""
    assert sorted(first.numbers) == sorted(second.numbers)
    apart = first.get_scaled_positions()[:, None] - second.get_scaled_positions()[None]
    near = (np.abs(apart - np.round(apart)) < 1e-6).all(axis=2)
    np.testing.assert_array_equal(near.sum(axis=0), 1)
    np.testing.assert_array_equal(near.sum(axis=1), 1)
    assert (first.numbers == np.asarray(second.numbers)[near.argmax(axis=1)]).all()


@pytest.mark.parametrize("name", CRYSTALS)
def test_structures_are_those_of_their_space_groups(name: str) -> None:
    from ase.spacegroup import crystal

    number, setting, sites = SPACE_GROUPS[name]
    reference = crystal(
        [symbol for symbol, _ in sites],
        [place for _, place in sites],
        spacegroup=number,
        setting=setting,
        cellpar=CRYSTALS[name].cell,
    )
    atoms = crystal_atoms(name)
    assert_same_sites(atoms, reference)
    np.testing.assert_allclose(atoms.cell.array, reference.cell.array, atol=1e-9)


@pytest.mark.parametrize("name", CRYSTALS)
def test_bond_lengths_are_those_of_the_literature(name: str) -> None:
    atoms = crystal_atoms(name)
    repeated = atoms.repeat((3, 3, 3))
    distances = repeated.get_distances(0, range(len(repeated)), mic=True)
    shortest = min(
        repeated.get_distances(i, [j for j in range(len(repeated)) if j != i], mic=True).min()
        for i in range(len(atoms))
    )
    assert distances.shape == (len(repeated),)
    assert shortest == pytest.approx(BONDS[name], rel=0.01)
