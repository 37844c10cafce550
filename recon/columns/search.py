"""Search for columns in a tile: candidates are fitted, the unsupported dropped, those that the model lacks added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.background import smoothed
from stemscan.recon.columns.candidates import Pilot
from stemscan.recon.columns.errors import amplitude_std
from stemscan.recon.columns.fitting import Fitted, fit
from stemscan.recon.columns.fold import folded_sites
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.columns.links import ColumnModel
from stemscan.recon.columns.model import columns_at, without
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile
from stemscan.recon.columns.score import Score
from stemscan.recon.columns.sites import Surroundings, predict
from stemscan.recon.columns.weak import with_weak
from stemscan.recon.contradiction.scores import score_threshold
from stemscan.runtime.work import part
from stemscan.types import Floats

__all__ = ["Scale", "Searched", "beginning", "searched"]

_TURNS = (3, 6)
"""Rounds of dropping and adding, at most, before and after sites of lattices are known."""
_ROUNDS, _ROUGH = 4, 1.0
_REACH, _FIRST_REACH = 6.0, 4.0
"""Distance beyond which a column adds nothing, in its widths: of a fit, and while columns come and go."""

_APART = 1.0
_AT_A_SITE = (1.5, 2.0)
_A_PEAK = 3.0
_NODES_APART = 2.5
_AT_FIRST = 0.7
_BEYOND = 1.0
_SMOOTH = 0.6
_FLANK = 4.5


@dataclass(frozen=True)
class Scale:
    """Sizes that a search begins with.

    Attributes
    ----------
    sign : int
        1 where columns are bright, -1 where they are dark.
    sigma : float
        Width of a column's core in pixels, about.
    spacing : float
        Distance of the background's nodes.
    strict : float
        Significance that noise alone hardly reaches anywhere in the scan.
    """

    sign: int
    sigma: float
    spacing: float
    strict: float

    @property
    def reach(self) -> float:
        """Distance beyond which a column adds nothing."""
        return _REACH * self.sigma

    @classmethod
    def of(cls, pilots: list[Pilot], shape: tuple[int, int]) -> Scale:
        """Sizes seen in images of parts of a scan; `shape` is that of the whole scan."""
        sign = 1 if sum(pilot.skewness for pilot in pilots) >= 0 else -1
        strengths = np.array([float(pilot.image.std()) for pilot in pilots])
        strong = [pilot for pilot, strength in zip(pilots, strengths, strict=True) if 2 * strength >= strengths.max()]
        sigma = float(np.median([pilot.core_width for pilot in strong]))
        apart = [pilot.distance(sign, _SMOOTH * sigma) for pilot in strong]
        distance = min(float(np.median(apart)), 12 * sigma)
        spacing = float(np.clip(_NODES_APART * distance, 8 * sigma, max(shape)))
        return cls(sign, sigma, spacing, score_threshold(shape, sigma))


class Searched(NamedTuple):
    """Columns of a tile.

    Attributes
    ----------
    points : Observations
        The samples, the signal of the columns beyond known.
    beyond : ColumnModel
        Columns of which the samples tell too little, outside of the frame or too weak to be seen one by one: at their
        lattices' sites, of usual amplitude.
    uncertain : ndarray of float64, (n,)
        Standard deviation of the amplitude that weak columns have in common; 0 of those outside.
    """

    fitted: Fitted
    points: Observations
    beyond: ColumnModel
    uncertain: Floats


def searched(points: Observations, pilot: Pilot, scale: Scale, profiles: tuple[Profile, ...] | None = None) -> Searched:
    """Find and fit the columns that the counts call for, one by one or, in a lattice, all cells together.

    Columns whose centre lies outside of the frame, but whose flank is inside, are part of the model: those that the
    samples tell of are fitted, those farther out taken to be where their lattice has them.

    Parameters
    ----------
    pilot : Pilot
        A reconstruction of the same counts; only the places of its peaks count.
    profiles : tuple of Profile, optional
        The columns' profiles, where they are known; the first is taken.
    """
    sign, held = scale.sign, profiles is not None
    start = beginning(points, pilot, scale, profiles[0] if profiles else Profile(scale.sigma))
    start = replace(start, reach=_FIRST_REACH * scale.sigma)
    alone = _Support(np.empty((0, 3)), _A_PEAK, scale.strict)
    with part(0.2):
        first = _settled(start, points, alone, sign, _TURNS[0], held=held)
    sites = _expected_sites(first, points.shape, sign)
    places, amplitudes = _unoccupied(first.model, sites)
    model = first.model.extended(places, _AT_FIRST * amplitudes)
    support = _Support(sites, scale.strict, scale.strict)
    with part(0.5):
        settled = _settled(model, points, support, sign, _TURNS[1], held=held)
    beyond = replace(_beyond(settled, points.shape), reach=scale.reach)
    points = replace(points, known=columns_at(beyond, points))
    # of tails a search at a small reach tells nothing
    whole = settled.model.profiles if held else (replace(settled.model.profiles[0], near=0.0, far=0.0),)
    model = replace(settled.model, reach=scale.reach, profiles=whole)
    with part(0.2):
        fitted = smoothed(model, points, profiles=not held)
    return Searched(*with_weak(fitted, points, beyond, sign, profiles=not held))


@dataclass(frozen=True, eq=False)
class _Support:
    """Significance that a column must have: less at `sites` than elsewhere, and more where the score alone proposed it.

    At a site whose lattice has columns of amplitude m, one is there unless the amplitude that is found speaks for none
    more than twenty times as loud as for m: above m / 2 - 3 s^2 / m with s its standard deviation. Columns are seldom
    displaced far: from a distance of `near` to twice that more is needed, in the end as much as elsewhere. A site
    speaks for one column, the nearest.
    """

    sites: Floats
    elsewhere: float
    proposed: float

    def thresholds(self, places: Floats, std: Floats, near: float) -> Floats:
        """Amplitudes over their standard deviations that columns at `places` need."""
        needed = np.full(len(places), self.elsewhere)
        if len(self.sites) and len(places):
            distance, nearest = cKDTree(self.sites[:, :2]).query(places)
            expected = np.maximum(np.abs(self.sites[nearest, 2]), 1e-6) / std
            away = np.clip(distance / near - 1.0, 0.0, 1.0)
            order = np.argsort(distance, kind="stable")
            further = np.ones(len(places), bool)
            further[order[np.unique(nearest[order], return_index=True)[1]]] = False
            away[further] = 1.0
            needed += (1.0 - away) * (np.clip(0.5 * expected - 3.0 / expected, *_AT_A_SITE) - needed)
        return needed


class _Settled(NamedTuple):
    """Columns of which none is to be dropped and none lacking, their amplitudes' standard deviations, and the score."""

    model: ColumnModel
    std: Floats
    score: Score


def _settled(
    model: ColumnModel, points: Observations, support: _Support, sign: int, turns: int, *, held: bool
) -> _Settled:
    """Fit, drop and add until nothing is left to do; where a column was dropped, none is tried again.

    While columns come and go, those without support keep moving: the fit is as good as they allow, which is enough to
    tell what is needed. Profiles are fitted at the beginning unless they are `held`.
    """
    refused = np.empty((0, 2))
    for turn in range(turns):
        shaped = turn == 0 and not held and len(model.rows) > 0
        fitted = fit(model, points, profiles=shaped, rounds=_ROUNDS, tolerance=_ROUGH)
        std = amplitude_std(fitted, points.shape)
        kept = _needed(fitted.model, std, points.shape, support, sign)
        refused = np.concatenate([refused, _places(fitted.model)[~kept]])
        model, std = fitted.model.only(kept), std[kept]
        sigma = model.profiles[0].sigma
        score = Score.of(points, without(*fitted, ~kept, points), model.profiles[0], model.reach)
        extra = _far_from(refused, score.peaks(1.5 * sigma, support.proposed, sign), sigma)
        if turn == turns - 1 or not len(extra):
            break
        typical = float(np.median(model.amplitudes)) if len(model.rows) else sign * points.mean
        model = model.extended(extra, np.full(len(extra), 0.5 * typical))
        refused = np.concatenate([refused, extra])
    return _Settled(model, std, score)


def _places(model: ColumnModel) -> Floats:
    """Rows and columns, (n, 2)."""
    return np.stack([model.rows, model.columns], axis=1)


def _far_from(refused: Floats, places: Floats, distance: float) -> Floats:
    """Those places that lie at least so far from all that were tried."""
    return places[cKDTree(refused).query(places)[0] > distance] if len(refused) and len(places) else places


def _expected_sites(settled: _Settled, shape: tuple[int, int], sign: int) -> Floats:
    """Places at which lattices, or counts folded into their cell, expect columns: (row, column, amplitude), (n, 3).

    They lie in the frame or outside of it by less than `_BEYOND` widths of a column.
    """
    model, std, score = settled
    places, sigma = _places(model), model.profiles[0].sigma
    margin, least = _BEYOND * sigma, 0.1 * float(np.median(np.abs(model.amplitudes))) if len(places) else 0.0
    parts = []
    for lattice in find_lattices(places, model.amplitudes, std):
        around = Surroundings.of(lattice, places)
        indices = np.concatenate([lattice.indices, around.empty(shape), around.beyond(shape, margin)])
        own = predict(lattice, places, indices).places
        parts.append(_of_amplitude(own, float(np.median(model.amplitudes[lattice.members]))))
        offsets, amplitudes = folded_sites(score, sign, own, lattice.basis, sigma, least)
        parts += [_of_amplitude(own + by, sign * each) for by, each in zip(offsets, amplitudes, strict=True)]
    sites = np.concatenate([np.empty((0, 3)), *parts])
    return sites[_within(sites[:, :2], shape, margin)]


def _of_amplitude(places: Floats, amplitude: float) -> Floats:
    """(row, column, amplitude), (n, 3)."""
    return np.column_stack([places, np.full(len(places), amplitude)])


def _unoccupied(model: ColumnModel, sites: Floats) -> tuple[Floats, Floats]:
    """Sites without a column, one of several that coincide, and the amplitude that is usual there."""
    near = 1.5 * model.profiles[0].sigma
    places, free = _places(model), sites
    if len(places) and len(sites):
        free = sites[cKDTree(places).query(sites[:, :2])[0] > near]
    kept = np.ones(len(free), bool)
    for a, b in sorted(cKDTree(free[:, :2]).query_pairs(near)) if len(free) else ():
        if kept[a]:
            kept[b] = False
    return free[kept, :2], free[kept, 2]


def _beyond(settled: _Settled, shape: tuple[int, int]) -> ColumnModel:
    """Columns that the lattices expect outside of the frame, and whose flank alone is inside."""
    model = settled.model
    places, margin = _places(model), _FLANK * model.profiles[0].sigma
    parts = [np.empty((0, 3))]
    for lattice in find_lattices(places, model.amplitudes, settled.std):
        beyond = Surroundings.of(lattice, places).beyond(shape, margin)
        own = predict(lattice, places, beyond).places
        parts.append(_of_amplitude(own, float(np.median(model.amplitudes[lattice.members]))))
    sites = np.concatenate(parts)
    outside = sites[_within(sites[:, :2], shape, margin) & ~_within(sites[:, :2], shape, 0.0)]
    nothing = model.only(np.zeros(len(model.rows), bool))
    return nothing.extended(*_unoccupied(model, outside))


def beginning(points: Observations, pilot: Pilot, scale: Scale, profile: Profile) -> ColumnModel:
    """Columns of one class at the peaks of an image."""
    image = scale.sign * (pilot.image + np.float32(points.raised))
    places = pilot.peaks(scale.sign, _SMOOTH * scale.sigma)
    nodes = tuple(int(np.ceil(side / scale.spacing)) + 1 for side in points.shape)
    low = float(np.quantile(image[::2, ::2], 0.1))
    rows, columns = np.clip(np.rint(places).astype(np.int64), 0, np.array(image.shape) - 1).T
    heights = np.maximum(image[rows, columns].astype(np.float64) - low, 1e-3)
    return ColumnModel(
        rows=places[:, 0].copy(),
        columns=places[:, 1].copy(),
        amplitudes=scale.sign * heights,
        classes=np.zeros(len(places), np.int64),
        profiles=(profile,),
        nodes=np.full(nodes, scale.sign * low),
        spacing=scale.spacing,
        reach=scale.reach,
    )


def _needed(
    model: ColumnModel, std: Floats, shape: tuple[int, int], support: _Support, sign: int
) -> npt.NDArray[np.bool_]:
    """Tell which columns the counts call for: of the right sign, significant, not far outside, not on another."""
    sigma = model.profiles[0].sigma
    places = _places(model)
    inside = _within(places, shape, 0.5)
    significant = sign * model.amplitudes / std > support.thresholds(places, std, _APART * sigma)
    largest = float(np.abs(model.amplitudes[inside]).max()) if inside.any() else 0.0
    likely = inside | (_within(places, shape, _BEYOND * sigma) & (np.abs(model.amplitudes) < 1.5 * largest))
    kept: npt.NDArray[np.bool_] = significant & likely
    for a, b in sorted(cKDTree(places).query_pairs(_APART * sigma)) if len(places) else ():
        if kept[a] and kept[b]:
            kept[a if abs(model.amplitudes[a]) < abs(model.amplitudes[b]) else b] = False
    return kept


def _within(places: Floats, shape: tuple[int, int], margin: float) -> npt.NDArray[np.bool_]:
    """Tell which places lie in the frame, or beyond it by less than a margin."""
    return np.asarray(((places > -margin) & (places < np.array(shape) - 1 + margin)).all(axis=1))
