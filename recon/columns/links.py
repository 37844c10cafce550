"""Columns on a smooth background, which points of a scan each reaches, and the patterns of matrices that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stemscan.recon.columns.kernels import link
from stemscan.recon.columns.observations import BIN, Observations
from stemscan.recon.columns.profile import Profile
from stemscan.types import Floats, Integers

__all__ = ["ColumnModel", "Floats", "Links", "node_weights"]


@dataclass(frozen=True, eq=False)
class ColumnModel:
    """Columns on a background.

    Attributes
    ----------
    rows, columns, amplitudes : ndarray of float64, (n,)
        Positions in pixels, heights on the absolute scale.
    classes : ndarray of int64, (n,)
        Which profile each has.
    profiles : tuple of Profile
    nodes : ndarray of float64, (p, q)
        Background at rows and columns that are multiples of `spacing`.
    spacing : float
        Distance of neighbouring nodes in pixels.
    reach : float
        Distance beyond which a column adds nothing, in pixels.
    """

    rows: Floats
    columns: Floats
    amplitudes: Floats
    classes: Integers
    profiles: tuple[Profile, ...]
    nodes: Floats
    spacing: float
    reach: float

    def background(self, rows: Floats, columns: Floats) -> Floats:
        """Background at positions."""
        return np.asarray(node_weights(rows, columns, self.nodes.shape, self.spacing) @ self.nodes.ravel())

    def only(self, kept: npt.NDArray[np.bool_]) -> ColumnModel:
        """The model with some of its columns."""
        own = {name: getattr(self, name)[kept] for name in ("rows", "columns", "amplitudes", "classes")}
        return replace(self, **own)

    def extended(self, places: Floats, amplitudes: Floats) -> ColumnModel:
        """The model with further columns of the first class at `places`, (n, 2)."""
        return replace(
            self,
            rows=np.concatenate([self.rows, places[:, 0]]),
            columns=np.concatenate([self.columns, places[:, 1]]),
            amplitudes=np.concatenate([self.amplitudes, amplitudes]),
            classes=np.concatenate([self.classes, np.zeros(len(places), np.int64)]),
        )


def node_weights(rows: Floats, columns: Floats, shape: tuple[int, int], spacing: float) -> sp.csr_array:
    """Bilinear weights of background nodes at positions, (positions, nodes)."""
    y, x = rows / spacing, columns / spacing
    i = np.clip(np.floor(y).astype(np.int64), 0, shape[0] - 2)
    j = np.clip(np.floor(x).astype(np.int64), 0, shape[1] - 2)
    y, x = y - i, x - j
    first = i * shape[1] + j
    indices = np.stack([first, first + 1, first + shape[1], first + shape[1] + 1], axis=1)
    values = np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x], axis=1)
    starts = np.arange(0, 4 * len(rows) + 1, 4)
    return sp.csr_array((values.ravel(), indices.ravel(), starts), (len(rows), shape[0] * shape[1]))


@dataclass(eq=False)
class Links:
    """Which points each column reaches, and the patterns that follow; they hold while columns move little."""

    starts: Integers
    points: Integers
    nodes: sp.csr_array
    order: Integers
    pattern: sp.csr_array
    jacobian: sp.csr_array

    @classmethod
    def of(cls, model: ColumnModel, points: Observations) -> Links:
        """Links of a model."""
        bins = (-(-points.shape[0] // BIN), -(-points.shape[1] // BIN))
        starts, linked = link(
            model.rows, model.columns, points.rows, points.columns, points.bin_starts, bins, model.reach
        )
        count = len(model.rows)
        nodes = node_weights(points.rows, points.columns, model.nodes.shape, model.spacing)
        owner = np.repeat(np.arange(count), np.diff(starts))
        row = np.concatenate([np.repeat(linked, 3), np.repeat(np.arange(len(points.rows)), 4)])
        column = np.concatenate(
            [(3 * owner[:, None] + np.arange(3)).ravel(), 3 * count + nodes.indices.astype(np.int64)]
        )
        size = (len(points.rows), 3 * count + model.nodes.size)
        numbered = sp.coo_array((np.arange(1, row.size + 1, dtype=np.float64), (row, column)), size).tocsr()
        order = numbered.data.astype(np.int64) - 1
        jacobian = sp.csr_array(
            (np.zeros(row.size), numbered.indices.astype(np.int32), numbered.indptr.astype(np.int32)), size
        )
        return cls(starts, linked, nodes, order, _pattern(model, owner, linked, nodes, len(points.rows)), jacobian)


def _pattern(model: ColumnModel, owner: Integers, linked: Integers, nodes: sp.csr_array, points: int) -> sp.csr_array:
    """Pattern of the normal matrix, from that of columns and nodes in place of their parameters."""
    count, held = len(model.rows), model.nodes.size
    row = np.concatenate([linked, np.repeat(np.arange(points), 4)])
    column = np.concatenate([owner, count + nodes.indices])
    seen = sp.csr_array((np.ones(row.size, np.float32), (row, column)), (points, count + held))
    met = (seen.T @ seen).tocoo()
    width = np.where(np.arange(count + held) < count, 3, 1)
    first = np.concatenate([[0], np.cumsum(width)])
    a, b = met.row, met.col
    sizes = width[a] * width[b]
    block = np.repeat(np.arange(len(a)), sizes)
    inner = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = first[a[block]] + inner // width[b[block]]
    columns = first[b[block]] + inner % width[b[block]]
    size = int(first[-1])
    pattern = sp.csr_array((np.ones(rows.size), (rows, columns)), (size, size))
    pattern.sort_indices()
    return sp.csr_array((pattern.data, pattern.indices.astype(np.int32), pattern.indptr.astype(np.int32)), (size, size))
