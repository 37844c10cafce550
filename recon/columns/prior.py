"""Empirical-Bayes estimates: a spike of regular columns and a slab of exceptions, learned from the columns themselves.

True deviations d from the site (or from the class's mean amplitude) follow (1 - p) N(0, t0^2) + p N(0, t1^2); the fit
adds its error. Likelihood chooses t1 and p for each of several t0, and what these say is averaged by their likelihoods:
few columns cannot tell whether t0 is zero. A regular column is drawn to its site as far as its error makes it worth, an
exception not at all; where the two cannot be told apart the posterior is a mixture, and its variance shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from stemscan.recon.columns.profile import decay
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["Posterior", "occupancy", "shrink"]


_ROUNDS = 100
_FEWEST = 20
_LEAST_EMPTY = 0.5
_NEGLIGIBLE = -5.0
_ONE_STD = 0.6827
_HALVINGS = 12


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of deviations.

    Attributes
    ----------
    mean : ndarray of float64, (n, d)
    std : ndarray of float64, (n, d)
    half : ndarray of float64, (n, d)
        Distance from the mean within which 68.3 % lie. That is below `std` for most regular columns, whose variance is
        that of the unlikely case that they are exceptions.
    exceptional : ndarray of float64, (n,)
        Probability of being drawn from the slab.
    """

    mean: Floats
    std: Floats
    half: Floats
    exceptional: Floats


def shrink(deviations: Floats, covariances: Floats, *, least: float = 1e-4) -> Posterior:
    """Learn spike and slab from deviations and shrink each by what they say.

    Parameters
    ----------
    deviations : ndarray of float64, (n, d)
    covariances : ndarray of float64, (n, d, d)
        Of their errors.
    least : float
        Smallest share of exceptions, whatever is learned.

    Returns
    -------
    Posterior
        With fewer than 20 deviations nothing is learned: means are the deviations, probabilities not a number.
    """
    size = len(deviations)
    if size < _FEWEST:
        std = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        return Posterior(deviations, std, std, np.full(size, np.nan))
    noise = float(np.median(np.diagonal(covariances, axis1=1, axis2=2)))
    spread = float((deviations**2).mean())
    variances, axes = np.linalg.eigh(covariances)
    squares = np.einsum("nij,ni->nj", axes, deviations) ** 2
    learned = [
        _learn(squares, variances, narrow * noise, max(wide * spread, 2 * noise), least)
        for narrow in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
        for wide in (0.5, 3.0)
    ]
    return _posterior(deviations, covariances, learned)


def _learn(
    squares: Floats, variances: Floats, spike: float, slab: float, least: float
) -> tuple[float, float, float, float]:
    """ln L, and (t0^2, t1^2, p) of the best slab for a spike, by expectation maximisation.

    Both are round, so that along the axes of an error's covariance deviations are independent: `squares` has their
    squares there, `variances` those of the error.
    """
    slab, share = _improve(squares, variances, spike, slab, least)
    logs = [
        math.log(part) - 0.5 * (np.log(variances + width) + squares / (variances + width)).sum(axis=1)
        for width, part in ((spike, 1 - share), (slab, share))
    ]
    return float(np.logaddexp(*logs).sum()), spike, slab, share


@compiled()
def _improve(squares: Floats, variances: Floats, spike: float, slab: float, least: float) -> tuple[float, float]:
    """Improve slab and share until they stand still."""
    count, dimensions = squares.shape
    share = max(0.1, least)
    for _ in range(_ROUNDS):
        mass = moments = 0.0
        for n in range(count):
            ratio, off, moment = 1.0, 0.0, 0.0
            for a in range(dimensions):
                narrow, wide = variances[n, a] + spike, variances[n, a] + slab
                ratio *= wide / narrow
                off += 0.5 * squares[n, a] * (1.0 / narrow - 1.0 / wide)
                moment += slab * (slab * squares[n, a] / wide + variances[n, a]) / wide
            weight = share / (share + (1.0 - share) * math.sqrt(ratio) * decay(off))
            mass += weight
            moments += weight * moment
        before, given = slab, share
        slab = max(moments / max(mass, 1e-9) / dimensions, 4.0 * spike)
        share = min(max(mass / count, least), 0.9)
        if abs(slab - before) < 1e-4 * before and abs(share - given) < 1e-5:
            break
    return slab, share


def _parts(
    deviations: Floats, covariances: Floats, widths: tuple[float, float], share: float
) -> tuple[Floats, Floats, Floats]:
    """ln of share times density (n, 2), posterior means (n, 2, d) and covariances (n, 2, d, d) under spike and slab."""
    unit = np.eye(deviations.shape[1])
    logs, means, variances = [], [], []
    for width, part in zip(widths, (1 - share, share), strict=True):
        inverse = np.linalg.inv(covariances + width * unit)
        pulled = np.einsum("nij,nj->ni", inverse, deviations)
        chi = np.einsum("ni,ni->n", deviations, pulled)
        logs.append(math.log(part) + 0.5 * np.linalg.slogdet(inverse)[1] - 0.5 * chi)
        means.append(width * pulled)
        variances.append(width * unit - width**2 * inverse)
    return np.stack(logs, axis=1), np.stack(means, axis=1), np.stack(variances, axis=1)


def _posterior(deviations: Floats, covariances: Floats, learned: list[tuple[float, float, float, float]]) -> Posterior:
    """Mixture of the spikes' posteriors and, for an exception, of the deviation as it was fitted.

    An exception is not drawn to the site: the slab says how likely it is, a normal law would claim to know its size.
    """
    best = max(learned)[0]
    logs, means, variances = [], [], []
    for likelihood, spike, slab, share in learned:
        if likelihood > best + _NEGLIGIBLE:
            log, mean, variance = _parts(deviations, covariances, (spike, slab), share)
            mean[:, 1], variance[:, 1] = deviations, covariances
            logs.append(log - np.logaddexp.reduce(log, axis=1, keepdims=True) + likelihood - best)
            means.append(mean)
            variances.append(np.diagonal(variance, axis1=2, axis2=3))
    log, mean, variance = (np.concatenate(parts, axis=1) for parts in (logs, means, variances))
    weights = np.exp(log - np.logaddexp.reduce(log, axis=1, keepdims=True))
    centre = np.einsum("nk,nkd->nd", weights, mean)
    std = np.sqrt(np.maximum(np.einsum("nk,nkd->nd", weights, mean**2 + variance) - centre**2, 0.0))
    half = _central(weights, mean - centre[:, None], np.sqrt(variance), 2 * std)
    return Posterior(centre, std, half, weights[:, 1::2].sum(axis=1))


def _central(weights: Floats, means: Floats, stds: Floats, top: Floats) -> Floats:
    """Distances from 0, below `top`, within which `_ONE_STD` of mixtures of normal laws lies, (n, d)."""
    low, high = np.zeros_like(top), top
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        reach = np.maximum(stds, 1e-12)
        inside = ndtr((middle[:, None] - means) / reach) - ndtr((-middle[:, None] - means) / reach)
        enough = np.einsum("nk,nkd->nd", weights, inside) > _ONE_STD
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def occupancy(amplitudes: Floats, std: Floats, occupied_std: Floats, mean: float, spread: float) -> Floats:
    """Probability that a column stands at each of a lattice's sites.

    A site is occupied, with an amplitude drawn from N(mean, spread^2), or empty; the share of empty ones is learned
    from all sites by expectation maximisation.

    Parameters
    ----------
    amplitudes, std, occupied_std : ndarray of float64, (n,)
        Amplitude of a column at each site as fitted, 0 in expectation where none is; its standard deviation where none
        is, and where a column stands, which has noise of its own.
    mean, spread : float
        Of the lattice's columns.

    Returns
    -------
    ndarray of float64, (n,)
    """
    both = occupied_std**2 + spread**2
    ratio = -0.5 * (amplitudes - mean) ** 2 / both - 0.5 * np.log(both / std**2) + 0.5 * (amplitudes / std) ** 2
    empty = 0.05
    for _ in range(_ROUNDS):
        occupied = 1.0 / (1.0 + np.exp(np.clip(math.log(empty / (1 - empty)) - ratio, -700, 700)))
        empty = float(np.clip(1 - occupied.mean(), _LEAST_EMPTY / (1 + len(ratio)), 0.9))
    return np.asarray(occupied)
