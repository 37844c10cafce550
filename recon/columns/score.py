"""Score test on the counts: where a column that the model lacks would explain them better.

For a weak column of profile g at a place, the slope of ln L by its amplitude over its standard deviation is
z = sum g (S - V u) / u / sqrt(sum g^2 V / (lambda u)), sums over the points around; under the model z is standard
normal. It is evaluated on the scan grid by two convolutions and is cheap whatever the number of columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2

from stemscan.recon.columns.observations import Observations
from stemscan.recon.columns.profile import Profile, tabulated
from stemscan.recon.contradiction.scores import normal_score
from stemscan.recon.threads import workers
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["largest_around", "score_parts", "score_peaks", "significance"]

Image = npt.NDArray[np.float32]


def score_parts(points: Observations, signal: Floats, profile: Profile, reach: float) -> tuple[Image, Image]:
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
    slope, information : ndarray of float32, (H, W)
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
    slope, information = (
        _convolved(values.reshape(points.shape), kernel) for values, kernel in ((gained, table), (known, table**2))
    )
    return slope, np.maximum(information, 0.0)


def _convolved(values: npt.NDArray[Any], table: Floats) -> Image:
    """Convolution by Fourier transforms, zero beyond the frame, to single precision."""
    margin = len(table) // 2
    shape = [next_fast_len(side + margin, real=True) for side in values.shape]
    both = (rfft2(np.asarray(part, np.float32), shape, workers=workers()) for part in (values, table))
    product = next(both)
    product *= next(both)
    whole = irfft2(product, shape, workers=workers())
    return np.asarray(np.roll(whole, (-margin, -margin), (0, 1))[: values.shape[0], : values.shape[1]])


def significance(slope: Image, information: Image) -> Image:
    """Score z in standard deviations; 0 where hardly a sample is near."""
    return normal_score(slope, information, least=0.02 * float(information.max()))


def score_peaks(score: Image, distance: float, threshold: float) -> npt.NDArray[np.int64]:
    """Pixels whose score is above a threshold and the largest within a distance, (n, 2), best first."""
    high = np.argwhere(score >= threshold)
    values = score[high[:, 0], high[:, 1]]
    peaks = values == largest_around(score, high, distance)
    return np.asarray(high[peaks][np.argsort(-values[peaks], kind="stable")])


@compiled()
def largest_around(values: Image, places: npt.NDArray[np.int64], distance: float) -> Image:
    """Largest value in the square around each of some pixels, (n, 2), to a distance rounded to pixels, at least 1."""
    reach = max(1, round(distance))
    largest = np.empty(len(places), values.dtype)
    for k in range(len(places)):
        i, j = places[k]
        around = values[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
        largest[k] = around.max()
    return largest
