"""Score test on the counts: where a column that the model lacks would explain them better.

For a weak column of profile g at a place, the slope of ln L by its amplitude over its standard deviation is
z = sum g (S - V u) / u / sqrt(sum g^2 V / (lambda u)), sums over the points around; under the model z is standard
normal. It is evaluated on the scan grid by two convolutions and is cheap whatever the number of columns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter
from scipy.signal import oaconvolve
from scipy.special import ndtri

from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile, tabulated
from stemscan.types import Floats

__all__ = ["score_parts", "score_peaks", "score_threshold", "significance"]

_FALSE_ALARMS = 0.05


def score_parts(points: Observations, signal: Floats, profile: Profile, reach: float) -> tuple[Floats, Floats]:
    """Slope of ln L by the amplitude of an additional column at each pixel of the grid, and its variance.

    Parameters
    ----------
    points : Observations
    signal : ndarray of float64, (points,)
        The model at the points.
    profile : Profile
        Of the column that may be missing.
    reach : float
        Its reach in pixels.

    Returns
    -------
    slope, information : ndarray of float64, (H, W)
    """
    power = 2 if points.noise == "eq5" else 1
    dose = points.electrons_per_sample
    rows = np.clip(np.rint(points.rows), 0, points.shape[0] - 1).astype(np.int64)
    columns = np.clip(np.rint(points.columns), 0, points.shape[1] - 1).astype(np.int64)
    place = rows * points.shape[1] + columns
    pixels = points.shape[0] * points.shape[1]
    table = tabulated(profile, reach)[::-1, ::-1]
    gained = np.bincount(place, dose * (points.signal - points.visits * signal) / signal**power, pixels)
    known = np.bincount(place, dose * points.visits / signal**power, pixels)
    slope = oaconvolve(gained.reshape(points.shape), table, mode="same")
    return slope, np.maximum(oaconvolve(known.reshape(points.shape), table**2, mode="same"), 0.0)


def significance(slope: Floats, information: Floats) -> Floats:
    """Score z in standard deviations; 0 where hardly a sample is near."""
    least = 0.02 * float(information.max())
    return np.where(information > least, slope / np.sqrt(np.maximum(information, least)), 0.0)


def score_threshold(shape: tuple[int, int], sigma: float) -> float:
    """z that noise alone exceeds somewhere in an image with a probability of 0.05."""
    places = max(shape[0] * shape[1] / sigma**2, 1.0)
    return max(4.0, float(-ndtri(_FALSE_ALARMS / places)))


def score_peaks(score: npt.NDArray[np.float64], distance: float, threshold: float) -> npt.NDArray[np.int64]:
    """Pixels whose score is above a threshold and the largest within a distance, (n, 2), best first."""
    size = 2 * max(1, round(distance)) + 1
    found = np.argwhere((score >= threshold) & (score == maximum_filter(score, size)))
    return found[np.argsort(-score[found[:, 0], found[:, 1]], kind="stable")]
