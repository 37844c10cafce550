"""Fourier empirical Bayes: a Gaussian process with its spectrum learned from the samples.

The specimen is its mean plus a stationary Gaussian process of power spectrum P, sampled at random with known noise:

    minimise  sum_i (V_i / var) (S_i / V_i - x_i)^2 + sum_k |X_k|^2 / P_k

P is unknown. It is estimated from the estimate (empirical Bayes), in turns with it: conjugate gradients give X and the
residual E = F(V (y - x)) / v, with v the mean number of visits of the image's pixels; X + E is the image's transform
before shrinkage, in white noise of level s, at most var / v + (var V / v^2) times the posterior variance (the second
term is what random sampling leaks); and `stemscan.recon.fourier_eb.spectrum` turns |X + E|^2 and its noise into P: s
times the image's share of the torus, for the margin has no residual. Lattice peaks stay free, the rest shrinks.
Windows follow in `stemscan.recon.fourier_eb.windows`, standard deviations in `stemscan.recon.fourier_eb.uncertainty`.

var is the mean variance of a sample, mean(x) / lambda for Poisson counts and mean(x^2) / lambda under equation 5.
Under Poisson noise a variance of its own for each pixel was measured to gain nothing, even the true one. Under
equation 5 it does, for samples of dark pixels have next to no noise: there the estimate is refined with
var_i = x_i^2 / lambda, floored at a fraction of its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from stemscan.recon.fourier_eb.band_limit import FACTORS, Band, find_band
from stemscan.recon.fourier_eb.conjugate_gradients import half_weights, posterior_mean
from stemscan.recon.fourier_eb.domain import Domain
from stemscan.recon.fourier_eb.samples import Samples, as_tensor, check_samples, mean_and_variance
from stemscan.recon.fourier_eb.spectrum import SpectrumEstimator
from stemscan.recon.fourier_eb.uncertainty import standard_deviation
from stemscan.recon.fourier_eb.windows import WindowPrior, has_windows
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.runtime.memory import require_memory
from stemscan.types import Image

__all__ = ["ROUNDS", "SHARED_STEPS", "STEPS", "FourierAnalysis", "analyse"]


_BYTES_A_PIXEL: Final = 136
_BYTES_A_SCAN_PIXEL: Final = 17
"""Memory of the analysis for each pixel of its own grid and of the scan's, by `benchmarks/memory.py`."""

ROUNDS = 4
STEPS = 5
SHARED_STEPS = 20
_EQ5_ROUNDS = 3
_EQ5_STEPS = 8
_EQ5_WINDOW_STEPS = 4


@dataclass(frozen=True, eq=False)
class FourierAnalysis:
    """Everything that the model says of a scan, on the grid of `factor`; images are not clipped.

    Attributes
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
        The estimate.
    pilot : ndarray of float32, of the image's shape
        The stationary estimate, from which windows start.
    parts : tuple of ndarray of float32, of the image's shape
        What the estimate is the mean of, together with the pilot: the whole image's filter, then the windows', wide and
        narrow. The estimate alone where there are none, and under equation 5.
    std : ndarray of float32, of the image's shape
        Standard deviation of the estimate's error.
    factor : int
        Scan pixels per pixel of the images, in each direction.
    variance : float
        Mean variance of one sample, on the squared signal scale.
    settings : dict
        What was set and found.
    """

    image: Image
    pilot: Image
    parts: tuple[Image, ...]
    std: Image
    factor: int
    variance: float
    settings: dict[str, Any]


def analyse(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    *,
    noise: str = "poisson",
    signed: bool = False,
    device: str = "cpu",
    windows: bool = True,
    factor: int | None = None,
    band_limit: float | None = None,
    rounds: int = ROUNDS,
    steps: int | None = None,
    prior: Image | None = None,
) -> FourierAnalysis:
    """Analyse a scan.

    Parameters
    ----------
    summed : ndarray of float32, (H, W)
        S: samples over dose, summed per pixel; zero where not visited.
    visits : ndarray of float32, (H, W)
        V: number of samples per pixel, not zero everywhere.
    electrons_per_sample : float
        Lambda, above 0.
    noise : {"poisson", "eq5"}
        A sample's variance is x / lambda or x^2 / lambda.
    signed : bool
        The signal may be negative (standardised images). Only under "eq5".
    device, windows, factor, band_limit, rounds, steps
        As for `stemscan.recon.fourier_eb.method.fourier_eb`.
    prior : ndarray of float32, (H, W), optional
        Signal that is known already; the images are then that which the samples say beyond it, zero on average.

    Returns
    -------
    FourierAnalysis

    Raises
    ------
    ReconError
        When an argument is out of range.
    """
    if steps is None:  # where a beam lagged, visits are uneven, and conjugate gradients need more of them
        steps = STEPS if np.array_equal(visits, np.rint(visits)) else SHARED_STEPS
    check_samples(summed, visits, electrons_per_sample, noise, signed, factor, band_limit, rounds, steps)
    place = torch.device(device)
    mean, variance = mean_and_variance(summed, visits, electrons_per_sample, noise)
    read_noise = read_variance(summed, visits) if noise == "poisson" else 0.0
    if prior is not None:
        summed = summed - visits * (prior - np.float32(mean))
    offset = mean if prior is None else 0.0
    band = find_band(as_tensor(summed, place), as_tensor(visits, place), mean, variance)
    chosen = factor or (band.factor if band_limit is None else _fitting(band_limit, band))
    limit = band.limit if band_limit is None else band_limit
    if place.type == "cpu":
        rows, columns = summed.shape
        remedy = "take method lowpass, a smaller grid, or a machine with more"
        needed = (_BYTES_A_PIXEL / chosen**2 + _BYTES_A_SCAN_PIXEL) * rows * columns
        require_memory(needed, f"for the Fourier analysis of {rows} x {columns} pixels at factor {chosen}", remedy)
    domain = Domain.of((summed.shape[0], summed.shape[1]), chosen)
    samples = Samples(
        domain,
        as_tensor(domain.embed(summed), place),
        as_tensor(domain.embed(visits), place),
        mean,
        variance + band.bin_variances[chosen],
        band.bin_variances[chosen] + read_noise,
        electrons_per_sample,
        noise,
    )
    pilot, power, level = _stationary(samples, limit * chosen, rounds, steps)
    if noise == "eq5":
        pilot = _refine_eq5(samples, pilot, power)
    windowed = windows and has_windows(domain)
    parts = _follow(samples, pilot) if windowed else (pilot,)
    deviation = torch.stack((pilot, *parts)).mean(dim=0) if len(parts) > 1 else parts[0]
    std = _uncertainty(samples, deviation + mean, power, level)
    rows, columns = domain.image_shape

    def cut(image: torch.Tensor) -> Image:
        """An image on the torus without its margin."""
        inside: Image = image[:rows, :columns].cpu().numpy().copy()
        return inside

    return FourierAnalysis(
        image=cut(deviation + offset),
        pilot=cut(pilot + offset),
        parts=tuple(cut(part + offset) for part in parts),
        std=cut(std),
        factor=chosen,
        variance=variance,
        settings={
            "windows": windowed,
            "factor": chosen,
            "band_limit": float(limit),
            "rounds": rounds,
            "steps": steps,
            "noise": noise,
        },
    )


def _fitting(limit: float, band: Band) -> int:
    """Coarsest factor that holds a given band limit and is no coarser than the samples allow."""
    return max(f for f in FACTORS if f == 1 or (f <= band.factor and limit * f < 0.5))


def _stationary(samples: Samples, limit: float, rounds: int, steps: int) -> tuple[torch.Tensor, torch.Tensor, float]:
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
    power = _power(spectrum, left * (samples.variance / per_pixel), level * share)
    for turn in range(rounds):
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


def _uncertainty(samples: Samples, image: torch.Tensor, power: torch.Tensor, level: float) -> torch.Tensor:
    """Standard deviation on the torus."""
    precision = samples.visits / samples.sample_variance(image)
    leak = max(level - samples.variance / samples.visits_a_pixel, 0.0)
    within = power / samples.domain.share  # a process that fades in the margin has more power inside
    std = standard_deviation(within, level, leak, precision)
    number = float(samples.visits.sum())
    scale = (samples.mean**2 + samples.variance) / number  # what so few samples cannot tell, even of the mean
    return torch.sqrt(std**2 + scale)
