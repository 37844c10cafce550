"""Variation of the background from node to node, learned by the evidence of the counts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stemscan.recon.columns.fitting import Fitted, fit
from stemscan.recon.columns.links import ColumnModel, differences
from stemscan.recon.columns.normal import Normal, solve
from stemscan.recon.columns.observations import Observations

__all__ = ["smoothed"]

_LEAST = 1e-3
_ROUNDS = 8
_SETTLED = 0.2


def smoothed(model: ColumnModel, points: Observations, *, profiles: bool = True) -> Fitted:
    """Learn how far neighbouring nodes of the background differ, and fit with that prior.

    With s^2 the variance of a difference D b of neighbouring nodes, C their covariance posterior to the counts, and p
    nodes, the evidence is stationary at s^2 = |D b|^2 / (p - 1 - tr(D C D^T) / s^2) (MacKay, Neural Computation 4, 415,
    1992). The trace is estimated by one product with random signs. A background that does not vary has a least s, a
    thousandth of the mean signal.
    """
    apart, freedom = differences(model.nodes.shape), model.nodes.size - 1
    signs = np.random.Generator(np.random.Philox(0)).choice([-1.0, 1.0], apart.shape[0])
    fitted = fit(model, points, rounds=3, profiles=profiles)
    for _ in range(_ROUNDS):
        model = fitted.model
        normal = Normal.of(fitted.system)
        right = np.zeros((len(normal.gradient), 1))
        nodes = slice(3 * len(model.rows), 3 * len(model.rows) + model.nodes.size)
        right[nodes, 0] = apart.T @ signs
        spread = solve(normal, 1e-9 * normal.diagonal + 1e-12, right, share=0.02)[nodes, 0]
        trace = float(signs @ (apart @ spread))
        squares = float(((apart @ model.nodes.ravel()) ** 2).sum())
        if model.stiffness:
            variance = squares / max(freedom - model.stiffness * trace, 0.5)
        else:
            variance = max(squares - trace, 0.0) / freedom
        variance = max(variance, (_LEAST * points.mean) ** 2)
        done = abs(math.log(variance * model.stiffness)) < _SETTLED if model.stiffness else False
        fitted = fit(replace(model, stiffness=1.0 / variance), points, rounds=3, profiles=profiles)
        if done:
            break
    return fitted
