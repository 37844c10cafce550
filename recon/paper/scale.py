"""From counts to what networks take and back: standardised frames, and the refit of gain and offset.

Networks that were trained on standardised images know neither counts nor dose. Samples are standardised by their mean
and by the signal's deviation (the noise taken out of that of the samples), and gain and offset of what comes out are
refitted on the visited samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Image
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["Scale", "refit", "sample_scale", "standardised_frames", "standardised_sum"]


class Scale(NamedTuple):
    """Mean and deviation of the signal, on the absolute scale."""

    mean: float
    deviation: float


def sample_scale(inputs: Inputs) -> Scale:
    """Mean and deviation of the signal over the samples, without the counting noise.

    The variance of the samples is that of the signal and that of the noise, which for Poisson counts is
    mean / lambda, for equation 5 the mean square over lambda. At least a hundredth of the samples' variance is left
    to the signal.

    Returns
    -------
    Scale
        The deviation is above 0; 1 where all samples are equal.
    """
    dose = inputs.electrons_per_sample
    visited = np.flatnonzero(inputs.visits)
    times = inputs.visits.reshape(-1)[visited].astype(np.float64)
    values = inputs.frames.reshape(-1)[visited] / (dose * times)
    total = times.sum()
    read = read_variance(values * times, times)
    mean = float((times * values).sum() / total)
    spread = float((times * (values - mean) ** 2).sum() / total)
    noise = float(np.minimum(times, 1).sum()) / (
        total * dose
    )  # of one visit, over those averaged in a pixel of a frame
    signal = (
        (spread - noise * mean**2) / (1 + noise) if inputs.noise == "eq5" else spread - noise * (mean + dose * read)
    )
    variance = max(signal, 0.01 * spread)
    return Scale(mean, float(np.sqrt(variance)) if variance > 0 else 1.0)


def standardised_frames(inputs: Inputs, count: int, scale: Scale) -> npt.NDArray[np.float32]:
    """Passes summed by their number modulo `count`: mean per visit, standardised, 0 where not visited.

    A pixel with less than one visit holds its share of the sample.

    Parameters
    ----------
    count : int
        Frames that the network takes.

    Returns
    -------
    ndarray of float32, (count, H, W)

    Raises
    ------
    ReconError
        When there are fewer passes than frames.
    """
    if count > inputs.T:
        raise ReconError(
            f"expected at least {counted(count, 'pass')} for weights of {counted(count, 'frame')}, got {inputs.T}; "
            f"scan {counted(count, 'pass')} or choose another method"
        )
    frames = np.zeros((count, *inputs.shape), dtype=np.float32)
    for index in range(count):
        passes, visits = (part[index::count].reshape(-1, frames[index].size) for part in (inputs.frames, inputs.visits))
        visited = np.flatnonzero(visits[0] if len(visits) == 1 else visits.any(axis=0))
        times = visits[:, visited].sum(axis=0, dtype=np.float64)
        means = passes[:, visited].sum(axis=0, dtype=np.float64) / (inputs.electrons_per_sample * times)
        frames[index].reshape(-1)[visited] = np.minimum(times, 1) * (means - scale.mean) / scale.deviation
    return frames


def standardised_sum(inputs: Inputs, scale: Scale) -> Image:
    """Samples summed over passes, standardised, 0 where not visited; (H, W)."""
    return cast(Image, (inputs.S - np.float32(scale.mean) * inputs.V) / np.float32(scale.deviation))


def refit(inputs: Inputs, image: Image) -> tuple[float, float]:
    """Gain and offset that bring an image closest to the visited samples.

    A pixel weighs as often as it was visited, as its mean is the less uncertain. That dark pixels are less noisy is
    left out on purpose: the output is not an affine image of the signal, and weights that depend on the signal fit the
    dark part of the image alone (1 dB worse under equation 5).

    Parameters
    ----------
    image : ndarray of float32, (H, W)
        On any scale, on the plan's grid.

    Returns
    -------
    (float, float)
        gain * image + offset is on the absolute scale. The gain is 0 where the image is constant.
    """
    visited = inputs.V > 0
    weight = inputs.V[visited].astype(np.float64)
    measured = inputs.S[visited] / weight
    estimate = image[visited].astype(np.float64)
    weight /= weight.sum()
    mean_estimate, mean_measured = float(weight @ estimate), float(weight @ measured)
    variance = float(weight @ (estimate - mean_estimate) ** 2)
    if variance <= 1e-12 * mean_estimate**2:
        return 0.0, mean_measured
    gain = float(weight @ ((estimate - mean_estimate) * (measured - mean_measured))) / variance
    return gain, mean_measured - gain * mean_estimate
