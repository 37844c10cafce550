"""Samples as Fourier empirical Bayes takes them: sums and visits on its torus, and the noise model.

A sample of a pixel with signal x has the variance x / lambda (Poisson counts over lambda) or x^2 / lambda (equation 5
of He et al., ICCV 2021). On a binned grid the signal's variance inside a bin is added, and to Poisson counts the read
noise that readings below zero show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.band_limit import FACTORS
from stemscan.recon.fourier_eb.domain import Domain
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import NOISES, Image

__all__ = ["Samples", "as_tensor", "check_samples", "mean_and_variance"]


_FLOOR = 0.1  # least variance of a pixel, over the mean one


@dataclass(frozen=True)
class Samples:
    """Sums and visits on the torus, and the scalars of the noise model."""

    domain: Domain
    summed: torch.Tensor
    visits: torch.Tensor
    mean: float
    variance: float  # of one sample, bins included
    extra: float  # of it what does not depend on the signal: variance inside bins, read noise
    dose: float
    noise: str

    @property
    def deviation(self) -> torch.Tensor:
        """S - m V."""
        return self.summed - self.mean * self.visits

    @property
    def visits_a_pixel(self) -> float:
        """Mean visits of the image's pixels, which those of the margin would lower."""
        return float(self.visits.mean()) / self.domain.share

    @property
    def leak(self) -> float:
        """Variance of the visits of the image's pixels over their squared mean."""
        rows, columns = self.domain.image_shape
        return float(self.visits[:rows, :columns].var(correction=0)) / self.visits_a_pixel**2

    def sample_variance(self, image: torch.Tensor) -> torch.Tensor:
        """Variance of one sample at each pixel, floored at a fraction of its mean."""
        variance = (image if self.noise == "poisson" else image**2) / self.dose + self.extra
        return variance.clamp_(min=_FLOOR * self.variance)


def as_tensor(values: Image, device: torch.device) -> torch.Tensor:
    """A copy of an array as float32 on the device; of inputs, which torch must not write into."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def check_samples(
    summed: Image,
    visits: Image,
    dose: float,
    noise: str,
    signed: bool,
    factor: int | None,
    band_limit: float | None,
    rounds: int,
    steps: int,
) -> None:
    """Refuse what cannot be computed with."""
    if summed.ndim != 2 or summed.shape != visits.shape:
        raise ReconError(f"expected S and V of one shape (H, W), got {summed.shape} and {visits.shape}")
    if not np.isfinite(summed).all() or not np.isfinite(visits).all() or visits.min() < 0 or visits.max() <= 0:
        raise ReconError("expected finite sums and at least one visited pixel, got none; acquire a sample first")
    if not (np.isfinite(dose) and dose > 0):
        raise ReconError(f"expected electrons per sample above 0, got {dose!r}; give the dose of the scan")
    if noise not in NOISES:
        raise ReconError(f"expected noise poisson or eq5, got {noise!r}")
    if signed and noise == "poisson":
        raise ReconError("expected an unsigned signal of Poisson counts, got signed=True; counts are never negative")
    if factor is not None and factor not in FACTORS:
        raise ReconError(f"expected factor to be 1, 2 or 4, got {factor!r}")
    if band_limit is not None and not band_limit > 0:
        raise ReconError(f"expected a band limit above 0 cycles per pixel, got {band_limit!r}")
    for name, value in (("rounds", rounds), ("steps", steps)):
        if value < 1:
            raise ReconError(f"expected at least 1 of {name}, got {value!r}")


def mean_and_variance(summed: Image, visits: Image, dose: float, noise: str) -> tuple[float, float]:
    """Mean signal, and mean variance of a sample; a variance above 0 also where nothing was counted."""
    number = float(visits.sum(dtype=np.float64))
    mean = float(summed.sum(dtype=np.float64)) / number
    if noise == "poisson":
        return mean, max(mean, 1 / (dose * number)) / dose + read_variance(summed, visits)
    squares = float(np.vdot(summed.astype(np.float64), summed.astype(np.float64)))
    per_square = float(np.sum(visits.astype(np.float64) * (visits + 1 / dose)))
    return mean, max(squares / per_square, 1e-12) / dose
