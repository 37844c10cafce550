"""The fit of columns, background and profiles to the counts, all at once, by damped scoring steps.

A step solves (J^T W J + damping) p = J^T W (S / V - u) by conjugate gradients, from products with J alone, so that
neighbours which overlap cost no more than they must. In place of the inverse stand each column's own block with the
profiles, and the background's diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.model import Parts, System, linearise
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.types import Floats

__all__ = ["Damped", "fit", "solve"]

_LEAST_SHARE = 0.01


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
