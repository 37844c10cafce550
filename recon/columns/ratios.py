"""Log-likelihood ratios of single columns: is it there, is there another one beside it, does an empty site hold one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stemscan.recon.columns.errors import Errors
from stemscan.recon.columns.kernels import without_each
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.model import least_signal, linearise, signal_at
from stemscan.recon.columns.normal import Normal
from stemscan.recon.columns.normal_kernels import held_in_place
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.score import largest_around, score_parts, significance
from stemscan.types import Floats

__all__ = ["absent", "added", "at_sites"]


def absent(model: ColumnModel, errors: Errors, points: Observations) -> Floats:
    """ln L as fitted over ln L without each column, with all others fitted again.

    The loss with all others held is exact; that they are fitted again takes a share of it, which is the ratio of the
    amplitude's variance with the others known to that with the others unknown.

    Returns
    -------
    ndarray of float64, (n,)
    """
    links = Links.of(model, points)
    system = linearise(model, points, links, profiles=False)
    loss = np.empty(len(model.rows))
    without_each(
        model.amplitudes, links.starts, links.points, links.positions, system.own, points.signal, points.visits,
        system.signal, least_signal(points), points.noise == "eq5", loss,
    )  # fmt: skip
    known = 1.0 / np.maximum(system.blocks()[:, 2, 2], 1e-12)
    return np.asarray(points.electrons_per_sample * loss * np.minimum(known / errors.columns[:, 2, 2], 1.0))


def added(model: ColumnModel, points: Observations, distance: float) -> Floats:
    """ln L with a further column at the best place within a distance of each column over ln L as fitted.

    Returns
    -------
    ndarray of float64, (n,)
        z^2 / 2 of the largest score.
    """
    z = significance(*score_parts(points, signal_at(model, points), model.profiles[0], model.reach))
    places = np.rint(np.stack([model.rows, model.columns], axis=1))
    pixels = np.clip(places, 0, np.array(points.shape) - 1).astype(np.int64)
    return 0.5 * largest_around(np.abs(z), pixels, distance).astype(np.float64) ** 2


def at_sites(
    model: ColumnModel, points: Observations, sites: Floats, kinds: npt.NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Amplitude of a column held at each of some empty sites, and its standard deviation, by one scoring step.

    Parameters
    ----------
    model : ColumnModel
        Fitted, without columns there.
    points : Observations
    sites : ndarray of float64, (n, 2)
    kinds : ndarray of int64, (n,)
        The class whose profile is expected at each.

    Returns
    -------
    amplitudes, std : ndarray of float64, (n,)
    """
    if not len(sites):
        return np.empty(0), np.empty(0)
    count = len(model.rows)
    wider = replace(model.extended(sites, np.zeros(len(sites))), classes=np.concatenate([model.classes, kinds]))
    normal = Normal.of(linearise(wider, points, Links.of(wider, points), profiles=False))
    pairs, own = normal.system.links.overlaps, 3 * len(wider.rows)
    least = 1e-9 * float(np.median(normal.diagonal))
    amplitudes, variances = np.empty(len(sites)), np.empty(len(sites))
    held_in_place(
        count + np.arange(len(sites)), pairs.first, pairs.found, normal.blocks, pairs.node_first, pairs.node_found,
        normal.mixed, normal.flat.indptr, normal.flat.indices, normal.flat.data,
        normal.gradient[:own].reshape(-1, 3), normal.gradient[own:], least, amplitudes, variances,
    )  # fmt: skip
    return amplitudes, np.sqrt(variances)
