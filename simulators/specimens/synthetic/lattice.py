"""Columns as values: where they stand, how bright they are, what is known of them; and those of a lattice.

Places are (row, column) in pixels from the field's centre. Every column has a number that follows from its indices in
the lattice, and whatever is random about a column follows from that number: a larger field shows the same grain with
the same vacancies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.store.true_columns import DEFECTS

__all__ = ["NO_SITE", "Sites", "Stage", "lattice_sites", "rotation", "site_indices", "without_neighbours"]

_HALF = 1 << 23
_MASK = (1 << 24) - 1
NO_SITE: Final = 0xFFFF
"""Place in the basis of a column that has none: an interstitial."""


@dataclass(frozen=True)
class Stage:
    """The field that is to be filled.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    spacing : float
        Distance of the nearest columns of the first material in pixels.
    wide : bool
        True if the specimen is of the wide variety.
    """

    shape: tuple[int, int]
    pixel_size_nm: float
    spacing: float
    wide: bool = False

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
        Numbers that tell a grain's columns apart.
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
