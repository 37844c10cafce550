"""Columns of a lattice's cell that are too weak to be fitted one by one: one amplitude for those of all cells.

Where they are left out profiles and background take them up, as far as they can: a profile that dips where its own
tail should be, a background that is too high. Vacancies then come out below zero. Counts folded into one cell show
where weak columns may stand (`stemscan.recon.columns.fold`); the amplitude of each such set of columns is one more
parameter of the fit, found by Newton steps in which all others follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from stemscan.recon.columns.errors import amplitude_std
from stemscan.recon.columns.fitting import Fitted, fit
from stemscan.recon.columns.fold import folded_sites
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.columns.links import ColumnModel
from stemscan.recon.columns.model import columns_at
from stemscan.recon.columns.normal import Normal, Solver
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.score import Score
from stemscan.recon.columns.sites import Surroundings, predict
from stemscan.types import Floats

__all__ = ["with_weak"]

_TURNS, _ROUNDS = 4, 5
_PROMISING, _NEEDED = 3.0, 4.0
"""Mean amplitude over its standard deviation that weak columns must have, with all else held and with all else free."""
_LEAST, _MOST = 0.02, 0.15
"""Amplitudes, over the mean one of fitted columns, between which a set is of account, and weak."""
_TRIED = 4
_APART, _TAKEN = 2.2, 0.3
"""Widths from fitted columns at which weak ones stand, and the share of them that may be nearer."""
_SAME = 1.5
_SETTLED = 0.5
_SHARE = 0.003


class _Set(NamedTuple):
    """Places of weak columns, (n, 2), their amplitude and its standard deviation."""

    places: Floats
    amplitude: float
    std: float


def with_weak(
    fitted: Fitted, points: Observations, beyond: ColumnModel, sign: int, *, profiles: bool
) -> tuple[Fitted, Observations, ColumnModel, Floats]:
    """Fit again with the weak columns that the cells of lattices have in common.

    Parameters
    ----------
    points : Observations
        The signal of `beyond` known.
    beyond : ColumnModel
        Columns outside of the frame of which the samples tell too little.
    sign : int
        1 where columns are bright, -1 where they are dark.
    profiles : bool
        Fit the profiles, too.

    Returns
    -------
    points : Observations
        The signal of weak columns known, too.
    beyond : ColumnModel
        With the weak columns.
    uncertain : ndarray of float64, (n,)
        Standard deviation of the amplitude that all of a set have in common; 0 of other columns.
    """
    sets: list[_Set] = []
    for _ in range(_TURNS):
        tried = sets + _candidates(fitted, points, sets, sign)
        if not tried:
            break
        amplitudes, std = _amplitudes(fitted, points, tried)
        share = sign * amplitudes / float(np.abs(fitted.model.amplitudes).mean())
        kept = (sign * amplitudes > _NEEDED * std) & (share > _LEAST) & (share < _MOST)
        before = np.array([one.amplitude for one in tried])
        sets = [
            _Set(one.places, float(a), float(error))
            for one, a, error, keep in zip(tried, amplitudes, std, kept, strict=True)
            if keep
        ]
        moved = np.abs(np.where(kept, amplitudes, 0.0) - before) / std
        if not moved.max() > _SETTLED:
            break
        points = replace(points, known=columns_at(_joined(beyond, sets), points))
        fitted = fit(fitted.model, points, rounds=_ROUNDS, profiles=profiles)
    uncertain = [np.zeros(len(beyond.rows)), *(np.full(len(one.places), one.std) for one in sets)]
    return fitted, points, _joined(beyond, sets), np.concatenate(uncertain)


def _joined(beyond: ColumnModel, sets: list[_Set]) -> ColumnModel:
    """Columns beyond, and weak ones."""
    for one in sets:
        beyond = beyond.extended(one.places, np.full(len(one.places), one.amplitude))
    return beyond


def _candidates(fitted: Fitted, points: Observations, sets: list[_Set], sign: int) -> list[_Set]:
    """Sets of places in the cells of lattices at which the counts may call for weak columns, their amplitudes 0."""
    model = fitted.model
    found: list[_Set] = []
    sigma, shape = model.profiles[0].sigma, points.shape
    score = Score.of(points, fitted.system.signal, model.profiles[0], model.reach)
    columns = cKDTree(model.places)
    for lattice in find_lattices(model.places, model.amplitudes, amplitude_std(fitted, shape)):
        around = Surroundings.of(lattice, model.places)
        indices = np.concatenate([lattice.indices, around.empty(shape), around.beyond(shape, model.reach)])
        sites = predict(lattice, model.places, indices).places
        offsets, _ = folded_sites(score, sign, sites, lattice.basis, sigma, 0.0, threshold=_PROMISING)
        tried = 0
        for offset in offsets:
            places = sites + offset
            places = places[((places > -model.reach) & (places < np.array(shape) + model.reach)).all(axis=1)]
            others = [cKDTree(one.places).query(places)[0] < _SAME * sigma for one in sets + found]
            near = columns.query(places)[0] < _APART * sigma
            if not len(places) or near.mean() > _TAKEN or any(other.mean() > _TAKEN for other in others):
                continue
            found.append(_Set(places[~near], 0.0, 0.0))
            tried += 1
            if tried == _TRIED:
                break
    return found


def _amplitudes(fitted: Fitted, points: Observations, sets: list[_Set]) -> tuple[Floats, Floats]:
    """Amplitudes of sets after one Newton step of all parameters together, and their standard deviations."""
    model, system = fitted.model, fitted.system
    nothing = model.only(np.zeros(len(model.rows), bool))
    shapes = np.stack(
        [columns_at(nothing.extended(one.places, np.ones(len(one.places))), points) for one in sets], axis=1
    )
    normal = Normal.of(system)
    solver = Solver(normal, 1e-9 * normal.diagonal + 1e-6 * float(np.median(normal.diagonal)))
    still = np.zeros_like(system.drawn)
    slopes = np.stack([normal.at(replace(system, residual=shape, drawn=still)).gradient for shape in shapes.T], axis=1)
    solved = np.stack([solver.solve(slope, share=_SHARE) for slope in slopes.T], axis=1)
    information = shapes.T @ (system.weights[:, None] * shapes) - slopes.T @ solved
    covariance = np.linalg.pinv(0.5 * (information + information.T), hermitian=True)
    pull = shapes.T @ (system.weights * system.residual) - solved.T @ normal.gradient
    return np.array([one.amplitude for one in sets]) + covariance @ pull, np.sqrt(np.diagonal(covariance))
