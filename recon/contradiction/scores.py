"""Scores of an image by counts: their significance, the threshold that noise seldom passes, and the places above it."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.types import Floats

Reals = npt.NDArray[Any]

__all__ = ["normal_score", "places_above", "poisson_score", "score_threshold"]

FALSE_ALARMS: Final = 0.05
"""Places per image that noise alone may show."""

_LEAST_THRESHOLD: Final = 4.0


def normal_score(slope: Reals, variance: Reals, least: float = 0.0) -> Reals:
    """Slope over its standard deviation.

    Parameters
    ----------
    slope : ndarray
        Of ln L by the amplitude of what may be missing; a weighted sum of residuals.
    variance : ndarray
        Of the slope, under the model.
    least : float
        Variance up to which too little is known, and the score is 0.

    Returns
    -------
    ndarray
        Of mean 0 and variance 1 under the model; normal where many electrons were counted.
    """
    known = variance > least
    return np.where(known, slope / np.sqrt(np.where(known, variance, 1)), 0)


def poisson_score(slope: Reals, variance: Reals, third: Reals) -> Floats:
    """The same for sums of few counts: the signed root of the likelihood ratio of a Poisson number of equal moments.

    Few counts are skew: an excess of five standard deviations is frequent, a lack impossible. A sum of mean 0 and given
    variance and third cumulant is close to a scaled Poisson number less its mean nu = variance^3 / third^2. Its score
    is that of n counts, sqrt(2 (n ln(n / nu) - n + nu)), with n nearer to nu, by 1/3 from above and 2/3 from below
    (Peizer and Pratt, J. Am. Stat. Assoc. 63, 1416, 1968): the probability of n counts or still farther ones is then
    that of a standard normal number of that score or farther, or up to half less.

    Parameters
    ----------
    slope, variance : ndarray
        As of `normal_score`.
    third : ndarray
        Third cumulant of the slope, at least 0.

    Returns
    -------
    ndarray of float64
        0 where the variance is 0.

    Examples
    --------
    >>> counts, mean = np.array([6.0, 0.0, 10400.0]), np.array([1.0, 1.0, 1e4])
    >>> normal_score(counts - mean, mean), poisson_score(counts - mean, mean, mean).round(2)
    (array([ 5., -1.,  4.]), array([ 3.21, -0.36,  3.97]))
    """
    known = variance > 0
    spread = np.where(known, variance, 1).astype(np.float64)
    unit = np.maximum(third / spread, 1e-6 * np.sqrt(spread))
    mean, off = spread / unit**2, slope / unit
    distance = np.where(known, np.maximum(np.abs(off) - np.where(off > 0, 1 / 3, 2 / 3), 0.0), 0.0)
    over = np.maximum(np.copysign(distance, off) / mean, -1.0)
    whole = (1 + over) * np.log1p(np.maximum(over, -1 + 1e-15)) - over
    score: Floats = np.copysign(np.sqrt(np.maximum(2 * mean * whole, 0.0)), off)
    return score


def score_threshold(shape: tuple[int, int], sigma: float, *, sides: int = 1) -> float:
    """Score that noise alone exceeds in 0.05 places of an image, in the mean.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    sigma : float
        Of the Gaussian kernel of the score, in pixels.
    sides : {1, 2}
        2 where scores below zero count as well.

    Returns
    -------
    float
        At least 4. A smooth Gaussian random field whose gradient has the variance 1 / (2 sigma^2) has
        A t exp(-t^2 / 2) / ((2 pi)^1.5 2 sigma^2) peaks above a high t in an area A (Adler, The Geometry of Random
        Fields, 1981).

    Examples
    --------
    >>> round(score_threshold((1024, 1024), 4.25), 2), round(score_threshold((1024, 1024), 4.25, sides=2), 2)
    (4.92, 5.07)
    """
    places = sides * shape[0] * shape[1] / (2 * sigma**2 * (2 * math.pi) ** 1.5)
    threshold = _LEAST_THRESHOLD
    for _ in range(20):
        threshold = max(math.sqrt(max(2 * math.log(max(places * threshold / FALSE_ALARMS, 1.0)), 0)), _LEAST_THRESHOLD)
    return threshold


def places_above(score: npt.NDArray[Any], distance: float, threshold: float) -> npt.NDArray[np.int64]:
    """Pixels whose score is above a threshold and the largest within a distance, (n, 2), best first."""
    if not (score >= threshold).any():
        return np.empty((0, 2), np.int64)
    from scipy.ndimage import maximum_filter

    size = 2 * max(1, round(distance)) + 1
    found = np.argwhere((score >= threshold) & (score == maximum_filter(score, size)))
    return found[np.argsort(-score[found[:, 0], found[:, 1]], kind="stable")]
