"""The fit of columns on a smooth background to the counts of a scan, by damped scoring steps.

The signal at a point is u = b + sum A_k g_c(k)(r - r_k). Its counts over the dose have mean V u and variance
V u / lambda (Poisson) or V u^2 / lambda (equation 5 as printed). A step of Fisher scoring solves
J^T W J p = J^T W (S / V - u) for all columns, the background and the profiles at once, with W = lambda V / u or
lambda V / u^2, so that neighbours which overlap cost no more than they must. The background is bilinear between nodes
on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from stemscan.recon.columns.kernels import add_columns, normal_matrix, own_blocks, slopes
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.types import Floats

__all__ = ["System", "deviance", "fit", "least_signal", "linearise", "signal_at", "solve"]

_FLOOR = 0.02


@dataclass(eq=False)
class System:
    """A model linearised at the points of a scan.

    Attributes
    ----------
    signal : ndarray of float64, (points,)
        The model u.
    weights : ndarray of float64, (points,)
        Fisher information of a point per squared change of u, lambda V / u or lambda V / u^2.
    jacobian : csr matrix, (points, 3 n + nodes)
    shared : ndarray of float64, (points, 5 classes)
        Slopes by the profiles.
    deviance : float
        -2 ln L up to a constant.
    """

    signal: Floats
    weights: Floats
    jacobian: sp.csr_array
    shared: Floats
    residual: Floats
    deviance: float
    pattern: sp.csr_array
    columns: int
    transposed: sp.csr_array = field(init=False)

    def __post_init__(self) -> None:
        self.transposed = self.jacobian.T.tocsr()

    def normal(self) -> sp.csr_array:
        """J^T W J of columns and background."""
        j, t, pattern = self.jacobian, self.transposed, self.pattern
        normal_matrix(
            j.indptr, j.indices, j.data, t.indptr, t.indices, t.data, self.weights,
            pattern.indptr, pattern.indices, pattern.data,
        )  # fmt: skip
        return pattern

    def gradient(self) -> tuple[Floats, Floats]:
        """Slopes of ln L by columns and background, and by profiles."""
        pull = self.weights * self.residual
        return self.transposed @ pull, self.shared.T @ pull


def linearise(model: ColumnModel, points: Observations, links: Links) -> System:
    """Evaluate a model and its slopes at the points of a scan."""
    count, kinds = len(links.points), len(model.profiles)
    heights, own, shared = np.empty(count), np.empty((count, 3)), np.empty((count, PARAMETERS))
    profiles = np.stack([profile.array() for profile in model.profiles])
    slopes(
        model.rows, model.columns, model.amplitudes, model.classes, profiles, model.reach,
        links.starts, links.points, points.rows, points.columns, heights, own, shared,
    )  # fmt: skip
    signal = links.nodes @ model.nodes.ravel()
    add_columns(heights, links.starts, links.points, signal)
    signal = np.maximum(signal, least_signal(points))
    power = 2 if points.noise == "eq5" else 1
    weights = points.electrons_per_sample * points.visits / signal**power
    residual = points.signal / points.visits - signal
    owner_class = np.repeat(model.classes, np.diff(links.starts))
    by_profile = np.empty((len(signal), kinds * PARAMETERS))
    for kind in range(kinds):
        here = owner_class == kind
        for m in range(PARAMETERS):
            by_profile[:, kind * PARAMETERS + m] = np.bincount(
                links.points[here], shared[here, m], minlength=len(signal)
            )
    values = np.concatenate([own.ravel(), links.nodes.data])[links.order]
    jacobian = sp.csr_array((values, links.jacobian.indices, links.jacobian.indptr), links.jacobian.shape)
    return System(
        signal, weights, jacobian, by_profile, residual, deviance(points, signal), links.pattern, len(model.rows)
    )


def least_signal(points: Observations) -> float:
    """The signal below which a model is not taken to fall: a fiftieth of the mean, which is at least one electron."""
    one = 1.0 / (points.electrons_per_sample * float(points.visits.sum()))
    return _FLOOR * max(points.mean, one)


def signal_at(model: ColumnModel, points: Observations) -> Floats:
    """The model's signal at the points of a scan."""
    return linearise(model, points, Links.of(model, points)).signal


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
    system = linearise(model, points, links)
    damping = 1e-3
    for _ in range(rounds):
        step, shared, far = _solve(system, damping, profiles, _least_curvature(model))
        moved = _stepped(model, step, shared)
        tried = linearise(moved, points, links)
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


def _least_curvature(model: ColumnModel) -> Floats:
    """Curvature added to each parameter's own, so that what the counts hardly tell moves little in a step."""
    sigma = np.array([profile.sigma for profile in model.profiles])[model.classes]
    amplitude = 1.0 / max(float(np.median(np.abs(model.amplitudes))), 1e-6) ** 2 if len(sigma) else 1.0
    own = np.stack([4 / sigma**2, 4 / sigma**2, np.full(len(sigma), amplitude)], axis=1)
    return np.concatenate([own.ravel(), np.full(model.nodes.size, amplitude)])


def _solve(system: System, damping: float, profiles: bool, least: Floats) -> tuple[Floats, Floats, float]:
    """One damped scoring step: of columns and background, of the profiles, and its length in standard deviations."""
    normal = system.normal()
    diagonal = normal.diagonal()
    normal.setdiag(diagonal * (1 + damping) + least)
    pull, shared_pull = system.gradient()
    weighted = system.weights[:, None] * system.shared
    cross = system.transposed @ weighted
    solved = solve(normal, np.column_stack([pull, cross]), system.columns)
    step, solved = solved[:, 0], solved[:, 1:]
    shared = np.zeros(system.shared.shape[1])
    if profiles:
        inner = system.shared.T @ weighted
        schur = inner - cross.T @ solved
        scale = np.sqrt(np.maximum(np.diag(schur), 1e-9 * np.diag(inner) + 1e-12))
        schur = schur / np.outer(scale, scale) + (1e-9 + damping) * np.eye(len(schur))
        shared = np.linalg.solve(schur, (shared_pull - cross.T @ step) / scale) / scale
        step = step - solved @ shared
    return step, shared, float(np.quantile(np.abs(step) * np.sqrt(diagonal), 0.99))


def solve(normal: sp.csr_array, right: Floats, columns: int) -> Floats:
    """Solve for several right sides by conjugate gradients, with each column's own 3 x 3 block as preconditioner."""
    size = 3 * columns
    blocks = np.empty((columns, 3, 3))
    own_blocks(normal.indptr, normal.indices, normal.data, blocks)
    inverse = np.linalg.inv(blocks)
    rest = 1.0 / normal.diagonal()[size:, None]

    def precondition(values: Floats) -> Floats:
        own = np.einsum("kij,kjm->kim", inverse, values[:size].reshape(columns, 3, values.shape[1])).reshape(
            size, values.shape[1]
        )
        return np.concatenate([own, rest * values[size:]])

    found = np.zeros_like(right)
    left = right.copy()
    turned = precondition(left)
    way = turned.copy()
    energy = np.einsum("im,im->m", left, turned)
    goal = 1e-8 * energy
    for _ in range(200):
        if (energy <= goal).all():
            break
        along = normal @ way
        length = np.where(energy > goal, energy / np.maximum(np.einsum("im,im->m", way, along), 1e-300), 0.0)
        found += length * way
        left -= length * along
        turned = precondition(left)
        before, energy = energy, np.einsum("im,im->m", left, turned)
        way = turned + np.where(before > 0, energy / np.maximum(before, 1e-300), 0.0) * way
    return found


def _stepped(model: ColumnModel, step: Floats, shared: Floats) -> ColumnModel:
    """The model after a step; positions move by half a core's width at most, profiles by what they may at once."""
    count = len(model.rows)
    parts = [shared[k * PARAMETERS : (k + 1) * PARAMETERS] for k in range(len(model.profiles))]
    share = min(profile.possible(part) for profile, part in zip(model.profiles, parts, strict=True))
    own = share * step[: 3 * count].reshape(count, 3)
    sigma = np.array([profile.sigma for profile in model.profiles])[model.classes]
    far = np.hypot(own[:, 0], own[:, 1])
    shrink = np.minimum(1.0, 0.5 * sigma / np.maximum(far, 1e-12))
    return replace(
        model,
        rows=model.rows + own[:, 0] * shrink,
        columns=model.columns + own[:, 1] * shrink,
        amplitudes=model.amplitudes + own[:, 2],
        nodes=model.nodes + share * step[3 * count :].reshape(model.nodes.shape),
        profiles=tuple(profile.moved(share * part) for profile, part in zip(model.profiles, parts, strict=True)),
    )
