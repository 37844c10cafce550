"""The fit of columns on a smooth background to the counts of a scan, by damped scoring steps.

The signal at a point is u = b + sum A_k g_c(k)(r - r_k). Its counts over the dose have mean V u and variance
V u / lambda (Poisson) or V u^2 / lambda (equation 5 as printed). A step of Fisher scoring solves
J^T W J p = J^T W (S / V - u) for all columns, the background and the profiles at once, with W = lambda V / u or
lambda V / u^2, so that neighbours which overlap cost no more than they must. The background is bilinear between nodes
on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from stemscan.recon.columns.kernels import backward, forward, gather, overlaps, own_blocks, slopes
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.types import Floats

__all__ = ["Damped", "Parts", "System", "deviance", "fit", "least_signal", "linearise", "signal_at", "solve"]

_FLOOR = 0.02
_LEAST_SHARE = 0.01


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


def fit(
    model: ColumnModel, points: Observations, *, rounds: int = 12, profiles: bool = True, tolerance: float = 0.1
) -> ColumnModel:
    """Maximum-likelihood fit of all parameters at once, by damped Fisher scoring.

    Parameters
    ----------
    model : ColumnModel
        Where to begin.
    points : Observations
    rounds : int
        Steps at most.
    profiles : bool
        Fit the profiles, too.
    tolerance : float
        Stop after a step of which 99 % of the parameters move by less, in conditional standard deviations.
    """
    links = Links.of(model, points)
    system = linearise(model, points, links, profiles=profiles)
    damping = 1e-3
    for _ in range(rounds):
        step, far = _solve(system, damping, _least_curvature(model))
        moved = _stepped(model, step)
        tried = linearise(moved, points, links, profiles=profiles)
        if tried.deviance > system.deviance + 1e-6:
            damping = max(damping * 10, 1e-2)
            if damping > 1e4:
                break
            continue
        damping = max(damping / 5, 1e-6)
        model, system = moved, tried
        if far < tolerance:
            break
    return model


def _least_curvature(model: ColumnModel) -> Parts:
    """Curvature added to each parameter's own, so that what the counts hardly tell moves little in a step."""
    sigma = np.array([profile.sigma for profile in model.profiles])[model.classes]
    amplitude = 1.0 / max(float(np.median(np.abs(model.amplitudes))), 1e-6) ** 2 if len(sigma) else 1.0
    own = np.stack([4 / sigma**2, 4 / sigma**2, np.full(len(sigma), amplitude)], axis=1)
    return Parts(own, np.full(model.nodes.size, amplitude), np.zeros(0))


def _solve(system: System, damping: float, least: Parts) -> tuple[Parts, float]:
    """One damped scoring step, and its length in conditional standard deviations of columns and background."""
    damped = Damped.of(system, damping, least)
    step = solve(damped, system.gradient())
    own = np.diagonal(damped.blocks, axis1=1, axis2=2)
    moved = np.concatenate([(np.abs(step.columns) * np.sqrt(own)).ravel(), np.abs(step.nodes) * np.sqrt(damped.nodes)])
    return step, float(np.quantile(moved, 0.99)) if moved.size else 0.0


@dataclass(frozen=True, eq=False)
class Damped:
    """A normal matrix with something added to its diagonal, and what stands in for its inverse.

    Attributes
    ----------
    system : System
    extra : Parts
        Added to the diagonal.
    blocks, inverse : ndarray of float64, (n, 3, 3)
        Each column's own block, damped, and its inverse.
    cross : ndarray of float64, (n, 3, m)
    nodes : ndarray of float64, (p,)
        Diagonal of the background, damped.
    schur : ndarray of float64, (m, m)
        The profiles' block less what the columns' own blocks explain of it, inverted.
    """

    system: System
    extra: Parts
    blocks: Floats
    inverse: Floats
    cross: Floats
    nodes: Floats
    schur: Floats

    @classmethod
    def of(cls, system: System, damping: float, least: Parts) -> Damped:
        """Damp by a share of the diagonal and, besides, by `least`."""
        blocks, cross = system.blocks()
        nodes = system.node_information()
        inner = system.shared.T @ (system.weights[:, None] * system.shared)
        own = np.diagonal(blocks, axis1=1, axis2=2)
        extra = Parts(damping * own + least.columns, damping * nodes + least.nodes, (damping + 1e-9) * np.diag(inner))
        blocks = blocks + extra.columns[:, :, None] * np.eye(3)
        inverse: Floats = np.linalg.inv(blocks).astype(np.float64)
        left = inner + np.diag(extra.profiles) - np.einsum("kam,kab,kbn->mn", cross, inverse, cross, optimize=True)
        return cls(system, extra, blocks, inverse, cross, nodes + extra.nodes, _inverse(left, np.diag(inner)))

    def times(self, step: Parts) -> Parts:
        """The damped matrix times a vector."""
        out = self.system.backward(self.system.weights * self.system.forward(step))
        return Parts(
            out.columns + self.extra.columns * step.columns,
            out.nodes + self.extra.nodes * step.nodes,
            out.profiles + self.extra.profiles * step.profiles,
        )

    def undone(self, values: Parts) -> Parts:
        """An inverse of its columns' blocks with the profiles, and of the background's diagonal, times a vector."""
        alone = np.einsum("kab,kb->ka", self.inverse, values.columns)
        shared = self.schur @ (values.profiles - np.einsum("kam,ka->m", self.cross, alone))
        columns = alone - np.einsum("kab,kb->ka", self.inverse, self.cross @ shared)
        return Parts(columns, values.nodes / self.nodes, shared)


def _inverse(matrix: Floats, scale: Floats) -> Floats:
    """Inverse of a small symmetric matrix, of which no direction is worth less than a hundredth of its own scale."""
    unit = 1.0 / np.sqrt(np.maximum(scale, 1e-300))
    values, vectors = np.linalg.eigh(matrix * np.outer(unit, unit))
    turned = vectors * unit[:, None]
    return np.asarray((turned / np.maximum(values, _LEAST_SHARE)) @ turned.T)


def solve(damped: Damped, right: Parts, steps: int = 60, share: float = 0.02) -> Parts:
    """Solve by conjugate gradients, to a share of the right side."""
    found = Parts(np.zeros_like(right.columns), np.zeros_like(right.nodes), np.zeros_like(right.profiles))
    left, way, energy = right, damped.undone(right), 0.0
    energy = left.dot(way)
    goal = share**2 * energy
    for _ in range(steps):
        if energy <= goal:
            break
        along = damped.times(way)
        length = energy / way.dot(along)
        found, left = found.plus(way, length), left.plus(along, -length)
        turned = damped.undone(left)
        before, energy = energy, left.dot(turned)
        way = turned.plus(way, energy / before)
    return found


def _stepped(model: ColumnModel, step: Parts) -> ColumnModel:
    """The model after a step; positions move by half a core's width at most, profiles by what they may at once."""
    parts = step.profiles.reshape(-1, PARAMETERS)
    share = min((profile.possible(part) for profile, part in zip(model.profiles, parts, strict=False)), default=1.0)
    own = share * step.columns
    sigma = np.array([profile.sigma for profile in model.profiles])[model.classes]
    far = np.hypot(own[:, 0], own[:, 1])
    shrink = np.minimum(1.0, 0.5 * sigma / np.maximum(far, 1e-12))
    profiles = model.profiles
    if len(parts):
        profiles = tuple(profile.moved(share * part) for profile, part in zip(model.profiles, parts, strict=True))
    return replace(
        model,
        rows=model.rows + own[:, 0] * shrink,
        columns=model.columns + own[:, 1] * shrink,
        amplitudes=model.amplitudes + own[:, 2],
        nodes=model.nodes + share * step.nodes.reshape(model.nodes.shape),
        profiles=profiles,
    )
