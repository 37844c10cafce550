"""The model of columns on a smooth background, linearised at the samples of a scan.

The signal at a point is u = b + sum A_k g_c(k)(r - r_k). Its counts over the dose have mean V u and variance
V u / lambda (Poisson) or V u^2 / lambda (equation 5 as printed), so that a point's information is W = lambda V / u or
lambda V / u^2. The background is bilinear between nodes on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from stemscan.recon.columns.kernels import backward, forward, gather, own_blocks, slopes
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.normal_kernels import overlaps
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.types import Floats

__all__ = ["Parts", "System", "deviance", "least_signal", "linearise", "signal_at"]

_FLOOR = 0.02


@dataclass(frozen=True, eq=False)
class System:
    """A model linearised at the points of a scan.

    Parameters come in three parts: columns (n, 3), nodes of the background (p,), and profiles (5 classes,).

    Attributes
    ----------
    links : Links
    signal : ndarray of float64, (points,)
        The model u.
    weights : ndarray of float64, (points,)
        Fisher information of a point per squared change of u, lambda V / u or lambda V / u^2.
    own : ndarray of float64, (links, 3)
        Slopes by row, column and amplitude of each link's column.
    shared : ndarray of float64, (points, 5 classes)
        Slopes by the profiles; (points, 0) where these are held.
    residual : ndarray of float64, (points,)
        S / V - u.
    deviance : float
        -2 ln L up to a constant.
    """

    links: Links
    signal: Floats
    weights: Floats
    own: Floats
    shared: Floats
    residual: Floats
    deviance: float

    def forward(self, step: Parts) -> Floats:
        """Change of the model at each point by a step of the parameters: J p."""
        change: Floats = self.links.nodes @ step.nodes
        if step.profiles.size:
            change += self.shared @ step.profiles
        forward(self.links.point_starts, self.links.point_links, self.links.owners, self.own, step.columns, change)
        return change

    def backward(self, values: Floats) -> Parts:
        """Sums over the points of the slopes times values: J^T v."""
        columns = np.empty((len(self.links.starts) - 1, 3))
        backward(self.links.starts, self.links.points, self.own, values, columns)
        return Parts(columns, self.links.nodes.T @ values, self.shared.T @ values)

    def gradient(self) -> Parts:
        """Slopes of ln L."""
        return self.backward(self.weights * self.residual)

    def blocks(self) -> tuple[Floats, Floats]:
        """Each column's block of the normal matrix, (n, 3, 3), and its cross terms with the profiles, (n, 3, m)."""
        count = len(self.links.starts) - 1
        blocks, cross = np.empty((count, 3, 3)), np.empty((count, 3, self.shared.shape[1]))
        own_blocks(self.links.starts, self.links.points, self.own, self.shared, self.weights, blocks, cross)
        return blocks, cross

    def node_information(self) -> Floats:
        """Diagonal of the nodes' part of the normal matrix."""
        nodes = self.links.nodes
        return np.asarray(
            np.bincount(nodes.indices, np.repeat(self.weights, 4) * nodes.data**2, nodes.shape[1]), np.float64
        )

    def normal(self) -> sp.csr_array:
        """J^T W J of columns, three rows each, and nodes."""
        links, count = self.links, len(self.links.starts) - 1
        nodes = links.nodes.shape[1]
        node_indices, node_weights = links.nodes.indices.astype(np.int64), links.nodes.data
        first = np.zeros(count + 1, np.int64)
        indices, values = np.empty(0, np.int64), np.empty((0, 3, 3))
        for fill in (False, True):
            if fill:
                first = np.cumsum(first)
                indices, values = np.empty(first[-1], np.int64), np.empty((first[-1], 3, 3))
            overlaps(
                links.starts, links.points, links.point_starts, links.point_links, links.owners, node_indices,
                first, fill, self.own, node_weights, self.weights, nodes, indices, values,
            )  # fmt: skip
        row = np.repeat(np.arange(count), np.diff(first))
        pairs = indices < count
        columns = sp.bsr_array((3 * count, 3 * count))
        if count:
            starts = np.concatenate([[0], np.cumsum(np.bincount(row[pairs], minlength=count))])
            columns = sp.bsr_array((values[pairs], indices[pairs], starts), (3 * count, 3 * count))
        rest = ~pairs
        down = (3 * row[rest, None] + np.arange(3)).ravel()
        across = np.repeat(indices[rest] - count, 3)
        mixed = sp.csr_array((values[rest, :, 0].ravel(), (down, across)), (3 * count, nodes))
        flat = links.nodes.T @ (links.nodes * self.weights[:, None])
        whole = sp.csr_array(sp.block_array([[columns, mixed], [mixed.T, flat]]))
        whole.sort_indices()
        return sp.csr_array((whole.data, whole.indices.astype(np.int32), whole.indptr.astype(np.int32)), whole.shape)


@dataclass(frozen=True, eq=False)
class Parts:
    """A vector of parameters, of slopes or of a step: columns (n, 3), nodes (p,), profiles (m,)."""

    columns: Floats
    nodes: Floats
    profiles: Floats

    def plus(self, other: Parts, factor: float) -> Parts:
        """The sum with a multiple of another."""
        return Parts(
            self.columns + factor * other.columns,
            self.nodes + factor * other.nodes,
            self.profiles + factor * other.profiles,
        )

    def dot(self, other: Parts) -> float:
        """Inner product."""
        return float(
            np.vdot(self.columns, other.columns)
            + np.vdot(self.nodes, other.nodes)
            + np.vdot(self.profiles, other.profiles)
        )


def linearise(model: ColumnModel, points: Observations, links: Links, *, profiles: bool = True) -> System:
    """Evaluate a model and its slopes, those by the profiles where they are asked for, at the points of a scan."""
    count, kinds = len(links.points), len(model.profiles)
    heights, own, shared = np.empty(count), np.empty((count, 3)), np.empty((count if profiles else 0, PARAMETERS))
    parameters = np.stack([profile.array() for profile in model.profiles])
    slopes(
        model.rows, model.columns, model.amplitudes, model.classes, parameters, model.reach,
        links.starts, links.points, points.rows, points.columns, heights, own, shared,
    )  # fmt: skip
    signal = links.nodes @ model.nodes.ravel()
    one_kind = np.zeros(count, np.int64)
    gather(links.point_starts, links.point_links, heights[:, None], one_kind, signal[:, None, None])
    signal = np.maximum(signal, least_signal(points))
    weights = points.electrons_per_sample * points.visits / signal ** (2 if points.noise == "eq5" else 1)
    by_profile = np.zeros((len(signal), kinds if profiles else 0, PARAMETERS))
    if profiles:
        gather(links.point_starts, links.point_links, shared, model.classes[links.owners], by_profile)
    residual = points.signal / points.visits - signal
    flat = by_profile.reshape(len(signal), by_profile.shape[1] * PARAMETERS)
    return System(links, signal, weights, own, flat, residual, deviance(points, signal))


def least_signal(points: Observations) -> float:
    """The signal below which a model is not taken to fall: a fiftieth of the mean, which is at least one electron."""
    one = 1.0 / (points.electrons_per_sample * float(points.visits.sum()))
    return _FLOOR * max(points.mean, one)


def signal_at(model: ColumnModel, points: Observations) -> Floats:
    """The model's signal at the points of a scan."""
    return linearise(model, points, Links.of(model, points), profiles=False).signal


def deviance(points: Observations, signal: Floats) -> float:
    """-2 ln L of a model up to a constant; for equation 5 that of a gamma law of the same mean and variance."""
    dose, visits, counted = points.electrons_per_sample, points.visits, points.signal
    if points.noise == "eq5":
        return float(2 * dose * np.sum(visits * np.log(signal) + counted / signal))
    return float(2 * dose * np.sum(visits * signal - counted * np.log(signal)))
