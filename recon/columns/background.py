"""Variation of the background from node to node, learned by the evidence of the counts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from stemscan.recon.columns.fitting import Fitted, fit
from stemscan.recon.columns.links import ColumnModel, differences
from stemscan.recon.columns.normal import Normal, Solver
from stemscan.recon.columns.observations import Observations

__all__ = ["smoothed"]

_LEAST = 1e-3
_TURNS, _ROUNDS = 4, 10
_SETTLED = 0.2
_SHARE = 0.002
_LEAST_SLOPE = 0.35
_HALVINGS = 6
_NOTHING = 1.0
"""Deviance that fits leave open."""


def smoothed(model: ColumnModel, points: Observations, *, profiles: bool = True) -> Fitted:
    """Learn how far neighbouring nodes of the background differ, and fit with that prior.

    With s^2 the variance of a difference D b of neighbouring nodes, C their covariance posterior to the counts, and p
    nodes, the evidence is stationary at s^2 = |D b|^2 / (p - 1 - tr(D C D^T) / s^2) (MacKay, Neural Computation 4, 415,
    1992). The trace is estimated by one product with random signs. A background that does not vary has a least s, a
    thousandth of the mean signal. s is learned from the likelihood's parabola near the best fit, then the fit is
    repeated. The first s is the mean signal: with no prior at all, nodes of which the counts tell nothing would decide,
    by chance.
    """
    variance, least = points.mean**2, (_LEAST * points.mean) ** 2
    fitted = fit(replace(model, stiffness=1.0 / max(variance, 1e-30)), points, rounds=4, profiles=profiles)
    for _ in range(_TURNS):
        before, normal = fitted.model.stiffness, Normal.of(fitted.system)
        stiffness = _learned(normal, fitted.model, max(least, 1e-30))
        if abs(math.log(stiffness / before)) < _SETTLED:
            break
        tried = _with_stiffness(fitted, normal, stiffness, points, profiles)
        for _ in range(_HALVINGS):
            if tried.system.deviance - fitted.system.deviance < _most_gained(fitted, stiffness):
                break
            stiffness = math.sqrt(stiffness * before)
            tried = _with_stiffness(fitted, normal, stiffness, points, profiles)
        else:
            break
        fitted = tried
    return fitted


def _with_stiffness(
    fitted: Fitted, normal: Normal, stiffness: float, points: Observations, profiles: bool
) -> Fitted:  # fmt: skip
    """The fit again with another prior."""
    model = replace(fitted.model, stiffness=stiffness)
    start = _stiffened(normal, fitted.model, stiffness)
    return fit(model, points, rounds=3, profiles=profiles, start=start)


def _most_gained(fitted: Fitted, stiffness: float) -> float:
    """Deviance that a stiffer prior may cost: more than twice the logarithm of its density gains is never worth it.

    The parabola may promise what a profile at the end of what it may be does not keep.
    """
    return fitted.model.nodes.size * max(math.log(stiffness / fitted.model.stiffness), 0.0) + _NOTHING


def _learned(normal: Normal, model: ColumnModel, least: float) -> float:
    """1 / s^2 where the evidence is stationary, s^2 at least `least`.

    ln s^2 goes to where its changes, seen as a line, vanish.
    """
    apart, freedom = differences(model.nodes.shape), model.nodes.size - 1
    signs = np.random.Generator(np.random.Philox(0)).choice([-1.0, 1.0], apart.shape[0])
    nodes = slice(3 * len(model.rows), 3 * len(model.rows) + model.nodes.size)
    probe = np.zeros_like(normal.gradient)
    probe[nodes] = apart.T @ signs
    step = spread = before = None
    at = -math.log(model.stiffness)
    for _ in range(_ROUNDS):
        stiffness = math.exp(-at)
        bent = _stiffened(normal, model, stiffness)
        solver = Solver(bent, 1e-9 * bent.diagonal + 1e-12)
        step = solver.solve(bent.gradient, share=_SHARE, start=step)
        spread = solver.solve(probe, share=_SHARE, start=spread)
        trace = float(signs @ (apart @ spread[nodes]))
        squares = float(((apart @ (model.nodes.ravel() + step[nodes])) ** 2).sum())
        change = math.log(max(squares / max(freedom - stiffness * trace, 0.5), least)) - at
        slope = (before[1] - change) / (at - before[0]) if before else 1.0
        before = at, change
        at = max(at + change / min(max(slope, _LEAST_SLOPE), 1.0), math.log(least))
        if abs(at - before[0]) < 0.5 * _SETTLED:
            break
    return math.exp(-at)


def _stiffened(normal: Normal, model: ColumnModel, stiffness: float) -> Normal:
    """The same with another prior of the background."""
    before, nodes = normal.system, model.nodes.ravel()
    change = (stiffness - before.stiffness) * before.links.roughness
    bent = change @ nodes
    gradient = normal.gradient.copy()
    gradient[3 * len(model.rows) : 3 * len(model.rows) + len(nodes)] -= bent
    system = replace(
        before, stiffness=stiffness, drawn=before.drawn - bent, deviance=before.deviance + float(nodes @ bent)
    )
    return replace(normal, system=system, flat=sp.csr_array(normal.flat + change), gradient=gradient)
