"""Spectral oracle: the global Fourier estimator given the truth's own spectrum and variances.

No stationary linear method does better, so this is the mark to measure reconstructions against. It looks at the truth
and is no reconstruction: P = |F(u - mean u)|^2 (orthonormal F), weights lambda V / u, the whole spectrum, no windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.conjugate_gradients import posterior_mean
from stemscan.recon.reconstruction import Estimate
from stemscan.types import NOISES, Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["oracle", "spectral_oracle"]


_FLOOR = 1e-3
_STEPS = 60


def oracle(inputs: Inputs) -> Estimate:
    """The spectral oracle as a method, on inputs that hold the truth.

    Parameters
    ----------
    inputs : Inputs
        With truth.

    Returns
    -------
    Estimate
        On the plan's grid, without standard deviation.

    Raises
    ------
    ReconError
        When the inputs hold no truth.
    """
    if inputs.truth is None:
        raise ReconError("expected inputs with the truth for the spectral oracle, got none; simulate the acquisition")
    truth = np.array(inputs.truth, dtype=np.float32)
    image = spectral_oracle(inputs.S, inputs.V, inputs.electrons_per_sample, truth, noise=inputs.noise)
    return Estimate(image=image)


def spectral_oracle(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    truth: Image,
    *,
    noise: str = "poisson",
    steps: int = _STEPS,
    device: str = "cpu",
) -> Image:
    """Estimate with the true spectrum and variances.

    Parameters
    ----------
    summed, visits : ndarray of float32, (H, W)
        S (samples over dose, summed) and V.
    electrons_per_sample : float
        Lambda.
    truth : ndarray of float32, (H, W)
        The signal, on the same grid.
    noise : {"poisson", "eq5"}
    steps : int
        Conjugate-gradient steps, at least 40.
    device : str
        Of torch.

    Returns
    -------
    ndarray of float32, (H, W)

    Raises
    ------
    ReconError
        When shapes differ, the noise is unknown or there are fewer than 40 steps.
    """
    if not (summed.shape == visits.shape == truth.shape and truth.ndim == 2):
        raise ReconError(f"expected S, V and truth of one shape, got {summed.shape}, {visits.shape}, {truth.shape}")
    if noise not in NOISES:
        raise ReconError(f"expected noise poisson or eq5, got {noise!r}")
    if steps < 40:
        raise ReconError(f"expected at least 40 conjugate-gradient steps, got {steps}; fewer have not converged")
    counts, number, signal = (torch.tensor(a, dtype=torch.float32, device=device) for a in (summed, visits, truth))
    mean = float(truth.mean(dtype=np.float64))
    spectrum = torch.fft.rfft2(signal - mean, norm="ortho")
    power = spectrum.real**2 + spectrum.imag**2
    variance = (signal if noise == "poisson" else signal**2).clamp(min=_FLOOR) / electrons_per_sample
    left = torch.fft.rfft2((counts - mean * number) / variance, norm="ortho")
    estimate, _ = posterior_mean(number / variance, left, power, torch.zeros_like(spectrum), steps)
    image: Image = (torch.fft.irfft2(estimate, s=truth.shape, norm="ortho") + mean).cpu().numpy()
    return image
