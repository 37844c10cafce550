"""Log-likelihood ratios of single columns: is it there, is there another one beside it, does an empty site hold one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stemscan.recon.columns.fitting import Fitted
from stemscan.recon.columns.kernels import without_each
from stemscan.recon.columns.links import ColumnModel, Links
from stemscan.recon.columns.local_kernels import held_in_place
from stemscan.recon.columns.model import least_signal, linearise
from stemscan.recon.columns.normal import Normal
from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.score import Score
from stemscan.recon.columns.tiles import Scan
from stemscan.recon.threads import in_stretches
from stemscan.types import Floats, Integers

__all__ = ["absent", "added", "at_sites"]

_A_THREAD = 200
"""Sites that are worth a thread."""


def absent(fitted: Fitted, variances: Floats, points: Observations) -> Floats:
    """ln L as fitted over ln L without each column, with all others fitted again.

    The loss with all others held is exact; that they are fitted again takes a share of it, which is the ratio of the
    amplitude's variance with the others known to that with the others unknown, `variances`, (n,).

    Returns
    -------
    ndarray of float64, (n,)
    """
    model, system = fitted
    links, loss = system.links, np.empty(len(model.rows))
    without_each(
        model.amplitudes, links.starts, links.points, links.positions, system.own, points.signal, points.visits,
        system.signal, least_signal(points), points.noise == "eq5", loss,
    )  # fmt: skip
    known = 1.0 / np.maximum(system.blocks()[:, 2, 2], 1e-12)
    return np.asarray(points.electrons_per_sample * loss * np.minimum(known / variances, 1.0))


def added(fitted: Fitted, points: Observations, distance: float) -> Floats:
    """ln L with a further column at the best place within a distance of each column over ln L as fitted.

    Returns
    -------
    ndarray of float64, (n,)
        z^2 / 2 of the largest score.
    """
    model = fitted.model
    score = Score.of(points, fitted.system.signal, model.profiles[0], model.reach)
    return 0.5 * score.largest_around(model.places, distance) ** 2


def at_sites(
    scan: Scan, model: ColumnModel, sites: Floats, kinds: Integers, start: Floats
) -> tuple[Floats, Floats]:  # fmt: skip
    """Amplitude of a column held at each of some empty sites, and its standard deviation, by one scoring step.

    Parameters
    ----------
    model : ColumnModel
        Fitted, without columns there.
    sites : ndarray of float64, (n, 2)
    kinds : ndarray of int64, (n,)
        The class whose profile is expected at each.
    start : ndarray of float64, (n,)
        Amplitude from which the step is taken. The standard deviation holds where it is the true one: a column brings
        noise of its own.

    Returns
    -------
    amplitudes, std : ndarray of float64, (n,)
    """
    amplitudes, std = np.empty(len(sites)), np.empty(len(sites))
    for tile, local, _ in scan.pieces(model):
        own = tile.owns(sites)
        if own.any():
            amplitudes[own], std[own] = _in_tile(
                scan.points(tile), local, sites[own] - tile.corner, kinds[own], start[own]
            )
    return amplitudes, std


def _in_tile(
    points: Observations, model: ColumnModel, sites: Floats, kinds: Integers, start: Floats
) -> tuple[Floats, Floats]:
    """The same in one tile."""
    count, kinds = len(model.rows), np.minimum(kinds, len(model.profiles) - 1)
    wider = replace(model.extended(sites, start), classes=np.concatenate([model.classes, kinds]))
    normal = Normal.of(linearise(wider, points, Links.of(wider, points), profiles=False))
    pairs, own = normal.system.links.overlaps, 3 * len(wider.rows)
    least = 1e-9 * float(np.median(normal.diagonal))
    amplitudes, variances = np.empty(len(sites)), np.empty(len(sites))
    in_stretches(lambda begin, end: held_in_place(
        begin, end, count + np.arange(len(sites)), pairs.first, pairs.found, normal.blocks, pairs.node_first,
        pairs.node_found, normal.mixed, normal.flat.indptr, normal.flat.indices, normal.flat.data,
        normal.gradient[:own].reshape(-1, 3), normal.gradient[own:], least, amplitudes, variances,
    ), len(sites), _A_THREAD)  # fmt: skip
    return start + amplitudes, np.sqrt(variances)
