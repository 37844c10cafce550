"""Candidates for columns: peaks of an image that was reconstructed from the same counts."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter
from scipy.spatial import cKDTree

from stemscan.recon.threads import workers

__all__ = ["core_width", "image_peaks", "nearest_distance", "skewness"]

Image = npt.NDArray[np.floating]


def skewness(image: Image) -> float:
    """Sum of the cubes of an image without its slow background: above 0 where columns are bright, below where dark."""
    detail = _detail(image)
    return float(np.vdot(detail * detail, detail))


def _detail(image: Image) -> npt.NDArray[np.float32]:
    """An image without its slow background, which is the mean over a square, and of mean 0."""
    plain = np.asarray(image, np.float32)
    detail = plain - uniform_filter(plain, min(image.shape) // 5)
    return np.asarray(detail - detail.mean(dtype=np.float64), np.float32)


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
    smooth = gaussian_filter(np.asarray(image, np.float32), sigma, mode="nearest")
    size = 2 * max(1, math.ceil(sigma)) + 1
    found = np.argwhere(smooth == maximum_filter(smooth, size, mode="nearest"))
    inner = ((found > 0) & (found < np.array(image.shape) - 1)).all(axis=1)
    found = found[inner]
    places = found.astype(np.float64)
    for axis in (0, 1):
        step = np.eye(2, dtype=np.int64)[axis]
        before, here, after = (smooth[tuple((found + k * step).T)].astype(np.float64) for k in (-1, 0, 1))
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
    detail = _detail(image)
    size = min(image.shape) // 4
    fall = 0.5 * (_correlation(detail, size) + _correlation(detail.T, size))
    below = np.nonzero(fall < 0.6)[0]
    half = int(below[0]) + 1 if below.size else len(fall)
    level = max(float(fall[half - 1]), 0.05)
    return max(0.7, half / math.sqrt(-4 * math.log(level)))


def _correlation(image: Image, size: int) -> npt.NDArray[np.float64]:
    """Periodic autocorrelation along the rows at distances from 1 to before `size`, as a share of that at 0."""
    power = (np.abs(rfft(image, axis=1, workers=workers())) ** 2).sum(axis=0, dtype=np.float64)
    along = irfft(power, image.shape[1])
    return np.asarray(along[1:size] / along[0])
