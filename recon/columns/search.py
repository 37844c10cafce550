"""Search for columns: candidates are fitted, those without support dropped, those that the model lacks added."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.candidates import core_width, image_peaks, nearest_distance, polarity
from stemscan.recon.columns.classes import find_classes
from stemscan.recon.columns.errors import Errors, joint_errors
from stemscan.recon.columns.fold import folded_sites
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.columns.model import ColumnModel, Floats, deviance, fit, signal_at
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import PARAMETERS, Profile
from stemscan.recon.columns.score import score_parts, score_peaks, score_threshold, significance
from stemscan.recon.columns.sites import empty_indices, predict

__all__ = ["search"]

_TURNS = 6
_REACH = 6.0
_APART = 1.0
_AT_A_SITE = 2.5
_NODES_APART = 2.5


def search(points: Observations, image: npt.NDArray[np.floating]) -> tuple[ColumnModel, Errors]:
    """Find and fit the columns that the counts call for, one by one or, in a lattice, all cells together.

    Parameters
    ----------
    points : Observations
    image : ndarray, (H, W)
        A reconstruction of the same counts; only the places of its peaks count.

    Returns
    -------
    ColumnModel, Errors
    """
    sign = polarity(image)
    model, errors = _settled(_beginning(points, sign * np.asarray(image, np.float64), sign), points, np.empty((0, 2)))
    sites = expected_sites(model, errors, points)
    if len(sites):
        model, errors = _settled(model.extended(*_unoccupied(model, sites)), points, sites)
    return _by_class(model, errors, points)


def _settled(model: ColumnModel, points: Observations, sites: Floats) -> tuple[ColumnModel, Errors]:
    """Fit, drop and add until nothing is left to drop or to add."""
    for turn in range(_TURNS):
        model = fit(model, points, profiles=len(model.rows) > 0, rounds=8)
        errors = joint_errors(model, points)
        kept = _needed(model, errors, points, sites)
        extra = _lacking(model.only(kept), points)
        if (kept.all() and not len(extra)) or turn == _TURNS - 1:
            break
        typical = float(np.median(model.amplitudes[kept])) if kept.any() else 0.0
        model = model.only(kept).extended(extra, np.full(len(extra), 0.5 * typical))
    return model.only(kept), Errors(errors.columns[kept])


def expected_sites(model: ColumnModel, errors: Errors, points: Observations) -> Floats:
    """Places where the lattices of the columns found so far, or their counts folded into one cell, expect a column."""
    places = np.stack([model.rows, model.columns], axis=1)
    if not len(places):
        return places
    classes = find_classes(model.amplitudes, errors.std[:, 2]).best
    slope, information = score_parts(points, signal_at(model, points), model.profiles[0], model.reach)
    least = 0.1 * float(np.median(np.abs(model.amplitudes)))
    parts = []
    for lattice in find_lattices(places, classes):
        indices = np.concatenate([lattice.indices, empty_indices(lattice)])
        own = predict(lattice, places, indices).places
        parts.append(own)
        offsets = folded_sites(slope, information, own, lattice.basis, model.profiles[0].sigma, least)
        parts += [own + offset for offset in offsets]
    sites = np.concatenate(parts) if parts else np.empty((0, 2))
    return sites[((sites >= 0) & (sites <= np.array(points.shape) - 1)).all(axis=1)]


def _unoccupied(model: ColumnModel, sites: Floats) -> tuple[Floats, Floats]:
    """Sites without a column, one of several that coincide, and small amplitudes to begin with."""
    sigma = model.profiles[0].sigma
    places = np.stack([model.rows, model.columns], axis=1)
    free = sites[cKDTree(places).query(sites)[0] > 1.5 * sigma]
    kept = np.ones(len(free), bool)
    for a, b in sorted(cKDTree(free).query_pairs(1.5 * sigma)):
        if kept[a]:
            kept[b] = False
    return free[kept], np.full(int(kept.sum()), 0.3 * float(np.median(model.amplitudes)))


def _by_class(model: ColumnModel, errors: Errors, points: Observations) -> tuple[ColumnModel, Errors]:
    """Columns in classes of amplitude, each with a profile of its own where the counts are worth one."""
    if not len(model.rows):
        return model, errors
    found = find_classes(model.amplitudes, errors.std[:, 2])
    count = len(found.means)
    if count == 1:
        return model, errors
    apart = fit(replace(model, classes=found.best, profiles=model.profiles * count), points)
    gain = deviance(points, signal_at(model, points)) - deviance(points, signal_at(apart, points))
    if gain < PARAMETERS * (count - 1) * math.log(len(points.rows)):
        return replace(model, classes=found.best, profiles=model.profiles * count), errors
    return apart, joint_errors(apart, points)


def _beginning(points: Observations, image: Floats, sign: int) -> ColumnModel:
    """Columns of one class at the peaks of an image."""
    sigma = core_width(image)
    places = image_peaks(image, 0.6 * sigma)
    distance = nearest_distance(places)
    spacing = float(np.clip(_NODES_APART * min(distance, 12 * sigma), 8 * sigma, max(points.shape)))
    nodes = tuple(int(np.ceil(side / spacing)) + 1 for side in points.shape)
    low = float(np.quantile(image, 0.1))
    rows, columns = np.clip(np.rint(places).astype(np.int64), 0, np.array(image.shape) - 1).T
    heights = np.maximum(image[rows, columns] - low, 1e-3)
    return ColumnModel(
        rows=places[:, 0],
        columns=places[:, 1],
        amplitudes=sign * heights,
        classes=np.zeros(len(places), np.int64),
        profiles=(Profile(sigma),),
        nodes=np.full(nodes, sign * low),
        spacing=spacing,
        reach=_REACH * sigma,
    )


def _needed(model: ColumnModel, errors: Errors, points: Observations, sites: Floats) -> npt.NDArray[np.bool_]:
    """Which columns the counts call for: significant where they stand, inside the image, and not on top of another."""
    sigma = model.profiles[0].sigma
    places = np.stack([model.rows, model.columns], axis=1)
    threshold = np.full(len(places), score_threshold(points.shape, sigma))
    if len(sites) and len(places):
        threshold[cKDTree(sites).query(places)[0] < _APART * sigma] = _AT_A_SITE
    inside = ((places > -0.5) & (places < np.array(points.shape) - 0.5)).all(axis=1)
    kept: npt.NDArray[np.bool_] = (np.abs(model.amplitudes) / errors.std[:, 2] > threshold) & inside
    for a, b in sorted(cKDTree(places).query_pairs(_APART * sigma)) if len(places) else ():
        if kept[a] and kept[b]:
            kept[a if abs(model.amplitudes[a]) < abs(model.amplitudes[b]) else b] = False
    return kept


def _lacking(model: ColumnModel, points: Observations) -> Floats:
    """Places where another column would explain the counts better."""
    sigma = model.profiles[0].sigma
    sign = -1 if np.median(model.amplitudes) < 0 else 1
    slope, information = score_parts(points, signal_at(model, points), model.profiles[0], model.reach)
    score = sign * significance(slope, information)
    return score_peaks(score, 1.5 * sigma, score_threshold(points.shape, sigma)).astype(np.float64)
