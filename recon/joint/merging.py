"""Counts of several channels as those of one, of a larger dose, so that every method takes them.

A sample has counts y_t of the channel t that is wanted and y_c of others at the same place, with independent noise. Of
the signals is assumed

    s_c = a + b s_t + e,

a straight line and what it leaves, an image e of its own. Three steps make one channel of two:

1. Line: s_t is estimated from y_t alone (Fourier empirical Bayes). Its noise is not that of y_c, and the regression of
   a signal on its posterior mean has slope 1, so that the regression of y_c on it is that of s_c on s_t.
2. Rest: y_c - a - b y_t holds e and noise, but nothing of s_t; the same analysis makes of it the posterior mean of e
   and its variance. Where the line explains all, that is zero.
3. Merging: (y_c - a - e) / b are samples of s_t with variance (v_c + var e) / b^2; means of them and of y_t, with the
   reciprocal variances as weights, are those of all that a sample knows of s_t (its Fisher information, where e is
   known): v_c = s_c / lambda from the estimates of 1. and 2., place by place.

Merged samples are given as those of one channel of the dose at which counts alone would vary as much on the mean. A
channel that has nothing to do with t has b = 0 within its error, and no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Image

__all__ = ["Merged", "Relation", "merged"]

_DARKEST: Final = 0.03
"""Smallest signal for which a variance is told, in parts of the mean."""

_SURE: Final = 3.0
"""Standard errors by which a slope must differ from zero for the channel to be heeded."""


@dataclass(frozen=True)
class Relation:
    """Relation of a channel to the one that is wanted: signal = offset + slope x wanted + rest.

    Attributes
    ----------
    offset, slope, slope_error : float
    rest : float
        Standard deviation of the rest over the image, as far as it was found.
    weight : float
        Mean share of the channel in the merged samples, 0 to 1.
    """

    offset: float
    slope: float
    slope_error: float
    rest: float
    weight: float


@dataclass(frozen=True, eq=False)
class Merged:
    """Inputs in which all channels are one, and how they went together.

    Attributes
    ----------
    inputs : Inputs
        On the scale of the channel that is wanted.
    relations : tuple of Relation
        Of each other channel.
    """

    inputs: Inputs
    relations: tuple[Relation, ...]


def merged(wanted: Inputs, others: Sequence[Inputs], *, device: str = "cpu") -> Merged:
    """Bring the counts of other channels onto the signal of the one that is wanted.

    Parameters
    ----------
    wanted : Inputs
    others : sequence of Inputs
        Of the same samples, by other detectors.
    device : str
        Of torch.

    Returns
    -------
    Merged

    Raises
    ------
    ReconError
        When the channels are not of the same samples.
    """
    if any(not np.array_equal(one.visits, wanted.visits) for one in others):
        raise ReconError("expected channels of the same samples, got other visits; take channels of one store")
    pilot = _analysed(wanted.S, wanted.V, wanted.electrons_per_sample, wanted.noise, device)[0]
    lines = [_line(one, pilot) for one in others]
    rests = [_rest(one, wanted, pilot, line, device) for one, line in zip(others, lines, strict=True)]
    own = 1.0 / _variance(wanted, pilot)
    weights = [own]
    for one, (offset, slope, error), (rest, unsure) in zip(others, lines, rests, strict=True):
        variance = _variance(one, offset + slope * pilot + rest) + unsure
        weights.append(slope**2 / variance if abs(slope) > _SURE * error else np.zeros_like(own))
    known = np.add.reduce(weights)
    shares = [weight / known for weight in weights]
    offsets = [line[0] + rest[0] for line, rest in zip(lines, rests, strict=True)]
    slopes = [line[1] for line in lines]
    inputs = _joined(wanted, others, shares, offsets, slopes, _dose(wanted, pilot, 1 / known))
    visits = wanted.V
    relations = tuple(
        Relation(*line, float(np.sqrt(np.mean(rest[0] ** 2))), float((share * visits).sum() / visits.sum()))
        for line, rest, share in zip(lines, rests, shares[1:], strict=True)
    )
    return Merged(inputs, relations)


def _analysed(
    summed: Image, visits: Image, dose: float, noise: str, device: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Posterior mean and standard deviation of a signal on the scan's grid, by Fourier empirical Bayes."""
    from stemscan.recon.fourier_eb.analysis import analyse
    from stemscan.recon.inputs.grids import upsample, upsample_linear

    found = analyse(summed, visits, dose, noise=noise, device=device)
    shape = (summed.shape[0], summed.shape[1])
    image, std = upsample(found.image, found.factor, shape), upsample_linear(found.std, found.factor, shape)
    return image.astype(np.float64), std.astype(np.float64)


def _line(channel: Inputs, pilot: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Offset, slope and its standard error of the regression of a channel's samples on the pilot."""
    seen = channel.V > 0
    weight, x, summed = channel.V[seen].astype(np.float64), pilot[seen], channel.S[seen].astype(np.float64)
    total = weight.sum()
    mean_x, mean_y = (weight * x).sum() / total, summed.sum() / total
    spread = (weight * (x - mean_x) ** 2).sum()
    if spread <= 0:
        return mean_y, 0.0, np.inf
    slope = ((x - mean_x) * (summed - weight * mean_y)).sum() / spread
    left = summed - weight * (mean_y + slope * (x - mean_x))
    error = np.sqrt((left**2 / np.maximum(weight, 1e-6)).sum() / len(x) / spread)
    return float(mean_y - slope * mean_x), float(slope), float(error)


def _rest(
    channel: Inputs, wanted: Inputs, pilot: npt.NDArray[np.float64], line: tuple[float, float, float], device: str
) -> tuple[npt.NDArray[np.float64], float]:
    """Image of what the line leaves of a channel, and the variance of its error."""
    offset, slope, _ = line
    visits = channel.V.astype(np.float64)
    left = channel.S - visits * offset - slope * wanted.S
    noise = _variance(channel, offset + slope * pilot) + slope**2 * _variance(wanted, pilot)
    variance = float((visits * noise).sum() / visits.sum())
    seen = visits > 0
    shift = max(-float((left[seen] / visits[seen]).min()), 0.0) + np.sqrt(variance)
    shifted = (left + visits * shift).astype(np.float32)
    mean = float(shifted.sum(dtype=np.float64) / visits.sum())
    image, std = _analysed(shifted, channel.V, mean / variance, "poisson", device)
    return image - mean, float((std**2).mean())


def _variance(channel: Inputs, signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Variance of a sample of a channel where its signal is so large."""
    read = read_variance(channel.S, channel.V) if channel.noise == "poisson" else 0.0
    power = 1 if channel.noise == "poisson" else 2
    least = _DARKEST * max(channel.mean, 1.0 / (channel.electrons_per_sample * channel.samples))
    return np.maximum(signal, least) ** power / channel.electrons_per_sample + read


def _dose(wanted: Inputs, pilot: npt.NDArray[np.float64], variance: npt.NDArray[np.float64]) -> float:
    """Dose at which counts of the wanted signal vary on the mean as merged samples do."""
    visits = wanted.V.astype(np.float64)
    spread = np.maximum(pilot, 0) ** (1 if wanted.noise == "poisson" else 2)
    return float((visits * spread).sum() / (visits * variance).sum())


def _joined(
    wanted: Inputs,
    others: Sequence[Inputs],
    shares: Sequence[npt.NDArray[np.float64]],
    offsets: Sequence[npt.NDArray[np.float64]],
    slopes: Sequence[float],
    dose: float,
) -> Inputs:
    """Merged counts of the wanted channel's passes, or of its samples where these lie between pixels."""
    known: dict[str, Any] = {
        "noise": wanted.noise, "pixel_size_nm": wanted.pixel_size_nm, "truth": wanted.truth,
        "truth_columns": wanted.truth_columns, "source": wanted.source, "analogue": True,
    }  # fmt: skip

    def together(values: Sequence[npt.NDArray[Any]], visits: Any, at: Any) -> npt.NDArray[Any]:
        total = shares[0][at] * values[0] / wanted.electrons_per_sample
        parts = zip(others, values[1:], shares[1:], offsets, slopes, strict=True)
        for one, value, share, offset, slope in parts:
            if slope:
                total = total + share[at] * (value / one.electrons_per_sample - visits * offset[at]) / slope
        joined: npt.NDArray[Any] = total * dose
        return joined

    if wanted.placed is None:
        frames = np.stack(
            [
                together([one.frames[index] for one in (wanted, *others)], wanted.visits[index], ...)
                for index in range(wanted.T)
            ]
        )
        return Inputs.from_arrays(frames, wanted.visits, dose, **known)
    placed = [one.placed for one in (wanted, *others)]
    rows, columns = (np.rint(wanted.placed.positions).astype(np.int64).clip(0, np.array(wanted.shape) - 1)).T
    electrons = together([one.electrons for one in placed if one is not None], 1.0, (rows, columns))
    return Inputs.from_samples(replace(wanted.placed, electrons=electrons), dose, **known)
