"""The fit of columns, background and profiles to the counts, all at once, by damped scoring steps.

A step solves (J^T W J + damping) p = J^T W (S / V - u): neighbours that overlap, the background and the profiles that
all share move together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.model import System, linearise
from stemscan.recon.columns.normal import Normal, Solver
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS
from stemscan.types import Floats

__all__ = ["Fitted", "fit", "linearised"]

_SHARE = 0.003
"""Accuracy of a step."""

_NEAR = 1.0
"""Length of a step, in conditional standard deviations, that leaves the normal matrix as it was."""


class Fitted(NamedTuple):
    """A model, and the same linearised."""

    model: ColumnModel
    system: System


def linearised(model: ColumnModel, points: Observations, *, profiles: bool = False) -> Fitted:
    """A model as it is."""
    return Fitted(model, linearise(model, points, Links.of(model, points), profiles=profiles))


def fit(
    model: ColumnModel,
    points: Observations,
    *,
    rounds: int = 12,
    profiles: bool = True,
    tolerance: float = 0.3,
    start: Normal | None = None,
) -> Fitted:
    """Maximum-likelihood fit of all parameters at once, by damped Fisher scoring.

    What is left after a step is about a quarter of it, so that a fit need not go on until steps are small.

    Parameters
    ----------
    model : ColumnModel
        Start.
    rounds : int
        Steps at most.
    profiles : bool
        Fit the profiles, too.
    tolerance : float
        Stop after a step of which 99 % of the parameters move by less, in conditional standard deviations.
    start : Normal, optional
        The model's normal matrix, where it is known.
    """
    normal = start or Normal.of(linearise(model, points, Links.of(model, points), profiles=profiles))
    system, damping = normal.system, 1e-3
    for _ in range(rounds):
        step, far = _solve(normal, damping, model)
        moved = _stepped(model, step)
        tried = linearise(moved, points, system.links, profiles=profiles)
        if tried.deviance > system.deviance + 1e-6:
            damping = max(damping * 10, 1e-2)
            if damping > 1e4:
                break
            continue
        damping = max(damping / 5, 1e-6)
        model, system = moved, tried
        if far < tolerance:
            break
        normal = Normal.of(system) if far > _NEAR else normal.at(system)
    return Fitted(model, system)


def _solve(normal: Normal, damping: float, model: ColumnModel) -> tuple[Floats, float]:
    """One damped scoring step, and its length in conditional standard deviations of columns and background.

    Besides a share of the counts' part of the diagonal some curvature of its own is added to each parameter, so that
    what the counts hardly tell moves little in a step. A stiff prior of the background is no part of either: it leaves
    the background free to move as a whole.
    """
    sigma = np.array([profile.sigma for profile in model.profiles])[model.classes]
    amplitude = 1.0 / max(float(np.median(np.abs(model.amplitudes))), 1e-6) ** 2 if len(sigma) else 1.0
    own = np.stack([4 / sigma**2, 4 / sigma**2, np.full(len(sigma), amplitude)], axis=1)
    inner = len(normal.border)
    diagonal = normal.counted
    extra = (damping + 1e-9) * diagonal
    extra[:inner] += np.concatenate([own.ravel(), np.full(model.nodes.size, amplitude)])
    step = Solver(normal, extra).solve(normal.gradient, share=_SHARE)
    moved = np.abs(step[:inner]) * np.sqrt((diagonal + extra)[:inner])
    return step, float(np.quantile(moved, 0.99)) if moved.size else 0.0


def _stepped(model: ColumnModel, step: Floats) -> ColumnModel:
    """The model after a step; positions move by half a core's width at most, profiles by what they may at once."""
    rows = 3 * len(model.rows)
    inner = rows + model.nodes.size
    parts = step[inner:].reshape(-1, PARAMETERS)
    share = min((profile.possible(part) for profile, part in zip(model.profiles, parts, strict=False)), default=1.0)
    own = share * step[:rows].reshape(-1, 3)
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
        nodes=model.nodes + share * step[rows:inner].reshape(model.nodes.shape),
        profiles=profiles,
    )
