"""Candidates for columns: peaks of an image that was reconstructed from the same counts."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

__all__ = ["core_width", "image_peaks", "nearest_distance", "polarity"]

Image = npt.NDArray[np.floating]


def polarity(image: Image) -> int:
    """1 where columns are bright, -1 where they are dark: the sign of the skewness without the slow background."""
    detail = image - gaussian_filter(image, min(image.shape) / 16)
    centred = detail - detail.mean()
    return 1 if float((centred**3).mean()) >= 0 else -1


def image_peaks(image: Image, sigma: float) -> npt.NDArray[np.float64]:
    """Local maxima of an image after smoothing by `sigma`, to parts of a pixel.

    Parameters
    ----------
    image : ndarray, (H, W)
    sigma : float
        In pixels; also the distance within which one peak alone is taken.

    Returns
    -------
    ndarray of float64, (n, 2)
        Rows and columns.
    """
    smooth = gaussian_filter(np.asarray(image, np.float64), sigma, mode="nearest")
    size = 2 * max(1, math.ceil(sigma)) + 1
    found = np.argwhere(smooth == maximum_filter(smooth, size, mode="nearest"))
    inner = ((found > 0) & (found < np.array(image.shape) - 1)).all(axis=1)
    found = found[inner]
    places = found.astype(np.float64)
    for axis in (0, 1):
        step = np.eye(2, dtype=np.int64)[axis]
        before, here, after = (smooth[tuple((found + k * step).T)] for k in (-1, 0, 1))
        curvature = before - 2 * here + after
        shift = np.where(curvature < 0, 0.5 * (before - after) / np.minimum(curvature, -1e-12), 0.0)
        places[:, axis] += np.clip(shift, -0.5, 0.5)
    return places


def nearest_distance(places: npt.NDArray[np.float64]) -> float:
    """Median distance from a place to its nearest neighbour; infinity for fewer than two."""
    if len(places) < 2:
        return math.inf
    return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))


def core_width(image: Image) -> float:
    """Width of what stands out of an image's background, in pixels, as the standard deviation of a Gaussian.

    The autocorrelation of Gaussians of width s falls as exp(-r^2 / 4 s^2) near r = 0, whatever their places.
    """
    detail = np.asarray(image, np.float64) - gaussian_filter(np.asarray(image, np.float64), min(image.shape) / 16)
    power = np.abs(np.fft.rfft2(detail)) ** 2
    power[0, 0] = 0.0
    along = np.fft.irfft2(power, s=image.shape)
    radii = np.arange(1, min(image.shape) // 4)
    fall = 0.5 * (along[radii, 0] + along[0, radii]) / along[0, 0]
    below = np.nonzero(fall < 0.6)[0]
    half = int(below[0]) + 1 if below.size else len(radii)
    level = max(float(fall[half - 1]), 0.05)
    return max(0.7, half / math.sqrt(-4 * math.log(level)))
