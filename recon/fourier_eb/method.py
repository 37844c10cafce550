"""Fourier empirical Bayes as a method; the model is `stemscan.recon.fourier_eb.analysis`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.recon.fourier_eb.analysis import ROUNDS, analyse
from stemscan.recon.reconstruction import Estimate
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["estimate_signal", "fourier_eb"]


def fourier_eb(
    inputs: Inputs,
    *,
    device: str = "cpu",
    windows: bool = True,
    factor: int | None = None,
    band_limit: float | None = None,
    rounds: int = ROUNDS,
    steps: int | None = None,
    regression: bool = True,
) -> Estimate:
    """Reconstruct by Fourier empirical Bayes.

    Parameters
    ----------
    device : str
        Of torch: "cpu", "cuda", ...
    windows : bool
        Follow local structure with windows; without them the model is one stationary process.
    factor : {1, 2, 4}, optional
        Scan pixels per pixel of the estimate; by default the coarsest that keeps the specimen's band.
    band_limit : float, optional
        Cycles per scan pixel beyond which there is no signal, above 0; found in the samples by default.
    rounds : int
        Turns of estimating image and spectrum, at least 1.
    steps : int, optional
        Conjugate-gradient steps per turn, at least 1; 5 by default, 20 where samples are shared among pixels.
    regression : bool
        Correct the estimate by samples that were held out: better, and takes several times as long. Not done where
        samples are shared among pixels.

    Returns
    -------
    Estimate
        Image and standard deviation on the grid of `factor`: each pixel is the mean of factor x factor scan pixels.

    Raises
    ------
    ReconError
        When a setting is out of range.
    """
    return estimate_signal(
        inputs.S,
        inputs.V,
        inputs.electrons_per_sample,
        noise=inputs.noise,
        signed=inputs.noise == "eq5" and bool(inputs.S.min() < 0),
        device=device,
        windows=windows,
        factor=factor,
        band_limit=band_limit,
        rounds=rounds,
        steps=steps,
        regression=regression,
    )


def estimate_signal(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    *,
    noise: str = "poisson",
    signed: bool = False,
    **settings: Any,
) -> Estimate:
    """`fourier_eb` on plain arrays, for data that no store holds.

    Parameters
    ----------
    summed, visits, electrons_per_sample, noise, signed
        As for `stemscan.recon.fourier_eb.analysis.analyse`. The estimate is clipped at 0 unless `signed`
        or Poisson samples have read noise below 0: to clip noise about zero would raise its mean.
    **settings
        As for `fourier_eb`, ``device`` included.

    Raises
    ------
    ReconError
        When an argument is out of range.
    """
    found = analyse(summed, visits, electrons_per_sample, noise=noise, signed=signed, **settings)
    unclipped = signed or (noise == "poisson" and summed.min() < 0)
    image = found.image if unclipped else np.maximum(found.image, np.float32(0))
    return Estimate(image=image, std=found.std, factor=found.factor, settings=found.settings)
