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


def smoothed(model: ColumnModel, points: Observations, *, profiles: bool = True) -> Fitted:
    """Learn how far neighbouring nodes of the background differ, and fit with that prior.

    With s^2 the variance of a difference D b of neighbouring nodes, C their covariance posterior to the counts, and p
    nodes, the evidence is stationary at s^2 = |D b|^2 / (p - 1 - tr(D C D^T) / s^2) (MacKay, Neural Computation 4, 415,
    1992). The trace is estimated by one product with random signs. A background that does not vary has a least s, a
    thousandth of the mean signal. s is learned from the likelihood's parabola near the best fit, then the fit is
    repeated.
    """
    fitted = fit(model, points, rounds=4, profiles=profiles)
    for _ in range(_TURNS):
        before, normal = fitted.model.stiffness, Normal.of(fitted.system)
        stiffness = _learned(normal, fitted.model, points.mean, (_LEAST * points.mean) ** 2)
        if before and abs(math.log(stiffness / before)) < _SETTLED:
            break
        model = replace(fitted.model, stiffness=stiffness)
        start = _stiffened(normal, fitted.model, stiffness)
        fitted = fit(model, points, rounds=3, profiles=profiles, start=start)
    return fitted


def _learned(normal: Normal, model: ColumnModel, mean: float, least: float) -> float:
    """1 / s^2 where the evidence is stationary, s^2 at least `least`.

    The first s is the mean signal: with none at all, nodes of which the counts tell nothing would decide, by chance.
    Then ln s^2 goes to where its changes, seen as a line, vanish.
    """
    apart, freedom = differences(model.nodes.shape), model.nodes.size - 1
    signs = np.random.Generator(np.random.Philox(0)).choice([-1.0, 1.0], apart.shape[0])
    nodes = slice(3 * len(model.rows), 3 * len(model.rows) + model.nodes.size)
    probe = np.zeros_like(normal.gradient)
    probe[nodes] = apart.T @ signs
    step = spread = before = None
    at = -math.log(model.stiffness) if model.stiffness else math.log(max(mean**2, least))
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
