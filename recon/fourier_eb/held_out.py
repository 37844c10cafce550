"""Estimates without a part of the samples, and the correction that those held out make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from stemscan.recon.fourier_eb.estimates import Estimates, estimate
from stemscan.recon.fourier_eb.folds import fold_labels
from stemscan.recon.fourier_eb.measures import Seen
from stemscan.recon.fourier_eb.regression import FOLDS, Fold, correction
from stemscan.recon.fourier_eb.samples import Samples, as_tensor
from stemscan.recon.threads import fits_together
from stemscan.types import Image

__all__ = ["HeldOut", "corrected"]


_ROUNDS: Final = 2  # from the spectrum of all samples, which one turn would leave in the estimate


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Estimates without a fold of the samples.

    Attributes
    ----------
    samples : Samples
        All of them, on the torus.
    summed, visits : ndarray of float32, (H, W)
        S and V on the scan grid, whole visits.
    limit, steps, windows
        As for `stemscan.recon.fourier_eb.estimates.estimate`.
    power : Tensor of float32, (rows, columns // 2 + 1)
        Spectrum found in all samples.
    """

    samples: Samples
    summed: Image
    visits: Image
    limit: float
    steps: int
    windows: bool
    power: torch.Tensor

    def fold(self, number: int) -> Fold:
        """Hold out the fold of that number."""
        domain = self.samples.domain
        rows, columns = self.summed.shape
        held = fold_labels((rows, columns), FOLDS) == number
        kept, out = (self._embedded(these) for these in (~held, held))
        samples = replace(self.samples, summed=kept[0], visits=kept[1])
        found = estimate(samples, self.limit, _ROUNDS, self.steps, self.windows, self.power)
        return Fold(seen(samples, found), domain.cut(out[0] - samples.mean * out[1]), domain.cut(out[1]))

    def _embedded(self, these: npt.NDArray[np.bool_]) -> list[torch.Tensor]:
        """S and V of some samples on the torus."""
        domain, place = self.samples.domain, self.samples.visits.device
        return [
            as_tensor(domain.embed(np.where(these, one, np.float32(0))), place) for one in (self.summed, self.visits)
        ]


def seen(samples: Samples, found: Estimates) -> Seen:
    """An estimate and its samples, without the margin."""
    domain = samples.domain
    parts = tuple(domain.cut(part) for part in found.all)
    return Seen(domain.cut(found.mean), parts, domain.cut(samples.deviation), domain.cut(samples.visits))


def corrected(found: Estimates, std: torch.Tensor, held_out: HeldOut) -> tuple[torch.Tensor, torch.Tensor]:
    """Estimate, less the mean signal, and standard deviation after the correction; on the torus.

    Parameters
    ----------
    found : Estimates
        From all samples.
    std : Tensor of float32, (rows, columns)
        Standard deviation before.
    """
    samples = held_out.samples
    error = float((samples.domain.cut(std) ** 2).mean())
    together = fits_together(samples.domain.shape, samples.visits.device.type)
    made = correction(seen(samples, found), samples.variance, error, held_out.fold, together=together)
    rows, columns = made.image.shape
    deviation = found.mean.clone()
    deviation[:rows, :columns] += torch.from_numpy(made.image).to(deviation.device)
    return deviation, std * made.std_share(error)
