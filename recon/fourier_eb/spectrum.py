"""Power spectrum of a specimen from one noisy periodogram: the empirical-Bayes half of `stemscan.recon.fourier_eb`.

J_k, the periodogram over the noise level, is exponentially distributed about 1 + P_k / s. A single J_k says next to
nothing about P_k, and P_k = |X_k|^2 keeps every spike of the noise. What is known of micrographs: their spectra fall
off with radius, vary smoothly, and carry isolated peaks. So several means of J stand for the level T at k, each left
without k itself: over the ring of equal radius and over boxes of (2 m + 1)^2 neighbours. Their weights are posterior
probabilities, by how well each mean predicts the coefficients around k, with a prior that falls from coarse to fine.
On top, k may be a peak with a power of its own: a slab, log-uniform in power, against the spike that the means
predict.

The result is the Wiener gain averaged over these hypotheses, g = E[1 - 1 / T], and P = s g / (1 - g).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional

__all__ = ["SpectrumEstimator"]

_HALF_WIDTHS = (8, 4, 2, 1)  # boxes of 17, 9, 5 and 3 coefficients a side
_EVIDENCE = 2  # half width of the neighbourhood in which means are compared
_TEMPER = 0.5  # neighbouring coefficients share leakage: their likelihoods count half
_FINER = 1.0  # logarithm of the prior odds of a mean against the next finer one
_PEAKS = 1e-3  # prior probability of a peak
_DECADES = 10.0  # natural logarithm of the range of a peak's power
_RING_WIDTH = 1 / 64  # cycles per pixel
_ENOUGH = 100  # coefficients that a ring needs before its mean counts for the noise level
_FEWEST_RINGS = 4
_LEAST_FLOOR = 0.5
_SEEN = 0.6  # share of the floor seen in the noise level, the rest being what is foreseen
_LEAST_GAIN = 1e-4
_MOST_GAIN = 1 - 1e-6


class SpectrumEstimator:
    """Estimates power spectra on one grid.

    Only coefficients up to the band limit are looked at; all others have no power.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.
    limit : float
        Band limit in cycles per pixel of this image.
    """

    def __init__(self, shape: tuple[int, int], limit: float, device: torch.device) -> None:
        self.shape = shape
        self._rows = min(int(limit * shape[0]), (shape[0] - 1) // 2)
        self._columns = min(int(limit * shape[1]), (shape[1] - 1) // 2)
        row = torch.arange(-self._rows, self._rows + 1, device=device)
        column = torch.arange(self._columns + 1, device=device)
        radius = torch.sqrt((row[:, None] / shape[0]) ** 2 + (column / shape[1]) ** 2)
        self._inside = (radius <= limit).float()
        width = max(_RING_WIDTH, 1.5 / max(shape))
        self._ring = (radius / width).long().ravel()
        self._rings = int(self._ring.max()) + 1
        weight = torch.where(column == 0, 1.0, 2.0).expand_as(radius) * self._inside
        self._weight = weight.reshape(-1)
        self._ring_count = self._sum_rings(torch.ones_like(self._weight)).clamp_(min=1e-6)

    def power(self, periodogram: torch.Tensor, noise: float) -> torch.Tensor:
        """Estimate the power spectrum.

        Parameters
        ----------
        periodogram : Tensor of float32, (H, W // 2 + 1)
            Squared absolute values of an orthonormal `rfft2` of signal plus white noise.
        noise : float
            Expected periodogram of the noise, above 0.

        Returns
        -------
        Tensor of float32, (H, W // 2 + 1)
            Expected squared absolute values of the signal's transform: above 0 inside the band, 0 outside.
        """
        level = self._crop(periodogram) / noise
        gain = self._gain(level).clamp_(_LEAST_GAIN, _MOST_GAIN)
        return self._uncrop(noise * gain / (1 - gain) * self._inside)

    def noise_level(self, periodogram: torch.Tensor, foreseen: float) -> float:
        """Level of the noise in a periodogram of an image that was itself fitted to the noise.

        What is foreseen of visits and counts is too much, for the fit has taken noise out of the residual. The median
        ring of the outer two thirds of the band is too little, for it counts what the fit took as if it had never
        been noise at all. The level lies between.

        Parameters
        ----------
        periodogram : Tensor of float32, (H, W // 2 + 1)
        foreseen : float
            Upper bound, above 0; taken where the band is too small to see.
        """
        means = self._sum_rings(self._crop(periodogram).reshape(-1)) / self._ring_count
        means = means[self._ring_count > _ENOUGH]
        if len(means) < _FEWEST_RINGS:
            return foreseen
        floor = float(means[len(means) // 3 :].median())
        floor = min(max(floor, _LEAST_FLOOR * foreseen), foreseen)
        return _SEEN * floor + (1 - _SEEN) * foreseen

    def _gain(self, level: torch.Tensor) -> torch.Tensor:
        """Wiener gain of each coefficient, averaged over the hypotheses."""
        means = [self._ring_mean(level)]
        wide = self._widened(level, max(_HALF_WIDTHS))
        for half_width in _HALF_WIDTHS:
            mean = self._others_mean(wide, level, half_width)
            if mean is not None:
                means.append(mean)
        stack = torch.stack(means).clamp_(min=1 + _LEAST_GAIN)
        weights = self._weights(level, stack)
        rate = 1 / stack
        inverse = (weights * rate).sum(0)
        smooth_gain = 1 - inverse
        spike = (weights * rate * torch.exp(-(level * rate).clamp_(max=80.0))).sum(0)
        slab = -torch.expm1(-level * inverse) / level.clamp(min=1e-12) * (_PEAKS / _DECADES)
        slab = torch.where(level > 1e-6, slab, inverse * (_PEAKS / _DECADES))
        peak = slab / (slab + (1 - _PEAKS) * spike)
        peak_gain = torch.maximum(1 - 1 / level.clamp(min=1.0), smooth_gain)
        return peak * peak_gain + (1 - peak) * smooth_gain

    def _weights(self, level: torch.Tensor, stack: torch.Tensor) -> torch.Tensor:
        """Posterior probabilities of the means, (means, rows, columns)."""
        likelihood = (-torch.log(stack) - level / stack).clamp_(min=-30.0)
        evidence = self._others_sum(self._widened(likelihood, _EVIDENCE), likelihood, _EVIDENCE) * _TEMPER
        evidence -= _FINER * torch.arange(len(stack), device=level.device)[:, None, None]
        return torch.softmax(evidence, dim=0)

    def _sum_rings(self, values: torch.Tensor) -> torch.Tensor:
        """Weighted sum of flat values over each ring."""
        total = torch.zeros(self._rings, device=values.device)
        return total.scatter_add_(0, self._ring, values * self._weight)

    def _ring_mean(self, level: torch.Tensor) -> torch.Tensor:
        """Mean over the ring to which a coefficient belongs."""
        mean = self._sum_rings(level.reshape(-1)) / self._ring_count
        return mean[self._ring].reshape(level.shape)

    def _others_mean(self, wide: torch.Tensor, level: torch.Tensor, half_width: int) -> torch.Tensor | None:
        """Mean over a box without its centre; None where the box is the centre alone."""
        rows, columns = self._box(half_width)
        number = (2 * rows + 1) * (2 * columns + 1)
        return None if number == 1 else (self._others_sum(wide, level, half_width) / (number - 1)).clamp_(min=0.0)

    def _others_sum(self, wide: torch.Tensor, values: torch.Tensor, half_width: int) -> torch.Tensor:
        """Sum over a box less its centre, (..., rows, columns), of values and what `_widened` made of them."""
        for axis, reach in zip((-1, -2), reversed(self._box(half_width)), strict=True):
            spare = (wide.shape[axis] - values.shape[axis]) // 2 - reach
            wide = _moving_sum(wide.narrow(axis, spare, wide.shape[axis] - 2 * spare), 2 * reach + 1, axis)
        return wide - values

    def _widened(self, values: torch.Tensor, half_width: int) -> torch.Tensor:
        """Values with what boxes reach beyond them: the spectrum's other half by symmetry, its border repeated."""
        rows, columns = self._box(half_width)
        mirrored = torch.flip(values[..., 1 : columns + 1], (-2, -1))
        wide = torch.cat([mirrored, values], -1).reshape(-1, 1, values.shape[-2], values.shape[-1] + columns)
        wide = functional.pad(wide, (0, columns, rows, rows), mode="replicate")
        return wide.reshape(*values.shape[:-2], *wide.shape[-2:])

    def _box(self, half_width: int) -> tuple[int, int]:
        """Half widths that the crop has room for."""
        return min(half_width, self._rows), min(half_width, self._columns)

    def _crop(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The band's coefficients, rows from the most negative frequency up."""
        kept = spectrum[:, : self._columns + 1]
        return torch.cat([kept[self.shape[0] - self._rows :], kept[: self._rows + 1]])

    def _uncrop(self, band: torch.Tensor) -> torch.Tensor:
        """Back into a half spectrum of zeros."""
        full = torch.zeros((self.shape[0], self.shape[1] // 2 + 1), device=band.device)
        full[: self._rows + 1, : self._columns + 1] = band[self._rows :]
        if self._rows:
            full[-self._rows :, : self._columns + 1] = band[: self._rows]
        return full

    def __repr__(self) -> str:
        return f"SpectrumEstimator({self.shape}, {math.prod(self._inside.shape)} coefficients)"


def _moving_sum(values: torch.Tensor, width: int, axis: int) -> torch.Tensor:
    """Sums of `width` neighbours along an axis, which gets shorter by width - 1.

    By sums of 2, 4, 8 ... neighbours: a box filter of torch takes ten times as long.
    """
    number = values.shape[axis] - width + 1
    total: torch.Tensor | None = None
    first, doubled = 0, 1
    while True:
        if width & doubled:
            part = values.narrow(axis, first, number)
            total = part if total is None else total + part
            first += doubled
        if 2 * doubled > width:
            break
        rest = values.shape[axis] - doubled
        values = values.narrow(axis, 0, rest) + values.narrow(axis, doubled, rest)
        doubled *= 2
    assert total is not None
    return total
