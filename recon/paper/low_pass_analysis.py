"""The initial reconstruction of the paper in the place of the Fourier analysis, for an ablation.

Equations 10 and 11 on the absolute scale (`initial_reconstruction`), with one error for all pixels: what the visited
samples scatter about it beyond their own noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stemscan.recon.fourier_eb.analysis import FourierAnalysis
from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction, low_pass
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Image, Noise

__all__ = ["low_pass_analysis"]


_LEAST: Final = 1e-6


def low_pass_analysis(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    *,
    noise: Noise = "poisson",
    signed: bool = False,
    device: str = "cpu",
) -> FourierAnalysis:
    """Make the paper's initial reconstruction look like a Fourier analysis.

    Parameters
    ----------
    summed : ndarray of float32, (H, W)
        S: counts over dose, summed per pixel; zero where not visited.
    visits : ndarray of float32, (H, W)
        V: number of samples per pixel, not zero everywhere.
    electrons_per_sample : float
        Lambda, above 0.
    noise : {"poisson", "eq5"}
        A sample's variance is x / lambda or x^2 / lambda.
    signed, device
        As other analyses have them; nothing depends on them here.

    Returns
    -------
    FourierAnalysis
        On the scan grid.
    """
    image = initial_reconstruction(summed, visits)
    smooth = low_pass(summed, visits)
    level = max(float(summed.sum(dtype=np.float64) / visits.sum(dtype=np.float64)), _LEAST)
    variance = max((level if noise == "poisson" else level**2) / electrons_per_sample, _LEAST)
    if noise == "poisson":
        variance += read_variance(summed, visits)
    visited = visits > 0
    times = visits[visited].astype(np.float64)
    scatter = np.sum(times * (summed[visited] / times - smooth[visited]) ** 2) - np.minimum(times, 1).sum() * variance
    error = np.sqrt(max(scatter / times.sum(), _LEAST))
    std = np.full(image.shape, error, np.float32)
    return FourierAnalysis(image, image, (), std, 1, variance, {"initial": "low-pass"})
