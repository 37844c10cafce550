"""Features of the full-grid network: the Fourier analysis of a scan, and what the samples say beyond it.

The network corrects the Fourier empirical-Bayes estimate (`stemscan.recon.fourier_eb`), which plays the part that the
low-pass of equations 10 and 11 plays in the paper: the frequency-domain initial reconstruction, here on the absolute
scale and divided by the sampling density. All differences are in units of the error that the estimate predicts of
itself, so that one network serves every dose, sampling ratio and number of passes. (S, V) enters whole: it is a
sufficient statistic of Poisson counts of a specimen that stands still.

Features lie on a grid of factor 2; a feature of the scan grid is four channels, one for each phase (row and column even
or odd) of the 2 x 2 pixels. Sides are continued to multiples of 16 scan pixels: nothing was visited there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stemscan.recon.fourier_eb.analysis import FourierAnalysis, analyse
from stemscan.recon.inputs.grids import bin_mean, coarse_shape, upsample, upsample_linear
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Image, Noise

__all__ = ["CHANNELS", "MULTIPLE", "PHASES", "VISIT_CHANNELS", "Analyse", "Features", "features"]


PHASES: Final = 4
"""Scan pixels per pixel of the features."""

CHANNELS: Final = 21
"""Phases of estimate, residual and precision; four differences of estimates; error; two residual means; two scalars."""

VISIT_CHANNELS: Final = (8, 9, 10, 11, 17, 18)
"""Which of them say more of the visits than that a residual is zero where there was none: precision, residual means."""

MULTIPLE: Final = 16
"""Sides of the continued scan grid are multiples of it."""

_FACTOR: Final = 2
_WIDTHS: Final = (1.0, 2.0)  # of the Gaussians that gather residuals, in pixels of the features
_FLOOR: Final = 0.1  # least variance of a sample, over the mean one
_CLIP: Final = 8.0


class Analyse(Protocol):
    """An analysis of a scan; see `stemscan.recon.fourier_eb.analysis.analyse`."""

    def __call__(
        self,
        summed: Image,
        visits: Image,
        electrons_per_sample: float,
        *,
        noise: Noise = "poisson",
        signed: bool = False,
        device: str = "cpu",
    ) -> FourierAnalysis:
        """Analyse S and V."""
        ...


@dataclass(frozen=True, eq=False)
class Features:
    """A scan as the network sees it, and how to come back from what it puts out.

    Attributes
    ----------
    channels : Tensor of float32, (CHANNELS, h, w)
        h and w are half of the continued sides.
    estimate : Tensor of float32, (2 h, 2 w)
        Fourier estimate on the continued scan grid, on the absolute scale, not clipped.
    std : Tensor of float32, (h, w)
        Its standard deviation.
    unit : float
        Root mean square of `std`: the unit of the network's correction.
    shape : (int, int)
        H and W of the scan grid.
    """

    channels: Tensor
    estimate: Tensor
    std: Tensor
    unit: float
    shape: tuple[int, int]
    analysis: FourierAnalysis


def features(
    summed: Image,
    visits: Image,
    electrons_per_sample: float,
    *,
    noise: Noise = "poisson",
    signed: bool = False,
    device: str = "cpu",
    analyse: Analyse = analyse,
) -> Features:
    """Analyse a scan and make the network's input.

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
    signed : bool
        The signal may be negative (standardised images, only under "eq5").
    device : str
        A torch device, on which the result lies.
    analyse : callable
        Makes the initial reconstruction; another one than the Fourier estimate is for an ablation.

    Raises
    ------
    ReconError
        When an argument is out of range.
    """
    found = analyse(summed, visits, electrons_per_sample, noise=noise, signed=signed, device=device)
    shape = (summed.shape[0], summed.shape[1])
    unit = max(float(np.sqrt(np.mean(found.std.astype(np.float64) ** 2))), 1e-6)
    estimate = _continued(torch.from_numpy(upsample(found.image, found.factor, shape)).to(device))
    std = _halved(_at_half(found.std, found.factor, shape, linear=True), device)
    sums, times = (_continued(torch.tensor(one, device=device), zero=True) for one in (summed, visits))
    spread = (estimate.clamp(min=0) if noise == "poisson" else estimate**2) / electrons_per_sample
    if noise == "poisson":
        spread += read_variance(summed, visits)
    spread = spread.clamp_(min=_FLOOR * found.variance)
    residual, precision, snr = _of_samples(sums, times, estimate, spread, unit)
    inside = estimate[: shape[0], : shape[1]]
    mean, contrast = float(inside.mean()), math.sqrt(float(inside.var(correction=0)) + unit**2)
    differences = [_halved(_at_half(part - found.image, found.factor, shape), device) / unit for part in _four(found)]
    scalars = [torch.full_like(std, math.log(unit / contrast)), torch.full_like(std, math.log(snr))]
    channels = torch.cat(
        [
            _phases((estimate - mean) / contrast),
            _phases(residual),
            _phases(precision),
            torch.stack([*differences, torch.log(std / unit).clamp_(-3, 3)]),
            _gathered(sums - times * estimate, times, std, found.variance) / unit,
            torch.stack(scalars),
        ]
    )
    return Features(channels, estimate, std, unit, shape, found)


def _four(found: FourierAnalysis) -> list[Image]:
    """The stationary estimate and three windowed ones; the estimate itself stands for those that there are not."""
    parts = [found.pilot, *found.parts]
    return parts + [found.image] * (4 - len(parts))


def _of_samples(
    sums: Tensor, times: Tensor, estimate: Tensor, spread: Tensor, unit: float
) -> tuple[Tensor, Tensor, float]:
    """Residual of the samples weighted by their precision, their precision, and the mean ratio of signal to noise.

    All on the scan grid: q = unit sqrt(V / var) over its mean where visited, and q times the residual in its own
    standard deviations.
    """
    certain = torch.sqrt(times / spread)
    visited = times.clamp(max=1).sum(dtype=torch.float64).float()
    mean = float(certain.sum() / visited)
    precision = certain / mean
    residual = (sums - times * estimate) / torch.sqrt(torch.where(times > 0, times, 1.0) * spread)
    return precision * residual.clamp_(-_CLIP, _CLIP), precision, unit * mean


def _gathered(residual: Tensor, times: Tensor, std: Tensor, variance: float) -> Tensor:
    """Residual means over Gaussian neighbourhoods, shrunk by what the estimate's own error says; (2, h, w)."""
    both = functional.avg_pool2d(torch.stack([residual, times]), _FACTOR) * _FACTOR**2
    smooth = []
    for width in _WIDTHS:
        near = _blurred(both, width) * (4 * math.pi * width**2)
        smooth.append(near[0] / (near[1] + variance / std**2))
    return torch.stack(smooth)


def _blurred(stack: Tensor, width: float) -> Tensor:
    """Gaussian filter of (N, h, w), nothing beyond the border.

    Sums of shifted images: a convolution of one channel takes torch ten times as long.
    """
    reach = math.ceil(3 * width)
    weights = [math.exp(-((place / width) ** 2) / 2) for place in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in (1, 2):
        length = stack.shape[axis]
        blurred = stack * (weights[0] / total)
        for place in range(1, min(reach, length - 1) + 1):
            near, far = stack.narrow(axis, 0, length - place), stack.narrow(axis, place, length - place)
            blurred.narrow(axis, place, length - place).add_(near, alpha=weights[place] / total)
            blurred.narrow(axis, 0, length - place).add_(far, alpha=weights[place] / total)
        stack = blurred
    return stack


def _at_half(image: Image, factor: int, shape: tuple[int, int], *, linear: bool = False) -> Image:
    """An image of the analysis's grid on the grid of factor 2."""
    if factor == _FACTOR:
        return image
    if factor < _FACTOR:
        return bin_mean(image, _FACTOR // factor)
    return (upsample_linear if linear else upsample)(image, factor // _FACTOR, coarse_shape(shape, _FACTOR))


def _halved(image: Image, device: str) -> Tensor:
    """An image of factor 2 as a tensor, continued."""
    return _continued(torch.from_numpy(np.ascontiguousarray(image)).to(device), multiple=MULTIPLE // _FACTOR)


def _continued(image: Tensor, *, zero: bool = False, multiple: int = MULTIPLE) -> Tensor:
    """An image with its far sides continued by their last pixel, or by zeros, to a multiple."""
    bottom, right = (-size % multiple for size in image.shape)
    if not (bottom or right):
        return image
    if zero:
        return functional.pad(image, (0, right, 0, bottom))
    return functional.pad(image[None, None], (0, right, 0, bottom), mode="replicate")[0, 0]


def _phases(image: Tensor) -> Tensor:
    """(2 h, 2 w) to (4, h, w)."""
    return functional.pixel_unshuffle(image[None, None], _FACTOR)[0]
