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
   the factor at which what merging changes, from one half of the pixels, predicts y_t at the other half best, and its
   standard error.

Merged samples are given as those of one channel of the dose at which counts alone would vary as much on the mean. A
channel that has nothing to do with t has b = 0 within its error, and no weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.joint.relating import Line, differs, folds_of, line_between, pilot_of, rest_of, variance_of
from stemscan.types import Floats

__all__ = ["Merged", "Relation", "merged"]


@dataclass(frozen=True)
class Relation:
    """Relation of a channel to the one that is wanted: signal = offset + slope x wanted + rest.

    Attributes
    ----------
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
    others : sequence of Inputs
        Of the same samples, by other detectors.
    device : str
        Of torch.

    Raises
    ------
    ReconError
        When the channels are not of the same samples.
    """
    if any(not np.array_equal(one.visits, wanted.visits) for one in others):
        raise ReconError("expected channels of the same samples, got other visits; take channels of one store")
    folds = folds_of(wanted.shape)
    pilots = [pilot_of(wanted.whole, device, fold) for fold in folds]
    lines = [line_between(one.whole, wanted.whole, pilots, folds) for one in others]
    for number, one in enumerate(others):
        if not differs(lines[number]):  # the other channel may show more
            theirs = [pilot_of(one.whole, device, fold) for fold in folds]
            lines[number] = line_between(one.whole, wanted.whole, theirs, folds)
    pilot = np.mean(pilots, axis=0)
    parts: list[_Part] = []
    for one, line in zip(others, lines, strict=True):
        rest = rest_of(one.whole, wanted.whole, pilot, line, device)
        trust = _trust(wanted.whole, one.whole, line, pilots, folds, device)
        parts.append(_Part(one, line, rest, trust))
    first = _merge(wanted, parts, pilot)
    if not any(part.counts for part in parts):
        return Merged(wanted, first.relations)
    return _merge(wanted, parts, pilot_of(first.inputs.whole, device))


@dataclass(frozen=True, eq=False)
class _Part:
    """A channel, its line, the image and variance of the rest, and how far it is trusted."""

    channel: Inputs
    line: Line
    rest: tuple[Floats, float]
    trust: float = 1.0

    @property
    def counts(self) -> bool:
        """Tell whether the channel has anything to do with the one that is wanted."""
        return differs(self.line) and self.trust > 0

    def variance(self, signal: Floats) -> Floats:
        """Variance of a sample of the wanted signal by this channel, where that is so large."""
        offset, slope, error = self.line
        if not self.counts:
            return np.full_like(signal, np.inf)
        image, unsure = self.rest
        line = (error * (signal - signal.mean())) ** 2
        found: Floats = variance_of(self.channel, offset + slope * signal + image) + unsure + line
        return found / slope**2


def _merge(wanted: Inputs, parts: Sequence[_Part], pilot: Floats) -> Merged:
    """All channels as one, with weights where the wanted signal is the pilot."""
    variances = [variance_of(wanted, pilot), *(part.variance(pilot) for part in parts)]
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
    line: Line,
    pilots: Sequence[Floats],
    folds: Sequence[npt.NDArray[np.bool_]],
    device: str,
) -> float:
    """Factor, 0 to 1, of what merging changes that predicts the wanted channel at pixels left out; with its error."""
    if not differs(line):
        return 0.0
    gained = changed = noise = 0.0
    for pilot, fold in zip(pilots, folds, strict=True):
        own, other = (_without(one, fold) for one in (wanted, channel))
        part = _Part(other, line, rest_of(other, own, pilot, line, device))
        change = pilot_of(_merge(own, [part], pilot).inputs, device) - pilot
        gained += float((change * (wanted.S - wanted.V * pilot))[fold].sum())
        changed += float((change**2 * wanted.V)[fold].sum())
        noise += float((change**2 * wanted.V * variance_of(wanted, pilot))[fold].sum())
    return float(np.clip((gained + np.sqrt(noise)) / changed, 0.0, 1.0)) if changed else 1.0


def _without(inputs: Inputs, fold: npt.NDArray[np.bool_]) -> Inputs:
    """Whole samples, less those at some pixels."""
    keep = ~fold
    return replace(inputs, frames=inputs.frames * keep, visits=inputs.visits * keep, truth=None, truth_columns=None)


def _dose(wanted: Inputs, pilot: Floats, variance: Floats) -> float:
    """Dose at which counts of the wanted signal vary on the mean as merged samples do."""
    visits = wanted.V.astype(np.float64)
    spread = np.maximum(pilot, 0) ** (1 if wanted.noise == "poisson" else 2)
    return float((visits * spread).sum() / (visits * variance).sum())


def _joined(wanted: Inputs, parts: Sequence[_Part], shares: Sequence[Floats], dose: float) -> Inputs:
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
