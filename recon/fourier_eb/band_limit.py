"""Band limit of the specimen, found in the samples: the band limit, and the coarsest grid that keeps it.

F(S - m V), the transform of the summed counts less their mean, holds the specimen's spectrum times the mean number of
visits, on a floor that counting noise and random sampling make nearly white. Rings of equal radius are compared with
that floor: a ring belongs to the signal when its mean power or its strongest coefficient stands out beyond chance.
The band limit lies well beyond the outermost such ring, for weaker signal goes on there; it keeps noise and work out of
the part of the spectrum where nothing can be.

Binning f x f pixels loses where in its bin a sample lay: the signal's variance inside a bin becomes noise. From the
spectrum's part above the floor that variance is sum_k P_k (1 - sinc^2), and the coarsest grid is taken on which it
stays a small part of a single sample's noise and which holds every peak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["FACTORS", "Band", "find_band"]

FACTORS = (4, 2, 1)

Rings = npt.NDArray[np.float64]

_RINGS = 72
_OUTERMOST = 0.72  # cycles per pixel, just beyond the corner of the spectrum
_LOWEST_LIMIT = 0.03  # cycles per pixel: slower than that everything is kept
_MARGIN = 3.0  # band limit over the outermost ring found: weaker signal goes on beyond
_ROOM = {4: 0.2, 2: 0.9}  # part of a grid's Nyquist frequency that the outermost peak may reach
_BINNING_NOISE = 0.15  # variance inside bins over a sample's noise variance
_SIGMAS = 8.0  # of independent coefficients; the taper makes neighbours dependent, which doubles deviations of means
_TOLERANCE = 0.08  # random sampling in blocks is not quite white
_PEAK_MARGIN = 7.0  # natural logarithm of the odds against a false peak


@dataclass(frozen=True)
class Band:
    """Extent of the spectrum, as far as the samples tell.

    Attributes
    ----------
    limit : float
        Band limit in cycles per scan pixel.
    factor : int
        Coarsest binning that keeps the band: 4, 2 or 1.
    bin_variances : dict of int to float
        Signal variance inside bins by factor, on the squared signal scale.
    """

    limit: float
    factor: int
    bin_variances: dict[int, float]

    def __str__(self) -> str:
        return f"{self.limit:.3f} cycles per pixel, factor {self.factor}"


def find_band(summed: torch.Tensor, visits: torch.Tensor, mean: float, noise_variance: float) -> Band:
    """Find the band limit and the grid.

    Parameters
    ----------
    summed, visits : Tensor of float32, (H, W)
        S and V on the scan grid.
    mean : float
        Mean signal of the samples.
    noise_variance : float
        Mean variance of a single sample about its expectation, on the squared signal scale.
    """
    height, width = summed.shape
    per_pixel = float(visits.mean())
    taper = _taper(height, summed.device)[:, None] * _taper(width, summed.device)
    spectrum = torch.fft.rfft2((summed - mean * visits) * taper, norm="ortho")
    power = (spectrum.real**2 + spectrum.imag**2) / per_pixel**2
    rows = torch.fft.fftfreq(height, device=summed.device)
    columns = torch.fft.rfftfreq(width, device=summed.device)
    radius = torch.sqrt(rows[:, None] ** 2 + columns**2)
    ring = (radius * (_RINGS / _OUTERMOST)).long().clamp_(max=_RINGS - 1).ravel()
    count, mean_power, strongest = _rings(ring, power.ravel())
    floor = _floor(count, mean_power)
    if floor <= 0:
        return Band(_LOWEST_LIMIT, FACTORS[0], dict.fromkeys(FACTORS, 0.0))
    diffuse, peaks = _outermost(count, mean_power / floor, strongest / floor)
    outermost = max(diffuse, peaks)
    limit = min(max(_MARGIN * outermost, _LOWEST_LIMIT), _OUTERMOST)
    known = torch.from_numpy(mean_power / floor > 1 + _TOLERANCE).to(summed.device)[ring].reshape(power.shape)
    known &= radius <= outermost
    peak = power > floor * (np.log(max(power.numel(), 2)) + _PEAK_MARGIN)
    excess = torch.where(known | peak, power - floor, 0.0)
    excess[:, 1:] *= 2.0
    variances = {f: max(_inside_bins(excess, rows, columns, f), 0.0) / (height * width) for f in FACTORS}
    factor = _coarsest(diffuse, peaks, variances, noise_variance)
    return Band(min(limit, _OUTERMOST / factor), factor, variances)


def _taper(length: int, device: torch.device) -> torch.Tensor:
    """Hann taper with mean square 1, so that edges do not leak all over the spectrum; none for a single pixel."""
    if length == 1:
        return torch.ones(1, device=device)
    taper = torch.hann_window(length + 1, periodic=False, device=device)[:-1] + 1e-6
    return taper / torch.sqrt((taper**2).mean())


def _rings(ring: torch.Tensor, power: torch.Tensor) -> tuple[Rings, Rings, Rings]:
    """Number, mean power and largest power of each ring's coefficients; the zero frequency, removed, does not count."""
    ring, power = ring[1:], power[1:]
    count = torch.zeros(_RINGS, device=power.device).scatter_add_(0, ring, torch.ones_like(power))
    total = torch.zeros(_RINGS, device=power.device).scatter_add_(0, ring, power)
    strongest = torch.zeros(_RINGS, device=power.device).scatter_reduce_(0, ring, power, "amax")
    number = count.cpu().numpy().astype(np.float64)
    return number, total.cpu().numpy() / np.maximum(number, 1), strongest.cpu().numpy().astype(np.float64)


def _floor(count: Rings, mean_power: Rings) -> float:
    """Level of the noise: near the median of the rings that hold enough coefficients to know."""
    enough = count >= min(200, count.max())
    return float(np.quantile(mean_power[enough], 0.4)) if enough.any() else 0.0


def _outermost(count: Rings, mean_power: Rings, strongest: Rings) -> tuple[float, float]:
    """Outer radii, in cycles per pixel, of the last rings whose mean, and whose strongest coefficient, beat chance."""
    deviation = np.maximum(_SIGMAS / np.sqrt(np.maximum(count, 1)), _TOLERANCE)
    diffuse = (count > 0) & (mean_power > 1 + deviation)
    peaks = (count > 0) & (strongest > np.log(max(count.sum(), 2)) + _PEAK_MARGIN)
    last = [float(np.flatnonzero(found).max(initial=-1)) + 1 for found in (diffuse, peaks)]
    return last[0] * _OUTERMOST / _RINGS, last[1] * _OUTERMOST / _RINGS


def _inside_bins(power: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, factor: int) -> float:
    """Sum over the spectrum of power that averaging factor x factor pixels takes away."""
    kept = _bin_response(rows, factor)[:, None] ** 2 * _bin_response(columns, factor) ** 2
    return float((power * (1 - kept)).sum())


def _bin_response(frequency: torch.Tensor, factor: int) -> torch.Tensor:
    """Transfer of a mean over `factor` neighbours."""
    if factor == 1:
        return torch.ones_like(frequency)
    denominator = factor * torch.sin(torch.pi * frequency)
    ratio = torch.sin(torch.pi * frequency * factor) / torch.where(denominator == 0, 1.0, denominator)
    return torch.where(denominator == 0, 1.0, ratio)


def _coarsest(diffuse: float, peaks: float, variances: dict[int, float], noise_variance: float) -> int:
    """The largest factor that holds the peaks and adds little noise; the largest of all only for very smooth images."""
    for factor in FACTORS[:-1]:
        reaches = max(diffuse, peaks) if factor > 2 else peaks
        if reaches <= _ROOM[factor] * 0.5 / factor and variances[factor] <= _BINNING_NOISE * noise_variance:
            return factor
    return 1
