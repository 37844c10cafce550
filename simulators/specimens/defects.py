"""Defects of a crystal that are asked for: which columns have which, and where its columns then stand.

What a site has follows from the defects' seed and the site's own indices in the lattice, so that a larger field shows
the same crystal with the same defects.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.simulators.specimens.gaps import widest_gap
from stemscan.simulators.specimens.projection import Projection
from stemscan.simulators.specimens.synthetic.choices import Choices, site_uniforms
from stemscan.simulators.specimens.synthetic.lattice import Sites, lattice_sites, site_indices
from stemscan.store.true_columns import DEFECTS, TrueColumns
from stemscan.types import SEEDS

__all__ = ["Defects", "Placed", "place_columns"]

_ROUNDING = 2.0**20
"""Of a place in pixels, coarser than what the mathematics libraries of two machines differ in."""


@dataclass(frozen=True)
class Defects:
    """Defects of a crystal.

    Parameters
    ----------
    displaced, vacancies, substitutions : float
        Shares of the columns, each at least 0 and 1 at most in all; a column has one of them or none.
    interstitials : float
        Share of the cells of the projection that have a column more, in the widest gap between its columns.
    shift_nm : tuple of float
        Least and greatest displacement, in any direction.
    strength : float
        Height of a substitution over that of its column, and of an interstitial over that of the brightest; above 0.
    seed : int
        0 to 2**64 - 1.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    displaced: float = 0.0
    vacancies: float = 0.0
    substitutions: float = 0.0
    interstitials: float = 0.0
    shift_nm: tuple[float, float] = (0.005, 0.04)
    strength: float = 0.55
    seed: int = 0

    def __post_init__(self) -> None:
        shares = (self.displaced, self.vacancies, self.substitutions)
        low, high = self.shift_nm
        sound = all(share >= 0 for share in shares) and sum(shares) <= 1 and 0 <= self.interstitials <= 1
        if not (sound and 0 <= low <= high < math.inf and 0 < self.strength < math.inf and 0 <= self.seed < SEEDS):
            raise UsageError(
                "expected defects with shares from 0 to 1 in all, a shift from least to greatest, a strength above 0 "
                f"and a seed of 64 bits, got {asdict(self)}; correct it"
            )


class Placed(NamedTuple):
    """Columns of a crystal with its defects, those around the field among them.

    Attributes
    ----------
    columns : TrueColumns
        Amplitudes in units of a column's weight.
    places, heights : float64 (k, 2), (k,)
        Columns to add to the perfect crystal: row, column and weight of single columns, of either sign.
    """

    columns: TrueColumns
    places: NDArray[np.float64]
    heights: NDArray[np.float64]


def place_columns(
    projection: Projection,
    defects: Defects,
    shape: tuple[int, int],
    pixel_size_nm: float,
    *,
    margin_nm: float,
    edge: float = 1.0,
) -> Placed:
    """Place the columns of a crystal whose origin stands at the centre of the field.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the field.
    margin_nm : float
        Distance outside of the field up to which columns count.
    edge : float
        Share of the width that the crystal fills, from the left; 1 is all of it, and beyond.
    """
    cell = np.stack([-projection.cell[:, 1], projection.cell[:, 0]], axis=1) / pixel_size_nm
    centre = (np.array(shape) - 1) / 2
    half = np.array(shape) / 2 + margin_nm / pixel_size_nm
    sites = lattice_sites(cell, projection.columns @ cell, projection.weights, np.zeros(2), half)
    own, names = _classes(projection)
    perfect = _rows(sites, own[site_indices(sites.numbers)[:, 2]])
    kinds, shifts = _drawn(defects, sites.numbers, pixel_size_nm)
    factors = np.select([kinds == _code("vacancy"), kinds == _code("substitution")], [0.0, defects.strength], 1.0)
    there = np.full(len(kinds), True) if edge == 1 else perfect["col"] + centre[1] < edge * shape[1]
    made = {**perfect, "amplitude": sites.amounts * factors, "defect": kinds}
    for axis, name in enumerate(("row", "col")):
        made[name] = perfect[name] + shifts[:, axis]
        made[f"displacement_{name}"] = shifts[:, axis]
    made = {name: values[there] for name, values in made.items()}
    parts, hit = [made], (kinds > 0) | ~there
    if defects.interstitials:
        more = _interstitials(projection, cell, half, defects, len(names))
        inner = np.full(len(more["col"]), True) if edge == 1 else more["col"] + centre[1] < edge * shape[1]
        parts.append({name: values[inner] for name, values in more.items()})
        names = (*names, "interstitial")
    taken, put = _single(perfect, hit, -1.0), [_single(made, hit[there], 1.0), *(_single(more) for more in parts[1:])]
    values = {name: np.concatenate([part[name] for part in parts]) for name in made}
    for axis, name in enumerate(("row", "col")):
        values[name] = _rounded(values[name] + centre[axis])
    single = np.concatenate([taken, *put])
    return Placed(TrueColumns.of(names, **values), _rounded(single[:, :2] + centre), single[:, 2])


def _rounded(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places that are the same on every machine."""
    return np.asarray(np.rint(places * _ROUNDING) / _ROUNDING)


def _code(kind: str) -> int:
    """Number of a kind of defect."""
    return DEFECTS.index(kind)


def _classes(projection: Projection) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class of each column of the cell, and the classes' names: columns of equal elements and weight are of one."""
    keys = [(name, round(float(weight), 6)) for name, weight in zip(projection.names, projection.weights, strict=True)]
    distinct = sorted(set(keys), key=lambda key: (-key[1], key[0]))
    own = [name for name, _ in distinct]
    names = [name if own.count(name) == 1 else f"{name} {1 + own[:n].count(name)}" for n, name in enumerate(own)]
    return np.array([distinct.index(key) for key in keys]), tuple(names)


def _rows(sites: Sites, classes: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Fields of columns without defects; places from the centre."""
    indices = site_indices(sites.numbers).astype(np.float64)
    zero = np.zeros(len(indices))
    return {
        "row": sites.rows, "col": sites.columns, "amplitude": sites.amounts, "class": classes.astype(np.float64),
        "site": indices[:, 2], "site_i": indices[:, 0], "site_j": indices[:, 1],
        "displacement_row": zero, "displacement_col": zero, "defect": zero,
    }  # fmt: skip


def _drawn(
    defects: Defects, numbers: NDArray[np.uint64], pixel_size_nm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Kind of defect of each site, and its displacement in pixels, (n, 2)."""
    choices = Choices(defects.seed, 0).under("defects")
    chance = site_uniforms(choices.key("kind"), numbers)
    order = (("vacancy", defects.vacancies), ("substitution", defects.substitutions), ("displaced", defects.displaced))
    ends = np.cumsum([share for _, share in order])
    which = np.searchsorted(ends, chance, side="right")
    kinds = np.array([*(_code(kind) for kind, _ in order), 0], np.float64)[which]
    low, high = (length / pixel_size_nm for length in defects.shift_nm)
    length = low + (high - low) * site_uniforms(choices.key("length"), numbers)
    angle = 2 * math.pi * site_uniforms(choices.key("direction"), numbers)
    moved = (kinds == _code("displaced")) * length
    return kinds, np.stack([moved * np.sin(angle), moved * np.cos(angle)], axis=1)


def _interstitials(
    projection: Projection, cell: NDArray[np.float64], half: NDArray[np.float64], defects: Defects, own: int
) -> dict[str, NDArray[np.float64]]:
    """Fields of the columns between others."""
    sites = lattice_sites(cell, widest_gap(projection.columns, cell)[None], np.ones(1), np.zeros(2), half)
    key = Choices(defects.seed, 0).under("defects").key("interstitial")
    sites = sites.where(site_uniforms(key, sites.numbers) < defects.interstitials)
    height = defects.strength * float(projection.weights.max())
    rows = _rows(sites.times(height), np.full(len(sites.rows), own))
    return {**rows, "site": rows["site"] * 0 - 1, "defect": rows["defect"] + _code("interstitial")}


def _single(
    rows: dict[str, NDArray[np.float64]], mask: NDArray[np.bool_] | slice = slice(None), sign: float = 1.0
) -> NDArray[np.float64]:
    """Row, column and weight of columns, (n, 3)."""
    return np.stack([rows["row"][mask], rows["col"][mask], sign * rows["amplitude"][mask]], axis=1)
