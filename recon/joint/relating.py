"""Relation of two channels of the same samples: the line between their signals, and the image that it leaves.

See `merging` for what each step is for. Signals are on the absolute scale, float64 (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Floats, Image

__all__ = ["Line", "differs", "folds_of", "line_between", "pilot_of", "rest_of", "variance_of"]

_DARKEST: Final = 0.03
"""Smallest signal for which a variance is told, in parts of the mean."""

_INSTRUMENT: Final = 4.0
"""Standard errors by which a pilot must predict the samples that it has not seen for a line to be sought by it."""

_SURE: Final = 3.0
"""Standard errors by which a slope must differ from zero for the channel to be heeded."""

Line = tuple[float, float, float]
"""Offset, slope, and the slope's standard error."""


def differs(line: Line) -> bool:
    """Tell whether a slope differs from zero."""
    return abs(line[1]) > _SURE * line[2]


def folds_of(shape: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Half of the pixels, drawn by their places, and the others."""
    from stemscan.recon.fourier_eb.folds import fold_labels

    labels = fold_labels(shape, 2)
    return labels == 0, labels == 1


def pilot_of(inputs: Inputs, device: str, left_out: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Estimate of the signal from all samples, or from those that are not left out."""
    keep = np.float32(1) if left_out is None else (~left_out).astype(np.float32)
    return _analysed(inputs.S * keep, inputs.V * keep, inputs.electrons_per_sample, inputs.noise, device)[0]


def _analysed(summed: Image, visits: Image, dose: float, noise: str, device: str) -> tuple[Floats, Floats]:
    """Posterior mean and standard deviation of a signal on the scan's grid, by Fourier empirical Bayes."""
    from stemscan.recon.fourier_eb.analysis import analyse
    from stemscan.recon.inputs.grids import upsample, upsample_linear

    found = analyse(summed, visits, dose, noise=noise, device=device)
    shape = (summed.shape[0], summed.shape[1])
    image, std = upsample(found.image, found.factor, shape), upsample_linear(found.std, found.factor, shape)
    return image.astype(np.float64), std.astype(np.float64)


def line_between(
    channel: Inputs,
    wanted: Inputs,
    pilots: Sequence[Floats],
    folds: Sequence[npt.NDArray[np.bool_]],
) -> Line:
    """Offset, slope and its standard error of a channel's signal on the wanted one, by pilots of the other samples."""
    visits = wanted.V.astype(np.float64)
    total = visits.sum()
    means = [one.S.sum(dtype=np.float64) / total for one in (channel, wanted)]
    pilot = np.where(folds[0], *pilots)
    instrument = pilot - (visits * pilot).sum() / total
    theirs, own = (one.S - visits * mean for one, mean in zip((channel, wanted), means, strict=True))
    shared = float((instrument * own).sum())
    noise = float(np.sqrt((instrument**2 * visits * variance_of(wanted, np.full_like(pilot, means[1]))).sum()))
    if not abs(shared) > _INSTRUMENT * noise:
        return means[0], 0.0, np.inf
    slope = float((instrument * theirs).sum() / shared)
    error = float(np.sqrt((instrument**2 * (theirs - slope * own) ** 2).sum()) / abs(shared))
    return means[0] - slope * means[1], slope, error


def rest_of(channel: Inputs, wanted: Inputs, pilot: Floats, line: Line, device: str) -> tuple[Floats, float]:
    """Image of what the line leaves of a channel, and the variance of its error."""
    offset, slope, _ = line
    visits = channel.V.astype(np.float64)
    left = channel.S - visits * offset - slope * wanted.S
    noise = variance_of(channel, offset + slope * pilot) + slope**2 * variance_of(wanted, pilot)
    variance = float((visits * noise).sum() / visits.sum())
    seen = visits > 0
    shift = max(-float((left[seen] / visits[seen]).min()), 0.0) + np.sqrt(variance)
    shifted = (left + visits * shift).astype(np.float32)
    mean = float(shifted.sum(dtype=np.float64) / visits.sum())
    image, std = _analysed(shifted, channel.V, mean / variance, "poisson", device)
    return image - mean, float((std**2).mean())


def variance_of(channel: Inputs, signal: Floats) -> Floats:
    """Variance of a sample of a channel where its signal is so large."""
    read = read_variance(channel.S, channel.V) if channel.noise == "poisson" else 0.0
    power = 1 if channel.noise == "poisson" else 2
    least = _DARKEST * max(channel.mean, 1.0 / (channel.electrons_per_sample * channel.samples))
    return np.maximum(signal, least) ** power / channel.electrons_per_sample + read
