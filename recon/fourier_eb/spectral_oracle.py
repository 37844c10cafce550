"""Spectral oracles: the global Fourier estimator given the truth's own spectrum and variances.

They look at the truth and are no reconstructions, but marks to measure reconstructions against. Of P =
|F(u - mean u)|^2 (orthonormal F), weights lambda V / u, the whole spectrum and no windows, there are four kinds:

- The spectrum may be the truth's periodogram: no stationary linear method does better. It knows the size of each
  coefficient, the noise of the truth included, which no scan tells. Its local mean, over 3 x 3 coefficients, is what
  could be known.
- The grid may be the scan's, whose opposite edges are then taken for neighbours: such an oracle fails at the frame, and
  is beaten there. On a padded one a margin lies between them, which nobody visited and in which the truth is continued
  without a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from stemscan.errors import ReconError
from stemscan.recon.fourier_eb.conjugate_gradients import posterior_mean
from stemscan.recon.fourier_eb.continuation import continued
from stemscan.recon.fourier_eb.domain import smooth_size
from stemscan.recon.reconstruction import Estimate
from stemscan.types import NOISES, Image

if TYPE_CHECKING:
    import numpy.typing as npt

    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["oracle", "spectral_oracle"]


_FLOOR = 1e-3
_STEPS = 60
_MARGIN = 128  # scan pixels, at most a quarter of the side


def oracle(inputs: Inputs, *, local_mean: bool = False, padded: bool = False) -> Estimate:
    """The spectral oracle as a method, on inputs that hold the truth.

    Parameters
    ----------
    inputs : Inputs
        With truth.
    local_mean, padded : bool
        As for `spectral_oracle`.

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
    image = spectral_oracle(
        inputs.S, inputs.V, inputs.electrons_per_sample, truth, noise=inputs.noise, local_mean=local_mean, padded=padded
    )
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
    local_mean: bool = False,
    padded: bool = False,
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
    local_mean : bool
        Know the mean of the truth's periodogram over 3 x 3 coefficients alone.
    padded : bool
        On a grid with a margin, so that the frame has no neighbour across it.

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
    mean = float(truth.mean(dtype=np.float64))
    rows, columns = (_margin(size) if padded else 0 for size in truth.shape)
    spectrum = _spectrum(continued(truth.astype(np.float64) - mean, rows, columns), local_mean)
    deviation = np.pad(summed - np.float32(mean) * visits, ((0, rows), (0, columns)))
    expected = np.pad(truth, ((0, rows), (0, columns)), mode="edge")
    variance = np.maximum(expected if noise == "poisson" else expected**2, _FLOOR) / electrons_per_sample
    precision = np.pad(visits, ((0, rows), (0, columns))) / variance
    power, weighted, seen = (
        torch.tensor(a, dtype=torch.float32, device=device) for a in (spectrum, deviation / variance, precision)
    )
    left = torch.fft.rfft2(weighted, norm="ortho")
    estimate, _ = posterior_mean(seen, left, power, torch.zeros_like(left), steps)
    whole = torch.fft.irfft2(estimate, s=precision.shape, norm="ortho") + mean
    image: Image = whole[: truth.shape[0], : truth.shape[1]].cpu().numpy().copy()
    return image


def _margin(size: int) -> int:
    """Pixels of the margin on a side, which make it good to transform."""
    least = min(_MARGIN, size // 4)
    return min(smooth_size(size + least, even=True) - size, size)


def _spectrum(deviation: npt.NDArray[np.float64], local_mean: bool) -> npt.NDArray[np.float64]:
    """Half of the periodogram, or of its mean over neighbours."""
    power: npt.NDArray[np.float64] = np.abs(np.fft.fft2(deviation, norm="ortho")) ** 2
    if local_mean:
        from scipy.ndimage import uniform_filter

        power = np.maximum(uniform_filter(power, 3, mode="wrap"), 0.0)
    return power[:, : power.shape[1] // 2 + 1]
