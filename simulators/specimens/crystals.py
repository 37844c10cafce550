"""Crystals by name, as ase structures, with the zone axis they are usually imaged along.

A recipe is a conventional cell: lengths and angles, a lattice centring, and the atoms that the centring repeats.
`ase.Atoms` holds the structure; ase's space-group module, slow to import, is needed only by the tests, which build
every recipe a second time from its space group and Wyckoff positions. `ase.build` is not used: of 36 crystals it makes
the same numbers in the same order for the 7 fcc and bcc elements alone (others differ in the order of atoms, in the
last bits or in the origin of the cell, and perovskites, rutile and YBa2Cu3O7 it does not know), and its import takes
0.6 s, that of `ase.Atoms` 0.01 s. Lattice constants are those of room temperature.
Two-dimensional materials stand in cells 1.5 nm high, so that their layers are apart when seen edge-on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["CRYSTALS", "Crystal", "Zone", "crystal_atoms"]


Zone = tuple[int, int, int]
Site = tuple[str, float, float, float]
Cell = tuple[float, float, float, float, float, float]

_CENTRINGS: Final = {
    "P": ((0.0, 0.0, 0.0),),
    "I": ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)),
    "F": ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    "R": ((0.0, 0.0, 0.0), (2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)),
}


@dataclass(frozen=True)
class Crystal:
    """A crystal structure that `crystal:NAME` can name.

    Attributes
    ----------
    cell : tuple of float
        Lengths a, b, c in angstrom and angles alpha, beta, gamma in degrees of the conventional cell.
    centring : str
        P, I, F or R (hexagonal axes, obverse).
    sites : tuple
        (element, x, y, z) in fractions of the cell, before the centring repeats them.
    zone : tuple of int
        Zone axis [uvw] where none is given.
    """

    cell: Cell
    centring: str
    sites: tuple[Site, ...]
    zone: Zone = (0, 0, 1)

    @property
    def hexagonal(self) -> bool:
        """Tell whether zone axes may be given with four indices."""
        return self.cell[5] == 120


def _cubic(a: float) -> Cell:
    return (a, a, a, 90, 90, 90)


def _tetragonal(a: float, c: float) -> Cell:
    return (a, a, c, 90, 90, 90)


def _hexagonal(a: float, c: float) -> Cell:
    return (a, a, c, 90, 90, 120)


def _fcc(element: str, a: float) -> Crystal:
    return Crystal(_cubic(a), "F", ((element, 0, 0, 0),), (1, 1, 0))


def _bcc(element: str, a: float) -> Crystal:
    return Crystal(_cubic(a), "I", ((element, 0, 0, 0),))


def _hcp(element: str, a: float, c: float) -> Crystal:
    return Crystal(_hexagonal(a, c), "P", ((element, 1 / 3, 2 / 3, 1 / 4), (element, 2 / 3, 1 / 3, 3 / 4)))


def _zincblende(first: str, second: str, a: float) -> Crystal:
    """Diamond where both elements are the same."""
    return Crystal(_cubic(a), "F", ((first, 0, 0, 0), (second, 0.25, 0.25, 0.25)), (1, 1, 0))


def _rocksalt(first: str, second: str, a: float) -> Crystal:
    return Crystal(_cubic(a), "F", ((first, 0, 0, 0), (second, 0.5, 0.5, 0.5)))


def _wurtzite(first: str, second: str, a: float, c: float, u: float) -> Crystal:
    sites: tuple[Site, ...] = (
        (first, 1 / 3, 2 / 3, 0),
        (first, 2 / 3, 1 / 3, 0.5),
        (second, 1 / 3, 2 / 3, u),
        (second, 2 / 3, 1 / 3, u + 0.5),
    )
    return Crystal(_hexagonal(a, c), "P", sites, (1, 1, 0))


def _perovskite(a_site: str, b_site: str, cell: Cell, b: float = 0.5, apex: float = 0.0, base: float = 0.5) -> Crystal:
    """ABO3; heights of the B atom and of the apical and equatorial oxygen where the cell is polar."""
    sites: tuple[Site, ...] = (
        (a_site, 0, 0, 0),
        (b_site, 0.5, 0.5, b),
        ("O", 0.5, 0.5, apex),
        ("O", 0.5, 0, base),
        ("O", 0, 0.5, base),
    )
    return Crystal(cell, "P", sites)


def _dichalcogenide_2h(metal: str, chalcogen: str, a: float, c: float, z: float) -> Crystal:
    sites: tuple[Site, ...] = (
        (metal, 1 / 3, 2 / 3, 1 / 4),
        (metal, 2 / 3, 1 / 3, 3 / 4),
        (chalcogen, 1 / 3, 2 / 3, z),
        (chalcogen, 2 / 3, 1 / 3, z + 0.5),
        (chalcogen, 2 / 3, 1 / 3, 1 - z),
        (chalcogen, 1 / 3, 2 / 3, 0.5 - z),
    )
    return Crystal(_hexagonal(a, c), "P", sites)


def _dichalcogenide_layer(metal: str, chalcogen: str, a: float, half_thickness: float) -> Crystal:
    z = half_thickness / 15
    sites: tuple[Site, ...] = (
        (metal, 0, 0, 0),
        (chalcogen, 1 / 3, 2 / 3, z),
        (chalcogen, 1 / 3, 2 / 3, -z),
    )
    return Crystal(_hexagonal(a, 15), "P", sites)


_RUTILE_U = 0.3048
_YBCO_SITES: tuple[Site, ...] = (
    ("Y", 0.5, 0.5, 0.5),
    ("Ba", 0.5, 0.5, 0.1843),
    ("Ba", 0.5, 0.5, 0.8157),
    ("Cu", 0, 0, 0),
    ("Cu", 0, 0, 0.3556),
    ("Cu", 0, 0, 0.6444),
    ("O", 0, 0.5, 0),
    ("O", 0.5, 0, 0.3773),
    ("O", 0.5, 0, 0.6227),
    ("O", 0, 0.5, 0.3789),
    ("O", 0, 0.5, 0.6211),
    ("O", 0, 0, 0.1584),
    ("O", 0, 0, 0.8416),
)

CRYSTALS: Final[dict[str, Crystal]] = {
    "SrTiO3": _perovskite("Sr", "Ti", _cubic(3.905)),
    "KTaO3": _perovskite("K", "Ta", _cubic(3.989)),
    "BaTiO3": _perovskite("Ba", "Ti", _tetragonal(3.991, 4.0352), 0.5224, 0.9756, 0.4895),
    "PbTiO3": _perovskite("Pb", "Ti", _tetragonal(3.902, 4.156), 0.5377, 0.1118, 0.6174),
    "YBa2Cu3O7": Crystal((3.8227, 3.8872, 11.6802, 90, 90, 90), "P", _YBCO_SITES, (1, 0, 0)),
    "Si": _zincblende("Si", "Si", 5.431),
    "Ge": _zincblende("Ge", "Ge", 5.658),
    "diamond": _zincblende("C", "C", 3.567),
    "SiC": _zincblende("Si", "C", 4.360),
    "GaAs": _zincblende("Ga", "As", 5.653),
    "InP": _zincblende("In", "P", 5.869),
    "CdTe": _zincblende("Cd", "Te", 6.482),
    "GaN": _wurtzite("Ga", "N", 3.189, 5.185, 0.377),
    "AlN": _wurtzite("Al", "N", 3.112, 4.982, 0.3821),
    "ZnO": _wurtzite("Zn", "O", 3.2495, 5.2069, 0.382),
    "MgO": _rocksalt("Mg", "O", 4.212),
    "NaCl": _rocksalt("Na", "Cl", 5.640),
    "PbTe": _rocksalt("Pb", "Te", 6.462),
    "CeO2": Crystal(_cubic(5.411), "F", (("Ce", 0, 0, 0), ("O", 0.25, 0.25, 0.25), ("O", 0.75, 0.75, 0.75)), (1, 1, 0)),
    "TiO2": Crystal(
        _tetragonal(4.594, 2.959),
        "P",
        (
            ("Ti", 0, 0, 0),
            ("Ti", 0.5, 0.5, 0.5),
            ("O", _RUTILE_U, _RUTILE_U, 0),
            ("O", -_RUTILE_U, -_RUTILE_U, 0),
            ("O", 0.5 + _RUTILE_U, 0.5 - _RUTILE_U, 0.5),
            ("O", 0.5 - _RUTILE_U, 0.5 + _RUTILE_U, 0.5),
        ),
    ),
    "Al": _fcc("Al", 4.0495),
    "Cu": _fcc("Cu", 3.6149),
    "Ag": _fcc("Ag", 4.0862),
    "Au": _fcc("Au", 4.0782),
    "Pt": _fcc("Pt", 3.9236),
    "Fe": _bcc("Fe", 2.8665),
    "W": _bcc("W", 3.1652),
    "Mg": _hcp("Mg", 3.2094, 5.2107),
    "Bi2Te3": Crystal(
        _hexagonal(4.386, 30.497),
        "R",
        (("Te", 0, 0, 0), ("Bi", 0, 0, 0.4001), ("Bi", 0, 0, -0.4001), ("Te", 0, 0, 0.2095), ("Te", 0, 0, -0.2095)),
        (1, 0, 0),
    ),
    "graphite": Crystal(
        _hexagonal(2.461, 6.708),
        "P",
        (("C", 0, 0, 0.25), ("C", 0, 0, 0.75), ("C", 1 / 3, 2 / 3, 0.25), ("C", 2 / 3, 1 / 3, 0.75)),
    ),
    "graphene": Crystal(_hexagonal(2.461, 15), "P", (("C", 1 / 3, 2 / 3, 0), ("C", 2 / 3, 1 / 3, 0))),
    "hBN": Crystal(_hexagonal(2.504, 15), "P", (("B", 1 / 3, 2 / 3, 0), ("N", 2 / 3, 1 / 3, 0))),
    "MoS2": _dichalcogenide_2h("Mo", "S", 3.1604, 12.295, 0.621),
    "WSe2": _dichalcogenide_2h("W", "Se", 3.282, 12.96, 0.621),
    "MoS2-monolayer": _dichalcogenide_layer("Mo", "S", 3.1604, 1.565),
    "WSe2-monolayer": _dichalcogenide_layer("W", "Se", 3.282, 1.672),
}
"""Every crystal that `crystal:NAME` knows, by name."""


def crystal_atoms(name: str) -> Atoms:
    """The conventional cell of a named crystal.

    Parameters
    ----------
    name : str
        Key of `CRYSTALS`.

    Returns
    -------
    ase.Atoms
        Periodic; lengths in angstrom, as everywhere in ase.
    """
    from ase import Atoms

    crystal = CRYSTALS[name]
    sites = [(e, x + i, y + j, z + k) for e, x, y, z in crystal.sites for i, j, k in _CENTRINGS[crystal.centring]]
    atoms = Atoms([site[0] for site in sites], scaled_positions=[s[1:] for s in sites], cell=crystal.cell, pbc=True)
    atoms.wrap()
    return atoms
