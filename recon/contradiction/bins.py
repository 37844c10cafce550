"""Samples in bins, and a coarse map drawn on the scan grid; without compiled code, for which the default would wait."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.types import Image

__all__ = ["SampleNoise", "deposit", "draw"]


class SampleNoise(NamedTuple):
    """Variance of a sample of signal u: u^power / dose + read, of u no smaller than `least`."""

    dose: float
    power: int
    least: float
    read: float


def deposit(counted: Image, visits: Image, image: Image, factor: int, noise: SampleNoise) -> tuple[Image, Image, Image]:
    """Sum residuals of samples, weighted by their information, with their variance and third cumulant, in bins.

    Parameters
    ----------
    counted, visits, image : ndarray of float32, (H, W)
        Counts over dose, samples, and the image that they are held against.
    factor : int
        Side of a bin, in pixels.

    Returns
    -------
    slope, variance, third : ndarray of float32, (ceil(H / factor), ceil(W / factor))
    """
    rows, columns = counted.shape
    shape = -(-rows // factor), -(-columns // factor)
    at = np.flatnonzero(visits.ravel() > 0)
    times, shown = visits.ravel()[at], image.ravel()[at]
    signal = np.maximum(shown, np.float32(noise.least))
    variance = signal**noise.power / np.float32(noise.dose)
    skew = variance * signal ** (noise.power - 1) / np.float32(noise.dose)
    weight = 1 / (variance + np.float32(noise.read))
    place = at if factor == 1 else at // columns // factor * shape[1] + at % columns // factor
    sums = ((counted.ravel()[at] - times * shown) * weight, times * weight, times * (skew * weight) * weight**2)
    slope, known, third = (np.bincount(place, one, shape[0] * shape[1]).astype(np.float32) for one in sums)
    return slope.reshape(shape), known.reshape(shape), third.reshape(shape)


def draw(coarse: Image, factor: int, shape: tuple[int, int], rows: int) -> Image:
    """Interpolate bins linearly at the pixels of a grid, constant beyond the outermost centres.

    Parameters
    ----------
    coarse : ndarray of float32, (ceil(H / factor), ceil(W / factor))
    factor : int
        Side of a bin, in pixels.
    shape : (int, int)
        H and W.
    rows : int
        Rows of pixels at a time.

    Returns
    -------
    ndarray of float32, (H, W)
    """
    fine = np.empty(shape, np.float32)
    left, right, across = _between(coarse.shape[1], factor, shape[1])
    above, below, down = _between(coarse.shape[0], factor, shape[0])
    for start in range(0, shape[0], rows):
        part = slice(start, start + rows)
        high, low = coarse[above[part]], coarse[below[part]]
        lines = high + down[part, None] * (low - high)
        first, second = (np.take(lines, bins, axis=1, mode="clip") for bins in (left, right))
        second -= first
        second *= across
        np.add(first, second, out=fine[part])
    return fine


def _between(bins: int, factor: int, pixels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Image]:
    """Bins before and after each pixel along an axis, and the second one's share."""
    place = np.clip((np.arange(pixels) + 0.5) / factor - 0.5, 0, bins - 1)
    before = np.minimum(place.astype(np.int64), max(bins - 2, 0))
    return before, np.minimum(before + 1, bins - 1), (place - before).astype(np.float32)
