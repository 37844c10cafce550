"""Columns of one grain: a material's lattice over the whole field, with its ordering and defects.

Places are (row, column) in pixels from the field's centre. Every column has a number that follows from its indices in
the lattice, and whatever is random about a column follows from that number: a larger field shows the same grain with
the same vacancies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.simulators.specimens.synthetic.choices import Choices, site_normals, site_uniforms
from stemscan.simulators.specimens.synthetic.materials import Material
from stemscan.store.true_columns import DEFECTS

__all__ = ["Sites", "Stage", "disordered", "grow", "lattice_sites", "rotation", "site_indices", "without_neighbours"]

_HALF = 1 << 23
_MASK = (1 << 24) - 1
_VACANT = 0.1
"""Share of a column that a vacancy leaves at most; what leaves more is a weaker column."""


@dataclass(frozen=True)
class Stage:
    """The field that is to be filled.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    pixel_size_nm : float
    spacing : float
        Distance of the nearest columns of the first material in pixels.
    """

    shape: tuple[int, int]
    pixel_size_nm: float
    spacing: float

    @property
    def margin(self) -> float:
        """Margin outside the field in which columns are drawn, in pixels: the probe's reach and displacements."""
        return 6.0 * self.spacing

    def reach(self, normal: tuple[float, float]) -> float:
        """Distance from the centre to the corner that is farthest along a direction, in pixels."""
        return (abs(normal[0]) * self.shape[0] + abs(normal[1]) * self.shape[1]) / 2.0


@dataclass(frozen=True)
class Sites:
    """Atomic columns.

    Parameters
    ----------
    rows, columns : float64 (n,)
        Places in pixels from the field's centre.
    amounts : float64 (n,)
        Scattering strength per thickness, 1 for the strongest column of the specimen's materials.
    numbers : uint64 (n,)
        What tells a grain's columns apart.
    known : float64 (n, 4)
        Displacement (down, right) from the site, kind of defect as in `DEFECTS`, and grain, -1 for atoms without order.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    amounts: NDArray[np.float64]
    numbers: NDArray[np.uint64]
    known: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    def __post_init__(self) -> None:
        if len(self.known) != len(self.rows):
            object.__setattr__(self, "known", np.zeros((len(self.rows), 4)))

    def where(self, mask: NDArray[np.bool_]) -> Sites:
        """Only those of a mask."""
        return Sites(
            self.rows[mask], self.columns[mask], self.amounts[mask], self.numbers[mask], self.known[mask]
        )  # fmt: skip

    def marked(self, kind: str, mask: NDArray[np.bool_]) -> Sites:
        """With a kind of defect where a mask says so."""
        known = self.known.copy()
        known[mask, 2] = DEFECTS.index(kind)
        return replace(self, known=known)

    def unordered(self) -> Sites:
        """As atoms without order, whose places are no displacements."""
        return replace(self, known=np.tile([0.0, 0.0, 0.0, -1.0], (len(self.rows), 1)))

    def displaced(self, down: NDArray[np.float64], right: NDArray[np.float64]) -> Sites:
        """Displaced by so many pixels from their sites."""
        known = self.known + np.stack([down, right, 0 * down, 0 * down], axis=1)
        return replace(self.moved(down, right), known=known)

    def times(self, factor: NDArray[np.float64] | float) -> Sites:
        """With amounts multiplied."""
        return replace(self, amounts=self.amounts * factor)

    def moved(self, down: NDArray[np.float64], right: NDArray[np.float64]) -> Sites:
        """Moved by so many pixels, sites and all."""
        return replace(self, rows=self.rows + down, columns=self.columns + right)

    def along(self, normal: tuple[float, float]) -> NDArray[np.float64]:
        """Coordinate along a direction, in pixels from the centre."""
        return self.rows * normal[0] + self.columns * normal[1]

    @classmethod
    def joined(cls, parts: list[Sites]) -> Sites:
        """All of them, in this order."""
        known, first = [part.known.copy() for part in parts], 0.0
        for own in known:
            ordered = own[:, 3] >= 0
            own[ordered, 3] += first
            first = max(first, 1 + float(own[:, 3].max(initial=-1)))
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.amounts for part in parts]),
            np.concatenate([part.numbers for part in parts]),
            np.concatenate(known),
        )


def without_neighbours(sites: Sites, others: Sites, distance: float) -> Sites:
    """Only those columns that stand at least `distance` pixels from all others."""
    if sites.rows.size == 0 or others.rows.size == 0:
        return sites
    corner = np.array([others.rows.min(), others.columns.min()]) - 1.5 * distance
    rows, columns = (others.rows - corner[0]) / distance, (others.columns - corner[1]) / distance
    bins = np.full((int(rows.max()) + 3, int(columns.max()) + 3), -1, np.int64)
    apart = _apart((sites.rows - corner[0]) / distance, (sites.columns - corner[1]) / distance, rows, columns, bins)
    return sites.where(apart)


def rotation(angle: float) -> NDArray[np.float64]:
    """Matrix that turns (down, right) vectors by an angle in radians."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def grow(choices: Choices, material: Material, stage: Stage, *, origin: NDArray[np.float64] | None = None) -> Sites:
    """Fill the field and its margin with a material and give it ordering and point defects.

    Parameters
    ----------
    choices : Choices
        Of this grain.
    material : Material
        Lengths in pixels.
    stage : Stage
    origin : float64 (2,), optional
        Place of the cell's corner in pixels from the centre; chosen where it is not given.

    Returns
    -------
    Sites
    """
    if origin is None:
        origin = np.array([choices.uniform("origin a", 0, 1), choices.uniform("origin b", 0, 1)]) @ material.cell
    half = np.array(stage.shape) / 2.0 + stage.margin
    sites = lattice_sites(material.cell, material.columns @ material.cell, material.weights, origin, half)
    return _point_defects(choices, _ordered(choices, sites), material.nearest)


def disordered(choices: Choices, stage: Stage, spacing: float, layers: int) -> Sites:
    """Atoms without order: `layers` jittered square lattices of different orientation, of amounts about 1 / layers."""
    parts = []
    for layer in range(layers):
        inner = choices.under(f"layer {layer}")
        cell = spacing * rotation(1.1 * layer).T
        origin = np.array([inner.uniform("origin a", 0, 1), inner.uniform("origin b", 0, 1)]) @ cell
        half = np.array(stage.shape) / 2.0 + stage.margin
        sites = lattice_sites(cell, np.zeros((1, 2)), np.ones(1), origin, half)
        jitter = [0.35 * spacing * site_normals(inner.key(way), sites.numbers) for way in ("down", "right")]
        spread = 0.4 + 1.2 * site_uniforms(inner.key("amount"), sites.numbers)
        parts.append(sites.moved(*jitter).times(spread / layers))
    return Sites.joined(parts).unordered()


def _ordered(choices: Choices, sites: Sites) -> Sites:
    """Make every n-th row of cells brighter or darker, in a quarter of the grains: layered and ordered compounds."""
    if not choices.chance("ordered", 0.25):
        return sites
    period = choices.integer("ordering period", 2, 5)
    factors = np.array([choices.uniform(f"ordering factor {k}", 0.25, 1.0) for k in range(period)])
    shift = np.uint64(40 if choices.chance("ordering along a", 0.5) else 16)
    row = (sites.numbers >> shift) & np.uint64(_MASK)
    return sites.times(factors[(row % np.uint64(period)).astype(np.int64)])


def _point_defects(choices: Choices, sites: Sites, nearest: float) -> Sites:
    """Vacancies, dopants and static displacements."""
    if choices.chance("vacancies", 0.5):
        share = choices.log_uniform("vacancy share", 0.001, 0.05)
        left = choices.uniform("vacancy remainder", 0.0, 0.7)
        hit = site_uniforms(choices.key("vacancy"), sites.numbers) < share
        sites = sites.times(np.where(hit, left, 1.0))
        sites = sites.marked("vacancy" if left < _VACANT else "substitution", hit)
    if choices.chance("dopants", 0.4):
        share = choices.log_uniform("dopant share", 0.0005, 0.1)
        factor = choices.log_uniform("dopant factor", 0.5, 2.2)
        hit = site_uniforms(choices.key("dopant"), sites.numbers) < share
        sites = sites.times(np.where(hit, factor, 1.0)).marked("substitution", hit & (sites.known[:, 2] == 0))
    spread = choices.log_uniform("occupancy spread", 0.01, 0.15)
    sites = sites.times(np.maximum(1.0 + spread * site_normals(choices.key("occupancy"), sites.numbers), 0.05))
    jitter = nearest * choices.log_uniform("static displacement", 0.004, 0.05)
    down, right = (jitter * site_normals(choices.key(f"displaced {way}"), sites.numbers) for way in ("down", "right"))
    return sites.displaced(down, right)


def lattice_sites(
    cell: NDArray[np.float64],
    basis: NDArray[np.float64],
    weights: NDArray[np.float64],
    origin: NDArray[np.float64],
    half: NDArray[np.float64],
) -> Sites:
    """All columns of a lattice that stand inside a rectangle about the field's centre.

    Parameters
    ----------
    cell : float64 (2, 2)
        Its two vectors, one a row, as (down, right) in pixels.
    basis : float64 (n, 2)
        Places of a cell's columns from its corner in pixels.
    weights : float64 (n,)
    origin : float64 (2,)
        Corner of the cell with indices zero.
    half : float64 (2,)
        Half extents of the rectangle.
    """
    corners = np.array([(r * half[0], c * half[1]) for r in (-1, 1) for c in (-1, 1)]) - origin
    ends = corners @ np.linalg.inv(cell)
    first, last = np.floor(ends.min(axis=0)).astype(int) - 2, np.ceil(ends.max(axis=0)).astype(int) + 1
    bounds = (int(first[0]), int(first[1]), int(last[0]), int(last[1]))
    none, no_numbers = np.empty(0), np.empty(0, np.uint64)
    count = _fill(cell, basis, weights, origin, half, bounds, none, none, none, no_numbers)
    sites = Sites(np.empty(count), np.empty(count), np.empty(count), np.empty(count, np.uint64))
    _fill(cell, basis, weights, origin, half, bounds, sites.rows, sites.columns, sites.amounts, sites.numbers)
    return sites


def site_indices(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Indices of a column's cell along the two vectors, and its place in the cell's basis, (n, 3), from its number."""
    mask = np.uint64(_MASK)
    first, second = ((numbers >> np.uint64(shift)) & mask for shift in (40, 16))
    parts = [first.astype(np.int64) - _HALF, second.astype(np.int64) - _HALF, (numbers & np.uint64(0xFFFF))]
    return np.stack([part.astype(np.int64) for part in parts], axis=1)


@compiled()
def _apart(
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    other_rows: NDArray[np.float64],
    other_columns: NDArray[np.float64],
    bins: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell which places are at least 1 from others; `bins`, all -1, is where each unit square's last one is kept."""
    earlier = np.empty(other_rows.size, np.int64)
    for n in range(other_rows.size):
        i, j = int(other_rows[n]), int(other_columns[n])
        earlier[n] = bins[i, j]
        bins[i, j] = n
    apart = np.ones(rows.size, np.bool_)
    for k in range(rows.size):
        i, j = int(np.floor(rows[k])), int(np.floor(columns[k]))
        for p in range(max(i - 1, 0), min(i + 2, bins.shape[0])):
            for q in range(max(j - 1, 0), min(j + 2, bins.shape[1])):
                n = bins[p, q]
                while n >= 0:
                    if (rows[k] - other_rows[n]) ** 2 + (columns[k] - other_columns[n]) ** 2 < 1.0:
                        apart[k] = False
                    n = earlier[n]
    return apart


@compiled()
def _fill(
    cell: NDArray[np.float64],
    basis: NDArray[np.float64],
    weights: NDArray[np.float64],
    origin: NDArray[np.float64],
    half: NDArray[np.float64],
    bounds: tuple[int, int, int, int],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    amounts: NDArray[np.float64],
    numbers: NDArray[np.uint64],
) -> int:
    """Count the columns of cells (i, j) within bounds, and write as many as there is room for."""
    count = 0
    for i in range(bounds[0], bounds[2] + 1):
        for j in range(bounds[1], bounds[3] + 1):
            top = origin[0] + i * cell[0, 0] + j * cell[1, 0]
            left = origin[1] + i * cell[0, 1] + j * cell[1, 1]
            for k in range(weights.size):
                row = top + basis[k, 0]
                column = left + basis[k, 1]
                if abs(row) > half[0] or abs(column) > half[1]:
                    continue
                if count < rows.size:
                    rows[count] = row
                    columns[count] = column
                    amounts[count] = weights[k]
                    cells = (np.uint64(i + _HALF) << np.uint64(40)) | (np.uint64(j + _HALF) << np.uint64(16))
                    numbers[count] = cells | np.uint64(k)
                count += 1
    return count
