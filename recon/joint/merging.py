"""Counts of several channels as those of one, of a larger dose, so that every method takes them.

A sample has counts y_t of the channel t that is wanted and y_c of others at the same place, with independent noise. Of
the signals is assumed

    s_c = a + b s_t + e,

a straight line and what it leaves, an image e of its own. Four steps make one channel of two:

1. Line: s_t is estimated twice, each time from the samples y_t at half of the pixels (Fourier empirical Bayes). At the
   pixels left out, neither y_t nor y_c shares noise with that pilot, so that the ratio of their covariances with it is
   b, however much the pilot is shrunk (an instrumental variable). Where that tells nothing, pilots of y_c serve.
2. Rest: y_c - a - b y_t holds e and noise, but nothing of s_t; the same analysis makes of it the posterior mean of e
   and its variance. Where the line explains all, that is zero.
3. Merging: (y_c - a - e) / b are samples of s_t with variance (v_c + var e) / b^2; means of them and of y_t, with the
   reciprocal variances as weights, are those of all that a sample knows of s_t (its Fisher information, where e is
   known). v_c = s_c / lambda place by place, from a pilot; that of merged samples then gives the weights once more.
4. Trust: an error of e is no noise; it is the same for all samples around. So the weight is multiplied by 0 to 1: by
   the factor at which what merging changes, from one half of the pixels, foretells y_t at the other half best, and its
   standard error.

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

_INSTRUMENT: Final = 4.0
"""Standard errors by which a pilot must foretell the samples that it has not seen for a line to be sought by it."""

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
    trust : float
        Factor of its weight, 0 to 1, found on samples that were left out.
    weight : float
        Mean share of the channel in the merged samples, 0 to 1.
    """

    offset: float
    slope: float
    slope_error: float
    rest: float
    trust: float
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
    folds = _folds(wanted.shape)
    pilots = [_pilot(wanted.whole, device, fold) for fold in folds]
    lines = [_line(one.whole, wanted.whole, pilots, folds) for one in others]
    for number, one in enumerate(others):
        if not _counts(lines[number]):  # the other channel may show more
            theirs = [_pilot(one.whole, device, fold) for fold in folds]
            lines[number] = _line(one.whole, wanted.whole, theirs, folds)
    pilot = np.mean(pilots, axis=0)
    parts: list[_Part] = []
    for one, line in zip(others, lines, strict=True):
        rest = _rest(one.whole, wanted.whole, pilot, line, device)
        trust = _trust(wanted.whole, one.whole, line, pilots, folds, device)
        parts.append(_Part(one, line, rest, trust))
    first = _merge(wanted, parts, pilot)
    if not any(part.counts for part in parts):
        return Merged(wanted, first.relations)
    return _merge(wanted, parts, _pilot(first.inputs.whole, device))


@dataclass(frozen=True, eq=False)
class _Part:
    """A channel, its line, the image and variance of the rest, and how far it is trusted."""

    channel: Inputs
    line: tuple[float, float, float]
    rest: tuple[npt.NDArray[np.float64], float]
    trust: float = 1.0

    @property
    def counts(self) -> bool:
        """Tell whether the channel has anything to do with the one that is wanted."""
        return _counts(self.line) and self.trust > 0

    def variance(self, signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Variance of a sample of the wanted signal by this channel, where that is so large."""
        offset, slope, error = self.line
        if not self.counts:
            return np.full_like(signal, np.inf)
        image, unsure = self.rest
        line = (error * (signal - signal.mean())) ** 2
        found: npt.NDArray[np.float64] = _variance(self.channel, offset + slope * signal + image) + unsure + line
        return found / slope**2


def _counts(line: tuple[float, float, float]) -> bool:
    """Tell whether a slope differs from zero."""
    return abs(line[1]) > _SURE * line[2]


def _merge(wanted: Inputs, parts: Sequence[_Part], pilot: npt.NDArray[np.float64]) -> Merged:
    """All channels as one, with weights where the wanted signal is the pilot."""
    variances = [_variance(wanted, pilot), *(part.variance(pilot) for part in parts)]
    known = np.add.reduce([1.0 / one for one in variances])
    theirs = [part.trust / (one * known) for part, one in zip(parts, variances[1:], strict=True)]
    shares = [1.0 - np.add.reduce(theirs), *theirs]
    spread = np.add.reduce(
        [share**2 * np.where(share > 0, one, 0.0) for share, one in zip(shares, variances, strict=True)]
    )
    visits = wanted.V
    relations = tuple(
        Relation(
            *part.line,
            rest=float(np.sqrt(np.mean(part.rest[0] ** 2))),
            trust=part.trust,
            weight=float((share * visits).sum() / visits.sum()),
        )
        for part, share in zip(parts, theirs, strict=True)
    )
    return Merged(_joined(wanted, parts, shares, _dose(wanted, pilot, spread)), relations)


def _trust(
    wanted: Inputs,
    channel: Inputs,
    line: tuple[float, float, float],
    pilots: Sequence[npt.NDArray[np.float64]],
    folds: Sequence[npt.NDArray[np.bool_]],
    device: str,
) -> float:
    """Factor, 0 to 1, of what merging changes that foretells the wanted channel at pixels left out; with its error."""
    if not _counts(line):
        return 0.0
    gained = changed = noise = 0.0
    for pilot, fold in zip(pilots, folds, strict=True):
        own, other = (_without(one, fold) for one in (wanted, channel))
        part = _Part(other, line, _rest(other, own, pilot, line, device))
        change = _pilot(_merge(own, [part], pilot).inputs, device) - pilot
        gained += float((change * (wanted.S - wanted.V * pilot))[fold].sum())
        changed += float((change**2 * wanted.V)[fold].sum())
        noise += float((change**2 * wanted.V * _variance(wanted, pilot))[fold].sum())
    return float(np.clip((gained + np.sqrt(noise)) / changed, 0.0, 1.0)) if changed else 1.0


def _without(inputs: Inputs, fold: npt.NDArray[np.bool_]) -> Inputs:
    """Whole samples, less those at some pixels."""
    keep = ~fold
    return replace(inputs, frames=inputs.frames * keep, visits=inputs.visits * keep, truth=None, truth_columns=None)


def _folds(shape: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Half of the pixels, drawn by their places, and the others."""
    from stemscan.recon.fourier_eb.folds import fold_labels

    labels = fold_labels(shape, 2)
    return labels == 0, labels == 1


def _pilot(inputs: Inputs, device: str, left_out: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
    """Estimate of the signal from all samples, or from those that are not left out."""
    keep = np.float32(1) if left_out is None else (~left_out).astype(np.float32)
    return _analysed(inputs.S * keep, inputs.V * keep, inputs.electrons_per_sample, inputs.noise, device)[0]


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


def _line(
    channel: Inputs,
    wanted: Inputs,
    pilots: Sequence[npt.NDArray[np.float64]],
    folds: Sequence[npt.NDArray[np.bool_]],
) -> tuple[float, float, float]:
    """Offset, slope and its standard error of a channel's signal on the wanted one, by pilots of the other samples."""
    visits = wanted.V.astype(np.float64)
    total = visits.sum()
    means = [one.S.sum(dtype=np.float64) / total for one in (channel, wanted)]
    pilot = np.where(folds[0], *pilots)
    instrument = pilot - (visits * pilot).sum() / total
    theirs, own = (one.S - visits * mean for one, mean in zip((channel, wanted), means, strict=True))
    shared = float((instrument * own).sum())
    noise = float(np.sqrt((instrument**2 * visits * _variance(wanted, np.full_like(pilot, means[1]))).sum()))
    if not abs(shared) > _INSTRUMENT * noise:
        return means[0], 0.0, np.inf
    slope = float((instrument * theirs).sum() / shared)
    error = float(np.sqrt((instrument**2 * (theirs - slope * own) ** 2).sum()) / abs(shared))
    return means[0] - slope * means[1], slope, error


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


def _joined(wanted: Inputs, parts: Sequence[_Part], shares: Sequence[npt.NDArray[np.float64]], dose: float) -> Inputs:
    """Merged counts of the wanted channel's passes, or of its samples where these lie between pixels."""
    known: dict[str, Any] = {
        "noise": wanted.noise, "pixel_size_nm": wanted.pixel_size_nm, "truth": wanted.truth,
        "truth_columns": wanted.truth_columns, "source": wanted.source, "analogue": True,
    }  # fmt: skip
    heeded = [(part, share) for part, share in zip(parts, shares[1:], strict=True) if part.counts]

    def together(own: Any, theirs: Sequence[Any], visits: Any, at: Any = ...) -> npt.NDArray[Any]:
        total = shares[0][at] * (own / wanted.electrons_per_sample)
        for (part, share), counts in zip(heeded, theirs, strict=True):
            offset, slope, _ = part.line
            signal = counts / part.channel.electrons_per_sample - visits * (offset + part.rest[0][at])
            total = total + share[at] * signal / slope
        joined: npt.NDArray[Any] = total * dose
        return joined

    channels = [part.channel for part, _ in heeded]
    if wanted.placed is None:
        frames = [
            together(wanted.frames[index], [one.frames[index] for one in channels], wanted.visits[index])
            for index in range(wanted.T)
        ]
        return Inputs.from_arrays(np.stack(frames), wanted.visits, dose, **known)
    places = np.rint(wanted.placed.positions).astype(np.int64).clip(0, np.array(wanted.shape) - 1)
    counts = [one.placed.electrons for one in channels if one.placed is not None]
    electrons = together(wanted.placed.electrons, counts, 1.0, (places[:, 0], places[:, 1]))
    return Inputs.from_samples(replace(wanted.placed, electrons=electrons), dose, **known)
