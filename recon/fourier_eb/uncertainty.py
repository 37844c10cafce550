"""Standard deviation of a Fourier empirical-Bayes estimate, pixel by pixel, from the model alone.

In white noise of level s the posterior variance of a stationary process is f(s) = mean_k P_k s / (P_k + s). Noise is
not the same everywhere: it is larger where the specimen is bright, fewer samples fell, or the scan ended. The filter
with gains g = P / (P + s) gathers what it knows of pixel i with the weights h^2, its squared impulse response, and so
the level at i follows from the precision V / var gathered with these weights,

    s_i = sum_j h_j^2 / sum_j h_(i - j)^2 V_j / var_j + leak

leak being what random sampling adds. A lattice has a response that reaches across the whole image, and a hole in the
scan is bridged; in a smooth image the response is short, and a hole is unknown. Where s_i is above s the estimate is
the best for it, and the variance is f(s_i); where it is below, the gains stay those for s, and the variance is the
tangent of f at s.

Nothing here is fitted to a truth. The spectrum P, not the estimate's own power, enters: it allows for coefficients that
were shrunk to nothing, and f(s) predicts the mean squared error.
"""

from __future__ import annotations

import math

import torch

from stemscan.recon.fourier_eb.conjugate_gradients import half_weights

__all__ = ["standard_deviation"]

_LEAST_PRECISION = 1e-3  # over the mean one: less is nothing
_TABLE = 17


def standard_deviation(
    power: torch.Tensor,
    noise: float,
    leak: float,
    precision: torch.Tensor,
) -> torch.Tensor:
    """Standard deviation of the estimate's error.

    Parameters
    ----------
    power : Tensor of float32, (H, W // 2 + 1)
        P of the deviation from the mean signal, on the torus.
    noise : float
        s, mean level of the noise per pixel, above 0.
    leak : float
        Part of the level that is due to random sampling, 0 to `noise`.
    precision : Tensor of float32, (H, W)
        V over the variance of one sample at each pixel, on the torus.

    Returns
    -------
    Tensor of float32, (H, W)
    """
    shape = (int(precision.shape[0]), int(precision.shape[1]))
    band = power > 0
    columns = half_weights(shape[1], precision.device).expand_as(power)[band] / precision.numel()
    signal = power[band]
    gain = power / (power + noise)
    response = torch.fft.irfft2(torch.complex(gain, torch.zeros_like(gain)), s=shape) ** 2
    response /= response.sum().clamp(min=1e-30)
    gathered = torch.fft.irfft2(torch.fft.rfft2(precision) * torch.fft.rfft2(response), s=shape)
    level = 1 / gathered.clamp(min=_LEAST_PRECISION / noise) + leak
    at_noise = (columns * signal * noise / (signal + noise)).sum()
    slope = (columns * (signal / (signal + noise)) ** 2).sum()
    below = at_noise + slope * (level - noise)
    return torch.sqrt(torch.where(level < noise, below, _variance(signal, columns, noise, level)).clamp_(min=1e-14))


def _variance(signal: torch.Tensor, weights: torch.Tensor, noise: float, level: torch.Tensor) -> torch.Tensor:
    """f at every level, from a table over levels above the mean one."""
    steps = torch.linspace(0, 1, _TABLE, device=signal.device)
    levels = noise * (2 / _LEAST_PRECISION) ** steps
    table = torch.stack([(weights * signal * one / (signal + one)).sum() for one in levels])
    place = torch.log(level / noise).clamp_(min=0) * ((_TABLE - 1) / math.log(2 / _LEAST_PRECISION))
    lower = place.long().clamp_(max=_TABLE - 2)
    share = (place - lower).clamp_(max=1)
    return table[lower] * (1 - share) + table[lower + 1] * share
