"""Estimates of Fourier empirical Bayes from samples on a torus: the stationary one, and those that follow it by region.

The stationary estimate and its spectrum are found in turns (`stemscan.recon.fourier_eb.analysis` has the model). Under
Poisson noise the windows' filters follow it, and their mean with it is the estimate; under equation 5 the stationary
estimate is refined with a variance for each pixel, and the windows' mean filter is a prior for another refinement.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stemscan.recon.fourier_eb.conjugate_gradients import half_weights, posterior_mean
from stemscan.recon.fourier_eb.samples import Samples
from stemscan.recon.fourier_eb.spectrum import SpectrumEstimator
from stemscan.recon.fourier_eb.windows import WindowPrior, has_windows
from stemscan.runtime.work import part, stepped

__all__ = ["Estimates", "estimate"]

_EQ5_ROUNDS = 3
_EQ5_STEPS = 8
_EQ5_WINDOW_STEPS = 4


@dataclass(frozen=True, eq=False)
class Estimates:
    """Deviations from the mean signal on the torus, and the spectrum that led to them.

    Attributes
    ----------
    pilot : Tensor of float32, (H, W)
        The stationary estimate.
    parts : tuple of Tensor of float32, (H, W)
        By the whole image's filter, then by the windows'; the estimate alone without windows, and under equation 5.
    power : Tensor of float32, (H, W // 2 + 1)
        Spectrum of the stationary model.
    level : float
        Noise of a pixel of the image under it.
    """

    pilot: torch.Tensor
    parts: tuple[torch.Tensor, ...]
    power: torch.Tensor
    level: float

    @property
    def all(self) -> tuple[torch.Tensor, ...]:
        """All of which the estimate is the mean."""
        return (self.pilot, *self.parts) if len(self.parts) > 1 else self.parts

    @property
    def mean(self) -> torch.Tensor:
        """The estimate."""
        return torch.stack(self.all).mean(dim=0)


def estimate(
    samples: Samples, limit: float, rounds: int, steps: int, windows: bool, power: torch.Tensor | None = None
) -> Estimates:
    """Estimate from samples.

    Parameters
    ----------
    limit : float
        Band limit in cycles per pixel of the torus.
    rounds, steps : int
        Turns of image and spectrum, and conjugate-gradient steps in each, at least 1.
    windows : bool
        Follow local structure where the image is long enough.
    power : Tensor of float32, (H, W // 2 + 1), optional
        Spectrum of the first turn; by default that of the samples themselves.
    """
    windows = windows and has_windows(samples.domain)
    with part(0.6 if windows else 1.0):
        pilot, power, level = _stationary(samples, limit, rounds, steps, power)
    if samples.noise == "eq5":
        pilot = _refine_eq5(samples, pilot, power)
    parts = _follow(samples, pilot) if windows else (pilot,)
    return Estimates(pilot, parts, power, level)


def _stationary(
    samples: Samples, limit: float, rounds: int, steps: int, power: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Image less mean on the torus, power spectrum and noise level of the global model."""
    visits, deviation = samples.visits, samples.deviation
    shape = samples.domain.shape
    device = visits.device
    columns = half_weights(shape[1], device)
    per_pixel, leak, share = samples.visits_a_pixel, samples.leak, samples.domain.share
    spectrum = SpectrumEstimator(shape, limit, device)
    pairs = float((visits**2).sum())
    total = float((deviation**2).sum())
    posterior = max(total - float(visits.sum()) * samples.variance, 0.0) / pairs
    estimate = torch.zeros((shape[0], shape[1] // 2 + 1), dtype=torch.complex64, device=device)
    precision = visits / samples.variance
    left = torch.fft.rfft2(deviation / samples.variance, norm="ortho")
    level = samples.variance / per_pixel + leak * posterior
    if power is None:
        power = _power(spectrum, left * (samples.variance / per_pixel), level * share)
    for turn in stepped(range(rounds), rounds):
        estimate, left = posterior_mean(precision, left, power, estimate, steps)
        gained = power / (1 + power * (per_pixel / samples.variance))
        posterior = float((gained * columns).sum()) / visits.numel()
        level = samples.variance / per_pixel + leak * posterior
        if turn < rounds - 1:
            power = _power(spectrum, estimate + left * (samples.variance / per_pixel), level * share)
    return torch.fft.irfft2(estimate, s=shape, norm="ortho"), power, level


def _power(spectrum: SpectrumEstimator, unshrunk: torch.Tensor, level: float) -> torch.Tensor:
    """Power spectrum from the transform before shrinkage; the zero frequency is never held back."""
    periodogram = unshrunk.real**2 + unshrunk.imag**2
    power = spectrum.power(periodogram, spectrum.noise_level(periodogram, level))
    power[0, 0] = torch.clamp(power[0, 0], min=level)
    return power


def _refine_eq5(samples: Samples, deviation: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    """The global estimate again with a variance of its own for each pixel."""
    for _ in range(_EQ5_ROUNDS):
        precision, weighted = _eq5_precision(samples, deviation)
        start = torch.where(power > 0, torch.fft.rfft2(deviation, norm="ortho"), 0.0)
        left = torch.fft.rfft2(weighted - precision * deviation, norm="ortho")
        estimate, _ = posterior_mean(precision, left, power, start, _EQ5_STEPS)
        deviation = torch.fft.irfft2(estimate, s=samples.domain.shape, norm="ortho")
    return deviation


def _eq5_precision(samples: Samples, deviation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Precision per pixel under equation 5, and precision times measured deviation."""
    variance = samples.sample_variance(deviation + samples.mean)
    return samples.visits / variance, samples.deviation / variance


def _follow(samples: Samples, pilot: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The estimates that follow the global one, whose mean with it is the estimate; one alone under equation 5."""
    per_pixel = samples.visits_a_pixel
    if samples.noise == "poisson":
        prior = WindowPrior(pilot, samples.variance / per_pixel, samples.domain)
        return prior.parts(pilot + (samples.deviation - samples.visits * pilot) / per_pixel)
    precision, weighted = _eq5_precision(samples, pilot)
    prior = WindowPrior(pilot, samples.domain.share / float(precision.mean()), samples.domain)
    return (prior.refine(pilot, precision, weighted, _EQ5_WINDOW_STEPS),)
