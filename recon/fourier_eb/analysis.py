"""Fourier empirical Bayes: a Gaussian process with its spectrum learned from the samples.

The specimen is its mean plus a stationary Gaussian process of power spectrum P, sampled at random with known noise:

    minimise  sum_i (V_i / var) (S_i / V_i - x_i)^2 + sum_k |X_k|^2 / P_k

P is unknown. It is estimated from the estimate (empirical Bayes), in turns with it: conjugate gradients give X and the
residual E = F(V (y - x)) / v, with v the mean number of visits of the image's pixels; X + E is the image's transform
before shrinkage, in white noise of level s, at most var / v + (var V / v^2) times the posterior variance (the second
term is what random sampling leaks); and `stemscan.recon.fourier_eb.spectrum` turns |X + E|^2 and its noise into P: s
times the image's share of the torus, for the margin has no residual. Lattice peaks stay free, the rest shrinks.
Windows follow in `stemscan.recon.fourier_eb.windows`, standard deviations in `stemscan.recon.fourier_eb.uncertainty`,
and where it is asked for a last correction by samples that were held out in `stemscan.recon.fourier_eb.regression`.

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
from stemscan.recon.fourier_eb.domain import Domain
from stemscan.recon.fourier_eb.estimates import Estimates, estimate
from stemscan.recon.fourier_eb.samples import Samples, as_tensor, check_samples, mean_and_variance
from stemscan.recon.fourier_eb.uncertainty import standard_deviation
from stemscan.recon.fourier_eb.windows import has_windows
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.runtime.memory import require_memory
from stemscan.runtime.work import part
from stemscan.types import Image

__all__ = ["ROUNDS", "SHARED_STEPS", "STEPS", "FourierAnalysis", "analyse"]


_BYTES_A_PIXEL: Final = 136
_BYTES_A_SCAN_PIXEL: Final = 17
"""Memory of the analysis for each pixel of its own grid, margin included, and of the scan (`benchmarks/memory.py`)."""

_BYTES_OF_REGRESSION: Final = 225
"""Memory that a correction by held-out samples adds, for each pixel of the analysis's own grid, likewise."""

_OWN_SHARE: Final = 0.13
"""Cost of the analysis itself, over that with its correction."""

ROUNDS = 4
STEPS = 5
SHARED_STEPS = 20


@dataclass(frozen=True, eq=False)
class FourierAnalysis:
    """Everything that the model says of a scan, on the grid of `factor`; images are not clipped.

    Attributes
    ----------
    image : ndarray of float32, (ceil(H / factor), ceil(W / factor))
        The estimate, corrected where that was asked for.
    pilot : ndarray of float32, of the image's shape
        The stationary estimate, from which windows start.
    parts : tuple of ndarray of float32, of the image's shape
        Images whose mean, with the pilot's, the estimate is before it is corrected: the whole image's filter, then
        the windows', wide and narrow. The estimate alone where there are none, and under equation 5.
    std : ndarray of float32, of the image's shape
        Standard deviation of the estimate's error.
    factor : int
        Scan pixels per pixel of the images, in each direction.
    variance : float
        Mean variance of one sample, on the squared signal scale.
    settings : dict
        Settings, and values that were found.
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
    regression: bool = False,
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
    regression : bool
        Correct the estimate by samples that were held out, where visits are whole numbers. The scan is then analysed
        four times more, with fewer turns; pilot, parts and settings of the analysis stay as they are without.

    Raises
    ------
    ReconError
        When an argument is out of range.
    """
    whole = np.array_equal(visits, np.rint(visits))
    if steps is None:  # where a beam lagged, visits are uneven, and conjugate gradients need more of them
        steps = STEPS if whole else SHARED_STEPS
    check_samples(summed, visits, electrons_per_sample, noise, signed, factor, band_limit, rounds, steps)
    place = torch.device(device)
    mean, variance = mean_and_variance(summed, visits, electrons_per_sample, noise)
    read_noise = read_variance(summed, visits) if noise == "poisson" else 0.0
    if prior is not None:
        summed = summed - visits * (prior - np.float32(mean))
    offset = mean if prior is None else 0.0
    own = _OWN_SHARE if regression and whole else 1.0
    with part(0.25 * own):
        band = find_band(as_tensor(summed, place), as_tensor(visits, place), mean, variance)
    chosen = factor or (band.factor if band_limit is None else _fitting(band_limit, band))
    limit = band.limit if band_limit is None else band_limit
    domain = Domain.of((summed.shape[0], summed.shape[1]), chosen)
    if place.type == "cpu":
        rows, columns = summed.shape
        remedy = "take method lowpass, a smaller grid, or a machine with more"
        a_pixel = _BYTES_A_PIXEL + _BYTES_OF_REGRESSION * regression
        needed = a_pixel * domain.rows.size * domain.columns.size + _BYTES_A_SCAN_PIXEL * rows * columns
        require_memory(needed, f"for the Fourier analysis of {rows} x {columns} pixels at factor {chosen}", remedy)
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
    with part(0.6 * own):
        found = estimate(samples, limit * chosen, rounds, steps, windows)
    with part(0.15 * own):
        deviation, std = found.mean, _uncertainty(samples, found)
    regression = regression and whole
    if regression:
        from stemscan.recon.fourier_eb.held_out import (
            HeldOut,
            corrected,
        )  # compiled code, which others need not wait for

        held_out = HeldOut(samples, summed, visits, limit * chosen, steps, windows, found.power)
        with part(1 - own):
            deviation, std = corrected(found, std, held_out)
    return FourierAnalysis(
        image=domain.cut(deviation + offset),
        pilot=domain.cut(found.pilot + offset),
        parts=tuple(domain.cut(part + offset) for part in found.parts),
        std=domain.cut(std),
        factor=chosen,
        variance=variance,
        settings={
            "windows": windows and has_windows(domain),
            "factor": chosen,
            "band_limit": float(limit),
            "rounds": rounds,
            "steps": steps,
            "noise": noise,
            "regression": regression,
        },
    )


def _fitting(limit: float, band: Band) -> int:
    """Coarsest factor that holds a given band limit and is no coarser than the samples allow."""
    return max(f for f in FACTORS if f == 1 or (f <= band.factor and limit * f < 0.5))


def _uncertainty(samples: Samples, found: Estimates) -> torch.Tensor:
    """Standard deviation on the torus."""
    precision = samples.visits / samples.sample_variance(found.mean + samples.mean)
    leak = max(found.level - samples.variance / samples.visits_a_pixel, 0.0)
    within = found.power / samples.domain.share  # a process that fades in the margin has more power inside
    std = standard_deviation(within, found.level, leak, precision)
    number = float(samples.visits.sum())
    scale = (samples.mean**2 + samples.variance) / number  # what so few samples cannot tell, even of the mean
    return torch.sqrt(std**2 + scale)
