"""Columns that were fitted as two: of a pair so near that each takes up the other, one goes if the counts let it.

A search ends before tails, background and profiles are known, and what they then explain may have been a column.
Amplitudes of such a pair are known much worse than their sum, so that each would be drawn towards a whole column.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from stemscan.recon.columns.errors import Errors, joint_errors
from stemscan.recon.columns.fitting import Fitted, fit, linearised
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.recon.columns.ratios import absent
from stemscan.types import Floats

__all__ = ["without_splits"]

_NEAR = 2.0
"""Widths between columns that may be one."""
_WORTH = 5.0
"""ln of the likelihood ratio that a column is worth: three parameters, each half the logarithm of the samples there."""
_ROUNDS = 4


def without_splits(fitted: Fitted, points: Observations, known: Floats | None = None) -> tuple[Fitted, Errors]:
    """Drop the less needed of near pairs where the counts need one alone, fit again, and give the errors.

    Parameters
    ----------
    fitted : Fitted
        Linearised with its profiles.
    points : Observations
        Samples to which the columns were fitted.
    known : ndarray of float64, (m, m), optional
        See `joint_errors`.
    """
    errors = joint_errors(fitted, points.shape, known)
    model = fitted.model
    pairs = sorted(cKDTree(model.places).query_pairs(_NEAR * model.profiles[0].sigma)) if len(model.rows) else []
    if not pairs:
        return fitted, errors
    worth = absent(fitted, errors.columns[:, 2, 2], points)
    kept = np.ones(len(model.rows), bool)
    for a, b in pairs:
        less = a if worth[a] < worth[b] else b
        if kept[a] and kept[b] and worth[less] < _WORTH:
            kept[less] = False
    if kept.all():
        return fitted, errors
    model = fit(model.only(kept), points, rounds=_ROUNDS, profiles=False).model
    shared = model
    if fitted.system.shared.shape[1] == PARAMETERS:  # classes of one profile
        shared = replace(model, classes=np.zeros_like(model.classes), profiles=model.profiles[:1])
    fitted = Fitted(model, linearised(shared, points, profiles=True).system)
    return fitted, joint_errors(fitted, points.shape, known)
