"""Candidates for columns: peaks of an image that was reconstructed from the same counts."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.spatial import cKDTree

from stemscan.recon.threads import workers
from stemscan.runtime.compiled import compiled
from stemscan.types import Array, Floats

__all__ = ["Pilot"]

Image = npt.NDArray[np.float32]


class Pilot:
    """An image that shows where columns may be.

    Parameters
    ----------
    image : ndarray, (H, W)
    """

    def __init__(self, image: Array) -> None:
        self.image: Image = np.ascontiguousarray(image, np.float32)
        self._peaks: dict[tuple[int, float], Floats] = {}

    @cached_property
    def _detail(self) -> Image:
        """The image without its slow background, which is the mean over a square, and of mean 0."""
        detail = self.image - uniform_filter(self.image, min(self.image.shape) // 5)
        return np.asarray(detail - detail.mean(dtype=np.float64), np.float32)

    @property
    def skewness(self) -> float:
        """Sum of the cubes of the detail: above 0 where columns are bright, below where dark."""
        return float(np.vdot(self._detail * self._detail, self._detail))

    @property
    def core_width(self) -> float:
        """Width of what stands out of the background, in pixels, as the standard deviation of a Gaussian.

        The autocorrelation of Gaussians of width s falls as exp(-r^2 / 4 s^2) near r = 0, whatever their places.
        """
        size = min(self.image.shape) // 4
        fall = 0.5 * (_correlation(self._detail, size) + _correlation(self._detail.T, size))
        below = np.nonzero(fall < 0.6)[0]
        half = int(below[0]) + 1 if below.size else len(fall)
        level = max(float(fall[half - 1]), 0.05)
        return max(0.7, half / math.sqrt(-4 * math.log(level)))

    def peaks(self, sign: int, sigma: float) -> Floats:
        """Local maxima of the image, or of its negative, after smoothing by `sigma`, to parts of a pixel.

        Parameters
        ----------
        sign : {1, -1}
        sigma : float
            In pixels; also the distance within which one peak alone is taken.

        Returns
        -------
        ndarray of float64, (n, 2)
            Rows and columns.
        """
        if (sign, sigma) not in self._peaks:
            smooth = gaussian_filter(sign * self.image, sigma, mode="nearest")
            self._peaks[sign, sigma] = _interpolated(smooth, _maxima(smooth, max(1, math.ceil(sigma))))
        return self._peaks[sign, sigma]

    def distance(self, sign: int, sigma: float) -> float:
        """Median distance from a peak to its nearest neighbour; infinity for fewer than two."""
        places = self.peaks(sign, sigma)
        if len(places) < 2:
            return math.inf
        return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))


@compiled()
def _maxima(image: Image, reach: int) -> npt.NDArray[np.int64]:
    """Pixels, not of the frame, that are the largest of the square around them, (n, 2)."""
    found = []
    for i in range(1, image.shape[0] - 1):
        for j in range(1, image.shape[1] - 1):
            here = image[i, j]
            if here < image[i, j - 1] or here < image[i, j + 1] or here < image[i - 1, j] or here < image[i + 1, j]:
                continue
            if here == image[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1].max():
                found.append((i, j))
    places = np.empty((len(found), 2), np.int64)
    for n in range(len(found)):
        places[n, 0], places[n, 1] = found[n]
    return places


def _interpolated(image: Image, found: npt.NDArray[np.int64]) -> Floats:
    """Places of maxima by a parabola along each axis."""
    places = found.astype(np.float64)
    for axis in (0, 1):
        step = np.eye(2, dtype=np.int64)[axis]
        before, here, after = (image[tuple((found + k * step).T)].astype(np.float64) for k in (-1, 0, 1))
        curvature = before - 2 * here + after
        shift = np.where(curvature < 0, 0.5 * (before - after) / np.minimum(curvature, -1e-12), 0.0)
        places[:, axis] += np.clip(shift, -0.5, 0.5)
    return places


def _correlation(image: Image, size: int) -> Floats:
    """Periodic autocorrelation along the rows at distances from 1 to before `size`, over that at 0; 0 of nothing."""
    power = (np.abs(rfft(image, axis=1, workers=workers())) ** 2).sum(axis=0, dtype=np.float64)
    along = irfft(power, image.shape[1])
    return np.asarray(along[1:size] / max(along[0], 1e-300))
