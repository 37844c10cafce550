"""Fourier empirical Bayes, and its oracle."""

from __future__ import annotations

from typing import Final

from stemscan.recon.method import Method

__all__ = ["METHODS"]

METHODS: Final = (
    Method(
        "fourier-eb",
        "stemscan.recon.fourier_eb.method:fourier_eb",
        "Fourier empirical Bayes: Gaussian process with the spectrum learned from the samples; needs no training",
        uses_torch=True,
        gives_std=True,
        memory=(40, 0),
        cost=5,
        tiles=True,
        rank=2,
    ),
    Method(
        "spectral-oracle",
        "stemscan.recon.fourier_eb.spectral_oracle:oracle",
        "no method: given the truth's spectrum, it marks what a stationary linear estimate could reach",
        sees_truth=True,
    ),
)
