"""Equation 14: the patch size of the non-local step from the lattice's own period.

The highest horizontal or vertical frequency f among the strongest peaks gives the period M / f. Where the paper leaves
a choice: the ten strongest peaks are taken, a peak being a coefficient that is the largest of its 3 x 3 neighbourhood
and above the noise floor, mirror images counting once; the search ends at the radius of equation 12; the transform is
that of the samples less their mean, so that the pattern of visits does not pose as a lattice. The size is rounded up to
a multiple of four, which makes the stride (a quarter of it) whole, and held within 8 to 32 pixels.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from stemscan.recon.fshnet.fourier_masks import forward, low_pass_mask

__all__ = ["LARGEST", "PEAKS", "RADIUS", "SMALLEST", "patch_size", "strongest_peaks"]

RADIUS: Final = 100.0
"""The paper's r_p, in coefficients of a 1024 x 1024 transform."""

PEAKS: Final = 10
SMALLEST: Final = 8
LARGEST: Final = 32

_FALSE_PEAKS: Final = 0.01
"""Expected number of noise coefficients above the floor, over the whole search."""

_FAINTEST: Final = 1e-4
"""Power of a peak, relative to the strongest coefficient's, below which it does not count however low the noise is."""


def strongest_peaks(
    summed: npt.NDArray[np.floating[Any]],
    visits: npt.NDArray[Any],
    *,
    radius: float = RADIUS,
    count: int = PEAKS,
) -> npt.NDArray[np.float64]:
    """Frequencies of the strongest peaks of the summed samples.

    Parameters
    ----------
    summed : ndarray of float, (H, W)
        Samples summed over passes (S: counts over dose), zero where not visited.
    visits : ndarray, (H, W)
        Visits summed over passes, not zero everywhere.
    radius : float
        r_p in coefficients of a 1024 x 1024 transform.
    count : int
        Peaks at most.

    Returns
    -------
    ndarray of float64, (n, 2), n <= count
        Row and column frequency in cycles per pixel, strongest first; n is 0 where there is nothing but noise.

    Raises
    ------
    ReconError
        When the radius is negative.
    """
    height, width = shape = cast("tuple[int, int]", summed.shape)
    mean = float(np.sum(summed, dtype=np.float64)) / float(np.sum(visits, dtype=np.float64))
    power: npt.NDArray[np.floating[Any]] = np.abs(forward(summed - (mean * visits).astype(summed.dtype))) ** 2
    searched = low_pass_mask(shape, radius)
    searched[0, 0] = False
    lowest = max(_noise_floor(power, searched), _FAINTEST * float(np.max(power)))
    chosen = np.flatnonzero(searched & (power > lowest) & _local_maxima(power, width))
    chosen = chosen[np.argsort(-power.ravel()[chosen], kind="stable")]
    rows, columns = np.divmod(chosen, power.shape[1])
    frequencies = np.stack([np.fft.fftfreq(height)[rows], columns / width], axis=1)
    # in the columns that hold their own mirror images, keep one of each two
    mirrored = ((columns == 0) | (2 * columns == width)) & (2 * rows > height)
    kept: npt.NDArray[np.float64] = frequencies[~mirrored][:count]
    return kept


def patch_size(
    summed: npt.NDArray[np.floating[Any]],
    visits: npt.NDArray[Any],
    *,
    factor: int = 1,
    radius: float = RADIUS,
    count: int = PEAKS,
) -> int:
    """Equation 14: side of the patches of the non-local step.

    Parameters
    ----------
    summed : ndarray of float, (H, W)
        Samples summed over passes (S: counts over dose), zero where not visited.
    visits : ndarray, (H, W)
        Visits summed over passes, not zero everywhere.
    factor : int
        Pixels of the samples' grid per pixel of the image that the step will treat.
    radius : float
        r_p in coefficients of a 1024 x 1024 transform.
    count : int
        Number of peaks, the paper's k of this equation.

    Returns
    -------
    int
        Pixels of the image to treat: a multiple of 4 from 8 to 32; 16 where no peak stands above the noise.

    Raises
    ------
    ReconError
        When the radius is negative.
    """
    peaks = np.abs(strongest_peaks(summed, visits, radius=radius, count=count))
    if peaks.size == 0:
        return (SMALLEST + LARGEST) // 2 // 8 * 8
    period = 1.0 / (float(np.max(peaks)) * factor)
    return min(max(4 * math.ceil(period / 4), SMALLEST), LARGEST)


def _noise_floor(power: npt.NDArray[np.floating[Any]], searched: npt.NDArray[np.bool_]) -> float:
    """Power that white noise exceeds at less than a hundredth of a searched coefficient.

    The power of noise is distributed exponentially; its mean is taken from the median outside the searched
    frequencies (of all, where these leave nothing), which the lattice's own peaks do not move.
    """
    outside = power[~searched]
    mean = float(np.median(outside if outside.size > 1 else power)) / math.log(2.0)
    trials = max(int(np.count_nonzero(searched)), 1)
    return mean * math.log(trials / _FALSE_PEAKS)


def _local_maxima(power: npt.NDArray[np.floating[Any]], width: int) -> npt.NDArray[np.bool_]:
    """Mask of coefficients at least as large as its eight neighbours on the (periodic, symmetric) whole plane."""
    from scipy.ndimage import maximum_filter

    mirror = np.roll(power[::-1], 1, axis=0)  # row -i
    after = mirror[:, [power.shape[1] - (2 if width % 2 == 0 else 1)]]
    extended = np.concatenate([mirror[:, [min(1, power.shape[1] - 1)]], power, after], axis=1)
    return cast("npt.NDArray[np.bool_]", maximum_filter(extended, size=3, mode="wrap")[:, 1:-1] <= power)
