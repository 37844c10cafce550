"""Columns on a smooth background, which points of a scan each reaches, and the patterns of matrices that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stemscan.recon.columns.kernels import by_point, link
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


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of a column and a point that it reaches; they hold while columns move little.

    Attributes
    ----------
    starts, points : ndarray of int64
        Links of column k are those from `starts[k]` to before `starts[k + 1]`; `points` has the point of each.
    owners : ndarray of int64
        The column of each link.
    point_starts, point_links : ndarray of int64
        Links of point i are `point_links[point_starts[i] : point_starts[i + 1]]`.
    nodes : csr matrix, (points, nodes)
        Bilinear weights of the background's nodes.
    """

    starts: Integers
    points: Integers
    owners: Integers
    point_starts: Integers
    point_links: Integers
    nodes: sp.csr_array

    @classmethod
    def of(cls, model: ColumnModel, points: Observations) -> Links:
        """Links of a model."""
        bins = (-(-points.shape[0] // BIN), -(-points.shape[1] // BIN))
        starts, linked = link(
            model.rows, model.columns, points.rows, points.columns, points.bin_starts, bins, model.reach
        )
        owners = np.repeat(np.arange(len(model.rows)), np.diff(starts))
        nodes = node_weights(points.rows, points.columns, model.nodes.shape, model.spacing)
        return cls(starts, linked, owners, *by_point(linked, len(points.rows)), nodes)
