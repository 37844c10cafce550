"""Photon transfer on pixels that were visited again: gain, offset and read noise of a detector from its readings.

A reading is y = o + g N + r with N Poisson electrons, offset o, gain g and read noise r of variance s^2. Two readings
of one pixel, of mean m, have the variance and third cumulant

    v = s^2 + g (m - o) + k |grad m|^2,        kappa = g^2 (m - o),

where k is half the variance of the beam's displacement between them, along an axis: drift and jitter look like noise
where the image is steep. Half the squared difference of the two is an unbiased v; g, k and the intercept follow from
its regression on m. The pair's own mean shares noise with it, so the instrument is a pilot: an image of the *other*
samples (Fourier empirical Bayes of every other pixel). What the half squared difference shares with the pair's mean is
kappa / 2, which gives o where neither dark readings nor the offset are known. Errors are by the jackknife over 32
parts. Janesick, Photon Transfer (SPIE Press, 2007), has the mean-variance line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.calibration.revisits import Revisits

__all__ = ["Fitted", "Known", "photon_transfer"]

Floats = npt.NDArray[np.float64]

_PARTS: Final = 32
_SURE: Final = 4.0
_LIKELY: Final = 3.0
_ROUNDS: Final = 3


@dataclass(frozen=True)
class Known:
    """Knowledge beside the readings.

    Attributes
    ----------
    offset, offset_error : float or None, float
        Reading without electrons.
    read_variance, read_variance_error : float or None, float
        Of readings without electrons; only beside the offset.
    """

    offset: float | None = None
    offset_error: float = 0.0
    read_variance: float | None = None
    read_variance_error: float = 0.0


@dataclass(frozen=True)
class Fitted:
    """Parameters of a detector, in its own numbers, and of the beam, each with its standard error.

    Attributes
    ----------
    motion : tuple of float
        Variance along an axis of the beam's displacement between two visits, px^2; (0, 0) where none was found.
    """

    gain: tuple[float, float]
    offset: tuple[float, float]
    read_variance: tuple[float, float]
    motion: tuple[float, float]


def photon_transfer(seen: Revisits, pilot: Floats, steepness: Floats, known: Known) -> Fitted:
    """Fit a detector to pixels that were visited again.

    Parameters
    ----------
    pilot : ndarray of float64, (P,)
        Mean reading of these pixels, as predicted by others.
    steepness : ndarray of float64, (P,)
        Squared gradient of the pilot, per pixel^2.

    Raises
    ------
    ReconError
        When the image has too little contrast for a line of variances.
    """
    moving = True
    found, error = _jackknifed(seen, pilot, steepness, known, moving)
    if found[3] < _LIKELY * error[3]:
        moving = False
        found, error = _jackknifed(seen, pilot, steepness, known, moving)
    if not found[0] > _SURE * error[0]:
        raise ReconError(
            f"expected readings whose variance grows with their mean, got {found[0]:.3g} +- {error[0]:.2g} numbers per "
            "electron; take a specimen of more contrast, or more pairs, or give dark readings"
        )
    gain, offset, read, motion = ((float(value), float(unsure)) for value, unsure in zip(found, error, strict=True))
    return Fitted(gain, offset, read, (2 * motion[0], 2 * motion[1]) if moving else (0.0, 0.0))


def _jackknifed(seen: Revisits, pilot: Floats, steepness: Floats, known: Known, moving: bool) -> tuple[Floats, Floats]:
    """Gain, offset, read variance and k, and their standard errors."""
    weights = _weights(seen, pilot, steepness, known, moving)
    part = np.arange(len(pilot)) % _PARTS
    rows = _moments(seen, pilot, steepness, weights)
    sums = np.stack([np.bincount(part, row, _PARTS) for row in rows])
    total = sums.sum(axis=1)
    whole = _solved(total, known, moving)
    left_out = np.stack([_solved(total - sums[:, number], known, moving) for number in range(_PARTS)])
    error = np.sqrt((_PARTS - 1) / _PARTS * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    gain, offset = whole[0], whole[1]
    if known.offset is not None:
        error[1] = known.offset_error
    if known.read_variance is not None:
        error[2] = known.read_variance_error
        reach = max(float(np.average(pilot, weights=weights)) - offset, 1e-30)
        error[0] = np.hypot(error[0], np.hypot(gain * known.offset_error, known.read_variance_error) / reach)
    elif known.offset is not None:
        error[2] = np.hypot(error[2], gain * known.offset_error)
    return whole, error


def _weights(seen: Revisits, pilot: Floats, steepness: Floats, known: Known, moving: bool) -> Floats:
    """Pairs over the squared variance of their readings, from a fit with equal ones."""
    weights = seen.pairs.astype(np.float64)
    least = 0.05 * float(np.average(seen.variance, weights=weights))
    for _ in range(_ROUNDS - 1):
        gain, offset, read, slope = _solved(_moments(seen, pilot, steepness, weights).sum(axis=1), known, moving)
        variance = np.maximum(read + gain * (pilot - offset) + slope * steepness, least)
        weights = seen.pairs / variance**2
    return weights


def _moments(seen: Revisits, pilot: Floats, steepness: Floats, weights: Floats) -> Floats:
    """Terms of all sums of the fit, (terms, P)."""
    one, mean, variance = np.ones_like(pilot), seen.mean, seen.variance
    instruments, regressors = (one, pilot, steepness), (one, mean, steepness, variance)
    equations = [weights * left * right for left in instruments for right in regressors]
    third = (seen.product - variance * pilot, mean - pilot, seen.square - mean * pilot, variance, mean)
    return np.stack([*equations, *(seen.pairs * term for term in third), seen.pairs * one])


def _solved(sums: Floats, known: Known, moving: bool) -> Floats:
    """Gain, offset, read variance and k from the sums."""
    system, third = sums[:12].reshape(3, 4), sums[12:17] / sums[17]
    size = 3 if moving else 2
    if known.offset is not None and known.read_variance is not None:
        dark, read = known.offset, known.read_variance
        rows = np.stack([system[1] - dark * system[0], system[2]])[: size - 1]
        reached = np.stack([rows[:, 1] - dark * rows[:, 0], rows[:, 2]], axis=1)[:, : size - 1]
        gain, *rest = np.linalg.lstsq(reached, rows[:, 3] - read * rows[:, 0], rcond=None)[0]
        return np.array([gain, dark, read, rest[0] if rest else 0.0])
    intercept, gain, *rest = np.linalg.lstsq(system[:size, :size], system[:size, 3], rcond=None)[0]
    slope = rest[0] if rest else 0.0
    offset = known.offset
    if offset is None:
        product, beyond, square, variance, mean = third
        kappa = 2 * (product - intercept * beyond - gain * (square - variance / 2))
        offset = mean - kappa / gain**2 if gain else mean
    return np.array([gain, offset, intercept + gain * offset, slope])
