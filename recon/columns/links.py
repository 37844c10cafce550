"""Columns on a smooth background, which points of a scan each reaches, and the patterns of matrices that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from stemscan.recon.columns.kernels import by_point, link
from stemscan.recon.columns.normal_kernels import mirrored
from stemscan.recon.columns.observations import BIN, Observations
from stemscan.recon.columns.profile import Profile
from stemscan.types import Floats, Integers

__all__ = ["ColumnModel", "Floats", "Links", "Overlaps", "bilinear", "differences", "node_weights"]


@dataclass(frozen=True, eq=False)
class ColumnModel:
    """Columns on a background.

    Attributes
    ----------
    rows, columns, amplitudes : ndarray of float64, (n,)
        Positions in pixels, heights on the absolute scale.
    classes : ndarray of int64, (n,)
        Profile of each, by number.
    nodes : ndarray of float64, (p, q)
        Background at rows and columns that are multiples of `spacing`.
    spacing : float
        Distance of neighbouring nodes in pixels.
    reach : float
        Distance beyond which a column adds nothing, in pixels.
    stiffness : float
        Precision of the difference of neighbouring nodes, which prior to the counts is normal about 0; 0 is no prior.
    """

    rows: Floats
    columns: Floats
    amplitudes: Floats
    classes: Integers
    profiles: tuple[Profile, ...]
    nodes: Floats
    spacing: float
    reach: float
    stiffness: float = 0.0

    @property
    def places(self) -> Floats:
        """Rows and columns, (n, 2)."""
        return np.stack([self.rows, self.columns], axis=1)

    def moved(self, by: Floats) -> ColumnModel:
        """The columns moved by (rows, columns); the background's nodes keep their numbers."""
        return replace(self, rows=self.rows + by[0], columns=self.columns + by[1])

    def background(self, rows: Floats, columns: Floats) -> Floats:
        """Background at positions."""
        return np.asarray(node_weights(rows, columns, self.nodes.shape, self.spacing) @ self.nodes.ravel())

    def only(self, kept: npt.NDArray[np.bool_] | Integers) -> ColumnModel:
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


def bilinear(nodes: Floats, shape: tuple[int, int], spacing: float) -> Floats:
    """Values between nodes at every pixel of a grid, (H, W)."""
    down, across = (_between(size, count, spacing) for size, count in zip(shape, nodes.shape, strict=True))
    return np.asarray(down @ nodes @ across.T)


def _between(size: int, count: int, spacing: float) -> Floats:
    """Weights of nodes along an axis at its pixels, (size, count)."""
    y = np.arange(size) / spacing
    i = np.clip(np.floor(y).astype(np.int64), 0, count - 2)
    weights = np.zeros((size, count))
    weights[np.arange(size), i], weights[np.arange(size), i + 1] = 1 - (y - i), y - i
    return weights


def differences(shape: tuple[int, int]) -> sp.csr_array:
    """Differences of neighbouring nodes, (pairs, nodes)."""
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    first = np.concatenate([number[:-1].ravel(), number[:, :-1].ravel()])
    second = np.concatenate([number[1:].ravel(), number[:, 1:].ravel()])
    pair = np.arange(len(first))
    values = np.repeat([-1.0, 1.0], len(first))
    return sp.csr_array((values, (np.tile(pair, 2), np.concatenate([first, second]))), (len(first), number.size))


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of a column and a point that it reaches; they hold while columns move little.

    Attributes
    ----------
    starts, points : ndarray of int64
        Links of column k are those from `starts[k]` to before `starts[k + 1]`; `points` has the point of each.
    point_starts, owners : ndarray of int64
        The same sorted by points: links of point i are those from `point_starts[i]` to before `point_starts[i + 1]`;
        `owners` has the column of each.
    positions : ndarray of int64
        Place in the order of points of each link in the order of columns.
    nodes : csr matrix, (points, nodes)
        Bilinear weights of the background's nodes.
    roughness : csr matrix, (nodes, nodes)
        The matrix of the sum of squared differences of neighbouring nodes.
    """

    starts: Integers
    points: Integers
    point_starts: Integers
    owners: Integers
    positions: Integers
    nodes: sp.csr_array
    roughness: sp.csr_array
    model: ColumnModel

    @classmethod
    def of(cls, model: ColumnModel, points: Observations) -> Links:
        """Links of a model."""
        bins = (-(-points.shape[0] // BIN), -(-points.shape[1] // BIN))
        starts, linked = link(
            model.rows, model.columns, points.rows, points.columns, points.bin_starts, bins, model.reach
        )
        grid = model.nodes.shape, model.spacing
        if grid not in points.kept:
            apart = differences(model.nodes.shape)
            points.kept[grid] = node_weights(points.rows, points.columns, *grid), sp.csr_array(apart.T @ apart)
        nodes, roughness = points.kept[grid]
        return cls(starts, linked, *by_point(starts, linked, len(points.rows)), nodes, roughness, model)

    @cached_property
    def overlaps(self) -> Overlaps:
        """Columns near enough to share points, and nodes of the background around each."""
        return Overlaps.of(self.model)


class Overlaps(NamedTuple):
    """Pairs of columns, and of a column and a node, whose terms of the normal matrix are not zero.

    Attributes
    ----------
    first, found, mirror : ndarray of int64
        Partners of column k are `found[first[k] : first[k + 1]]`, ascending; `mirror` has the place of each pair turned
        round.
    node_first, node_found : ndarray of int64
        Nodes of column k likewise.
    own : ndarray of int64, (columns,)
        Place of each column's pair with itself.
    """

    first: Integers
    found: Integers
    mirror: Integers
    node_first: Integers
    node_found: Integers
    own: Integers

    @classmethod
    def of(cls, model: ColumnModel) -> Overlaps:
        """Pairs by distance."""
        places, count = np.stack([model.rows, model.columns], axis=1), len(model.rows)
        pairs = cKDTree(places).query_pairs(2 * model.reach, output_type="ndarray") if count else np.empty((0, 2), int)
        alone = np.arange(count)
        both = np.concatenate([pairs, pairs[:, ::-1], np.stack([alone, alone], axis=1)]).astype(np.int64)
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        first = np.searchsorted(both[:, 0], np.arange(count + 1))
        found = np.ascontiguousarray(both[:, 1])
        return cls(
            first, found, mirrored(first, found), *_nodes_around(places, model), np.flatnonzero(both[:, 0] == found)
        )


def _nodes_around(places: Floats, model: ColumnModel) -> tuple[Integers, Integers]:
    """Numbers of the nodes around all points that a column may reach, ascending, with the place of each one's first."""
    most = np.array(model.nodes.shape) - 2
    low = np.clip((places - model.reach) // model.spacing, 0, most).astype(np.int64)
    size = np.clip((places + model.reach) // model.spacing, 0, most).astype(np.int64) + 2 - low
    down, across = (np.arange(size[:, axis].max(initial=0)) for axis in (0, 1))
    there = (down[None, :, None] < size[:, 0, None, None]) & (across[None, None, :] < size[:, 1, None, None])
    number = (low[:, 0, None, None] + down[:, None]) * model.nodes.shape[1] + low[:, 1, None, None] + across
    return np.concatenate([[0], np.cumsum(size.prod(axis=1))]), number[there]
