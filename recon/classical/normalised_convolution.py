"""Gaussian normalised convolution, its width chosen by leaving samples out.

The estimate is (G * S) / (G * V) with a Gaussian G of the given width: at every pixel the mean of the samples around
it, weighted by distance (Knutsson and Westin, CVPR 1993). Where there is next to nothing around, it goes over to the
mean of all samples: both sums get one sample of that value, with 1e-5 of the weight of a sample at the pixel itself.
The width is chosen by cross-validation (`stemscan.recon.classical.left_out`); the truth is never looked at.

The standard deviation has two parts. Noise: the variance of the weighted mean, by the estimate itself. Bias: what
squared residuals have beyond the noise expected in them, a mean over the image, for it cannot be told pixel by pixel.
Visited pixels give their own; what all others have is shown by visited pixels that are left out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from stemscan.errors import UsageError
from stemscan.recon.classical.left_out import BACKGROUND, WIDEST, LeftOut, gaussian_weights
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.recon.reconstruction import Estimate
from stemscan.recon.threads import workers
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["normconv"]


def normconv(inputs: Inputs, *, width: float | None = None) -> Estimate:
    """Reconstruct by Gaussian normalised convolution.

    Parameters
    ----------
    width : float, optional
        Standard deviation of the Gaussian in pixels of the plan, above 0, at most 64 or the longer side of the grid;
        without it, cross-validation chooses.

    Returns
    -------
    Estimate
        On the plan's grid, with standard deviation. Settings: ``width``, and whether it was chosen (``width_chosen``).

    Raises
    ------
    UsageError
        When the width is outside of these.
    """
    widest = max(WIDEST, *inputs.shape)
    if width is not None and not 0 < width <= widest:
        raise UsageError(
            f"expected width above 0 pixels and at most {widest:g}, got {width!r}; leave it out to have it chosen"
        )
    whole = inputs.whole  # errors of samples that are shared among pixels are not independent
    chosen = LeftOut(whole).best_width() if width is None else float(width)
    sums = _smooth(whole, chosen)
    estimate = _mean(*sums[:2], whole.mean)
    std = np.sqrt(_variance(whole, estimate, *sums))
    if whole is not inputs:
        estimate = _mean(*_smooth(inputs, chosen)[:2], inputs.mean)
    return Estimate(estimate, std, settings={"width": chosen, "width_chosen": width is None})


def _smooth(inputs: Inputs, width: float) -> tuple[Image, Image, Image]:
    """G * S, G * V and G^2 * V; a sample at the pixel itself weighs 1."""
    weights = gaussian_weights(width)
    narrow = width / 2**0.5  # the square of a Gaussian
    with ThreadPoolExecutor(workers()) as pool:
        jobs = [
            pool.submit(_filter, array, w, len(weights), total)
            for array, w, total in (
                (inputs.S, width, weights.sum() ** 2),
                (inputs.V, width, weights.sum() ** 2),
                (inputs.V, narrow, (weights**2).sum() ** 2),
            )
        ]
        summed, weight, squares = (job.result() for job in jobs)
    return summed, weight, squares


def _filter(image: Image, width: float, length: int, total: float) -> Image:
    """Convolve with a Gaussian of that many weights that add up to `total`, nothing beyond the borders."""
    from scipy.ndimage import gaussian_filter

    filtered: Image = gaussian_filter(image, width, mode="constant", radius=length // 2)
    filtered *= np.float32(total)
    return filtered


def _mean(summed: Image, weight: Image, background: float) -> Image:
    """Weighted mean of the samples, and of one more of the background's value and weight."""
    return (summed + np.float32(BACKGROUND * background)) / (weight + np.float32(BACKGROUND))


def _variance(inputs: Inputs, estimate: Image, summed: Image, weight: Image, squares: Image) -> Image:
    """Noise of the weighted mean, bias of visited and of other pixels, and what is unknown where no sample is near."""
    own, foreign, signal = _biases(inputs, estimate, summed, weight, squares)
    total = weight + np.float32(BACKGROUND)
    variance: Image = squares.copy()
    variance /= total * total * np.float32(inputs.electrons_per_sample)
    if inputs.noise == "poisson":
        # N counts leave a variance of N + 1/2 (Jeffreys): no counts do not mean certainty.
        read = np.float32(inputs.electrons_per_sample * read_variance(inputs.S, inputs.V))
        variance *= np.maximum(estimate, 0) + np.float32(0.5) * variance + read
    else:
        variance *= estimate * estimate
    variance += np.where(inputs.V > 0, own, foreign)
    variance += (signal + np.float32(_variance_of_mean(inputs))) * (np.float32(BACKGROUND) / total) ** 2
    return variance


def _variance_of_mean(inputs: Inputs) -> float:
    """Noise of the mean of all samples, to which the image goes over far from them."""
    share = 1.0 / (inputs.electrons_per_sample * inputs.samples)
    if inputs.noise != "poisson":
        return share * inputs.mean**2
    read = inputs.electrons_per_sample * read_variance(inputs.S, inputs.V)
    return share * (max(inputs.mean, 0.0) + 0.5 * share + read)


def _biases(
    inputs: Inputs, estimate: Image, summed: Image, weight: Image, squares: Image
) -> tuple[np.float32, np.float32, np.float32]:
    """Mean squared bias of visited pixels, of pixels without samples of their own, and of the mean of all samples.

    Each is the mean square of a residual less the noise that is expected in it; that of the samples is estimated
    without bias from each sample itself.
    """
    visited = inputs.V > 0
    v, w, g = inputs.V[visited], weight[visited], squares[visited]
    measured, dose = inputs.S[visited] / v, inputs.electrons_per_sample
    # Linear in the reading, and so unbiased also where readings are below zero; read noise comes on top of it.
    noise: Image = (
        measured / dose + np.float32(read_variance(inputs.S, inputs.V))
        if inputs.noise == "poisson"
        else measured**2 * v / (dose * v + 1)
    )

    def excess(predicted: Image, expected: Image) -> np.float32:
        return np.float32(max(0.0, np.average((measured - predicted) ** 2 - expected, weights=v.astype(np.float64))))

    others = np.maximum(w - v, 0)
    rest = summed[visited] - inputs.S[visited]
    if inputs.S.min() >= 0:
        np.maximum(rest, 0, out=rest)  # of rounding
    left_out = _mean(rest, others, inputs.mean)
    spread = np.maximum(g - v, 0) / (others + np.float32(BACKGROUND)) ** 2
    return (
        excess(estimate[visited], noise * (1 / v - 2 / w + g / w**2)),
        excess(left_out, noise * (1 / v + spread)),
        excess(np.full_like(measured, inputs.mean), noise / v),
    )
