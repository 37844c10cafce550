"""Making ground truth of a micrograph: the smoothing of the FSHNet paper, and resampling to another grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError

__all__ = ["PAPER_SIGMA", "paper_smoothed", "resampled"]

PAPER_SIGMA: Final = 1.5
"""Standard deviation of the Gaussian in pixels."""

MAX_MEDIAN: Final = 100


def paper_smoothed(image: NDArray[np.float64], *, median: int = 1) -> NDArray[np.float64]:
    """Smooth a noisy micrograph: a Gaussian of 1.5 pixels, then 3 x 3 medians.

    Section 4.1 of He et al., "A Hybrid Frequency-Spatial Domain Model for Sparse Image Reconstruction in Scanning
    Transmission Electron Microscopy" (ICCV 2021), which makes its training images so. Borders are reflected.

    Parameters
    ----------
    image : float64 (H, W)
    median : int
        Number of times that the median is applied, 0 to 100.

    Returns
    -------
    float64 (H, W)

    Raises
    ------
    UsageError
        If `median` is out of range.
    """
    from scipy.ndimage import gaussian_filter, median_filter

    if not 0 <= median <= MAX_MEDIAN:
        raise UsageError(f"expected 0 to {MAX_MEDIAN} median filters, got {median}")
    smooth = gaussian_filter(image, PAPER_SIGMA, mode="reflect")
    for _ in range(median):
        smooth = median_filter(smooth, size=3, mode="reflect")
    return np.asarray(smooth, np.float64)


def resampled(image: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Resample to another grid over the same field of view by cubic convolution (Keys 1981, a = -1/2).

    Pixel centres stay in place (pixel i of n covers i/n to (i + 1)/n of the field); borders are repeated. Where the
    new grid is coarser the kernel is widened in proportion, which keeps finer detail from aliasing. Values may
    overshoot those of `image` a little. The antialiased cubics of Pillow (in single precision) and torch have the same
    kernel; at borders they cut it off instead of repeating the image, which differs by up to 0.02 of the range.

    Parameters
    ----------
    image : float64 (H, W)
    shape : tuple of int
        New rows and columns.
    """
    rows = _along_first(image, shape[0])
    return np.ascontiguousarray(_along_first(np.ascontiguousarray(rows.T), shape[1]).T)


def _along_first(image: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Resample the first axis to `size`."""
    old = image.shape[0]
    if old == size:
        return image
    ratio = old / size
    reach = max(1.0, ratio)
    centres = (np.arange(size) + 0.5) * ratio - 0.5
    first = np.ceil(centres - 2 * reach).astype(np.int64)
    taps = int(np.floor(4 * reach)) + 1
    weights = np.stack([_cubic((first + tap - centres) / reach) for tap in range(taps)])
    weights /= weights.sum(axis=0)
    out = np.zeros((size, image.shape[1]))
    for tap in range(taps):
        out += weights[tap, :, None] * image[np.clip(first + tap, 0, old - 1)]
    return out


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
