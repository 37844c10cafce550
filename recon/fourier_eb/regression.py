"""Last correction of an estimate: a regression on samples that were held out, fitted anew for each scan.

Each fold of the samples (`stemscan.recon.fourier_eb.folds`) is held out in turn. Its samples are independent of an
estimate from the others, and so are residuals from which the error of such an estimate can be learned: linear in its
measures phi (`stemscan.recon.fourier_eb.measures`), beta minimises the sum of V (S / V - m - beta^T phi)^2 under a
prior (`stemscan.recon.fourier_eb.evidence`). The estimate from all samples is corrected by beta^T phi of its own.

A measure that is zero but at a few samples would be fitted to these alone, and where it is larger than there, what it
says is a guess that can exceed the image. So measures of which fewer than `_FEWEST_TELL` samples tell are left out,
and all are held within the values that held-out samples had.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch

from stemscan.recon.fourier_eb.evidence import ridge
from stemscan.recon.fourier_eb.measures import Measures, Seen
from stemscan.recon.threads import side_by_side
from stemscan.runtime.work import in_part
from stemscan.types import Floats, Image

__all__ = ["FOLDS", "Correction", "Fold", "correction"]

FOLDS: Final = 4
"""Parts of the samples."""

_MOST_GAIN: Final = 0.5  # of the error's variance
_FEWEST: Final = 2000  # samples from which there is something to learn
_FEWEST_TELL: Final = 50.0  # samples, by (sum w phi^2)^2 / sum w phi^4
_BYTES_A_PIXEL: Final = 400  # memory where folds run side by side
_LEAST_SPREAD: Final = 1e-6  # of an estimate that is not flat, over a sample's standard deviation


class Fold(NamedTuple):
    """Samples that were held out, (H, W) each of float32, and the estimate without them.

    Attributes
    ----------
    summed, visits : ndarray
        S - m V and V of the samples held out, m being the mean signal.
    """

    seen: Seen
    summed: Image
    visits: Image


class Correction(NamedTuple):
    """Correction of an estimate.

    Attributes
    ----------
    image : ndarray of float32, (H, W)
        To add.
    gain : float
        Mean square by which the error falls, as the held-out samples predict it, at least 0.
    """

    image: Image
    gain: float

    def std_share(self, error: float) -> float:
        """Standard deviation after the correction over that before, whose mean variance was `error`."""
        return float((1 - min(self.gain / error, _MOST_GAIN)) ** 0.5)


def correction(
    seen: Seen, noise: float, error: float, fold: Callable[[int], Fold], *, together: bool = False
) -> Correction:
    """Correct an estimate.

    Parameters
    ----------
    seen : Seen
        Estimate from all samples.
    noise : float
        Mean variance of one sample.
    error : float
        Mean variance of the estimate's error.
    fold : callable
        Of the number of a fold below `FOLDS`, which is held out.
    together : bool
        Fold side by side.

    Returns
    -------
    Correction
        Zero where there are too few samples to learn from, or nothing is to be seen.
    """
    number, flat = float(seen.visits.sum(dtype=np.float64)), _LEAST_SPREAD * np.sqrt(noise)
    if number < _FEWEST or not seen.image.std(dtype=np.float64) > flat:
        return Correction(np.zeros_like(seen.image), 0.0)
    measures = Measures(seen, noise / error)
    needed = _BYTES_A_PIXEL * seen.image.size
    folds = side_by_side(
        [in_part(0.78 / FOLDS, partial(_learned, fold, number, measures)) for number in range(FOLDS)],
        together=together,
        memory=needed,
    )
    gram, moments, fourth = (np.sum(part, axis=0) for part in list(zip(*folds, strict=True))[:3])
    low = torch.stack([one.low for one in folds]).amin(0)
    high = torch.stack([one.high for one in folds]).amax(0)
    rare = np.diag(gram) ** 2 < _FEWEST_TELL * fourth
    gram[rare], gram[:, rare], moments[rare] = 0.0, 0.0, 0.0
    beta = ridge(gram, moments, noise, measures.groups)
    along = torch.from_numpy(beta.astype(np.float32))
    drawn = torch.cat([along @ phi.clamp(low, high) for _, phi in measures.stretches(seen)])
    gain = float(2 * beta @ moments - beta @ gram @ beta) / number
    return Correction(drawn.reshape(seen.image.shape).numpy(), max(gain, 0.0))


class _Learned(NamedTuple):
    """Sums over the samples of a fold, and the least and largest value of each measure there."""

    gram: Floats
    moments: Floats
    fourth: Floats
    low: torch.Tensor
    high: torch.Tensor


def _learned(fold: Callable[[int], Fold], number: int, measures: Measures) -> _Learned:
    """Samples of a fold, which is held out, against the measures of the estimate without it."""
    one, size = fold(number), len(measures.groups)
    gram, moments, fourth = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    low, high = torch.full((size, 1), torch.inf), torch.full((size, 1), -torch.inf)
    there = one.visits > 0
    visits = torch.from_numpy(one.visits[there])
    residual = torch.from_numpy(one.summed[there] - one.visits[there] * one.seen.image[there])
    for where, phi in measures.stretches(one.seen, there):
        gram += ((phi * visits[where]) @ phi.T).double().numpy()
        moments += (phi @ residual[where]).double().numpy()
        fourth += (phi.double() ** 4 @ visits[where].double()).numpy()
        low, high = torch.minimum(low, phi.amin(1, True)), torch.maximum(high, phi.amax(1, True))
    return _Learned(gram, moments, fourth, low, high)
