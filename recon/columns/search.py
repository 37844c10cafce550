"""Find the columns of a scan: candidates fitted, those that the counts do not need dropped, those that it lacks added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from stemscan.recon.columns.candidates import core_width, image_peaks, nearest_distance, polarity
from stemscan.recon.columns.errors import Errors, joint_errors
from stemscan.recon.columns.model import ColumnModel, Floats, fit, signal_at
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile
from stemscan.recon.columns.score import score_map, score_peaks, score_threshold

__all__ = ["search"]

_TURNS = 6
_REACH = 6.0
_APART = 1.0
_NODES_APART = 2.5


def search(points: Observations, image: npt.NDArray[np.floating]) -> tuple[ColumnModel, Errors]:
    """Find and fit the columns that the counts call for.

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
    model = _beginning(points, sign * np.asarray(image, np.float64), sign)
    for turn in range(_TURNS):
        model = fit(model, points, profiles=turn > 0, rounds=4 if turn == 0 else 8)
        errors = joint_errors(model, points)
        kept = _needed(model, errors, points, sign)
        extra = _lacking(model.only(kept), points, sign)
        if kept.all() and not len(extra):
            return model, errors
        model = model.only(kept).extended(extra, amplitude=sign * 0.5 * float(np.median(np.abs(model.amplitudes[kept]))) if kept.any() else 0.1)
    model = fit(model, points)
    errors = joint_errors(model, points)
    kept = _needed(model, errors, points, sign)
    return model.only(kept), Errors(errors.columns[kept])


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


def _needed(model: ColumnModel, errors: Errors, points: Observations, sign: int) -> npt.NDArray[np.bool_]:
    """Which columns the counts call for: of the right sign, significant, inside the image, and not on top of another."""
    sigma = model.profiles[0].sigma
    z = sign * model.amplitudes / errors.std[:, 2]
    inside = (model.rows > -0.5) & (model.rows < points.shape[0] - 0.5)
    inside &= (model.columns > -0.5) & (model.columns < points.shape[1] - 0.5)
    kept: npt.NDArray[np.bool_] = (z > score_threshold(points.shape, sigma)) & inside
    places = np.stack([model.rows, model.columns], axis=1)
    for a, b in cKDTree(places).query_pairs(_APART * sigma):
        if kept[a] and kept[b]:
            kept[a if abs(model.amplitudes[a]) < abs(model.amplitudes[b]) else b] = False
    return kept


def _lacking(model: ColumnModel, points: Observations, sign: int) -> npt.NDArray[np.float64]:
    """Places where another column would explain the counts better."""
    sigma = model.profiles[0].sigma
    score = sign * score_map(points, signal_at(model, points), model.profiles[0], model.reach)
    return score_peaks(score, 1.5 * sigma, score_threshold(points.shape, sigma)).astype(np.float64)
