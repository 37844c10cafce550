"""Windows that follow grains and interfaces: a locally stationary model on top of the global one.

The filter D cuts the image into overlapping Hann windows (stride a quarter of the width), weighs each window's
coefficients by g = P / (P + s) and puts them together again with the same taper. P is the window's own spectrum in the
pilot, the global estimate: the pilot has few noise spikes left, which is what makes a spectrum of a single window
usable. Windows of two widths and the whole image (gain from the pilot's spectrum) are averaged: D = (D_w + D_w/2 +
D_1) / 3 (without the narrower one on small grids), a symmetric positive operator with eigenvalues in [0, 1].

As a prior, D stands for the precision (D^-1 - 1) / s. With equal precision 1 / s at every pixel the posterior mean is
D y; for random sampling y = x + (S - V x) / mean V stands in for the image, x being the pilot: what the pilot left
unexplained, spread evenly. One application of D, a few batches of transforms, is then all (more conjugate-gradient
steps were measured to change the error by under 0.02 dB). Where precisions differ from pixel to pixel by more than
visits do, `refine` takes such steps: D itself is the preconditioner, so that D^-1 is never needed.

Windows lie on the torus of `stemscan.recon.fourier_eb.domain`, whose margin has no noise: a window has that of its part
in the image. They are taken a row of windows at a time, so that memory stays bounded. An axis too short for windows is
taken whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stemscan.recon.fourier_eb.domain import Axis, Domain

__all__ = ["WindowPrior", "has_windows"]

_OVERLAP = 4  # strides per window
_SCALES = (1, 2)  # divisors of the stride
_LEAST_SHARE = 1e-3  # of a window in the margin
_SHORTEST = 24  # strides are not divided below this: narrower windows lose more than they gain


def has_windows(domain: Domain) -> bool:
    """Tell whether the image is long enough for windows in at least one direction."""
    return bool(domain.rows.stride or domain.columns.stride)


@dataclass(frozen=True)
class _Cut:
    """Cut of one axis: `count` windows of `width`, one every `stride`, with a taper whose squares add up to one."""

    width: int
    stride: int
    count: int
    taper: torch.Tensor

    @classmethod
    def of(cls, axis: Axis, scale: int, device: torch.device) -> _Cut:
        """Windows on an axis; a single one without taper where it has no stride."""
        if not axis.stride:
            return cls(axis.size, axis.size, 1, torch.ones(axis.size, device=device))
        stride = axis.stride // scale if axis.stride // scale >= _SHORTEST else axis.stride
        width = _OVERLAP * stride
        taper = torch.hann_window(width, periodic=True, device=device)
        return cls(width, stride, axis.size // stride, taper / torch.sqrt((taper**2).sum() / stride))


class WindowPrior:
    """The filter D made from a pilot image.

    Parameters
    ----------
    pilot : Tensor of float32, (H, W)
        Deviation of the pilot from the mean signal, on the torus.
    noise : float
        s: variance of the noise to expect of each pixel of an image to be filtered, above 0; the margin has none.
    domain : Domain
        The torus.
    """

    def __init__(self, pilot: torch.Tensor, noise: float, domain: Domain) -> None:
        self._pilot = pilot
        self._noise = noise
        device = pilot.device
        self._cuts: list[tuple[_Cut, _Cut]] = []
        for scale in _SCALES if has_windows(domain) else ():
            rows, columns = _Cut.of(domain.rows, scale, device), _Cut.of(domain.columns, scale, device)
            if all((rows.width, columns.width) != (r.width, c.width) for r, c in self._cuts):
                self._cuts.append((rows, columns))
        spectrum = torch.fft.rfft2(pilot, norm="ortho")
        power = spectrum.real**2 + spectrum.imag**2
        self._gain = power / (power + noise * domain.share)
        self._inside = torch.zeros_like(pilot)
        self._inside[: domain.rows.length, : domain.columns.length] = 1

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """D image, for an image on the torus."""
        filtered = self._whole(image)
        for rows, columns in self._cuts:
            self._add_windows(filtered, image, rows, columns)
        return filtered.div_(1 + len(self._cuts))

    def parts(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Images of which D image is the mean: by the whole image's filter, then by the windows', wide and narrow."""
        filtered = [self._whole(image)]
        for rows, columns in self._cuts:
            filtered.append(torch.zeros_like(image))
            self._add_windows(filtered[-1], image, rows, columns)
        return tuple(filtered)

    def _whole(self, image: torch.Tensor) -> torch.Tensor:
        """The image filtered with the whole pilot's spectrum."""
        shape = (int(image.shape[0]), int(image.shape[1]))
        filtered: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * self._gain, s=shape)
        return filtered

    def refine(self, start: torch.Tensor, precision: torch.Tensor, weighted: torch.Tensor, steps: int) -> torch.Tensor:
        """Posterior mean under the prior (D^-1 - 1) / s for a precision that varies from pixel to pixel.

        Parameters
        ----------
        start : Tensor of float32, (H, W)
            Image whose filtered version is the start.
        precision, weighted : Tensor of float32, (H, W)
            W and W y as in `stemscan.recon.fourier_eb.conjugate_gradients`, for deviations from the mean signal.

        Returns
        -------
        Tensor of float32, (H, W)
        """
        scale = 1 / self._noise
        estimate = self.apply(start)
        residual = weighted - precision * estimate - scale * (start - estimate)
        direction = unfiltered = torch.zeros_like(estimate)
        size = torch.ones((), device=start.device)
        for step in range(steps):
            ahead = self.apply(residual) / scale
            following = (residual * ahead).sum()
            keep = following / size.clamp(min=1e-38) if step else torch.zeros_like(following)
            direction = ahead + keep * direction
            unfiltered = residual / scale + keep * unfiltered
            curved = scale * (unfiltered - direction) + precision * direction
            curvature = (direction * curved).sum()
            length = torch.where(curvature > 0, following / curvature.clamp(min=1e-38), 0.0)
            estimate = estimate + length * direction
            residual = residual - length * curved
            size = following
        return estimate

    def _add_windows(self, total: torch.Tensor, image: torch.Tensor, rows: _Cut, columns: _Cut) -> None:
        """Add the windowed filter of one scale to `total`."""
        taper = rows.taper[:, None] * columns.taper
        shape = (rows.width, columns.width)
        for line, pilot, windows, inside in self._window_rows(image, rows, columns):
            noise = self._noise * (taper**2 * inside).mean(dim=(1, 2), keepdim=True).clamp_(min=_LEAST_SHARE)
            local = torch.fft.rfft2(pilot * taper, norm="ortho")
            power = local.real**2 + local.imag**2
            spectrum = torch.fft.rfft2(windows * taper, norm="ortho")
            spectrum *= power / (power + noise)
            filtered = torch.fft.irfft2(spectrum, s=shape, norm="ortho").mul_(taper)
            total.index_add_(0, line, _overlap_add(filtered, columns, int(total.shape[1])))

    def _window_rows(
        self, image: torch.Tensor, rows: _Cut, columns: _Cut
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Row by row of windows: the rows they cover; windows (count, h, w) of pilot, image, and the image's place."""
        across = torch.arange(columns.width - columns.stride, device=image.device)
        offsets = torch.arange(rows.width, device=image.device)
        for number in range(rows.count):
            line = (number * rows.stride + offsets) % image.shape[0]
            pilot, windows, inside = (_unfold(one[line], across, columns) for one in (self._pilot, image, self._inside))
            yield line, pilot, windows, inside


def _unfold(strip: torch.Tensor, across: torch.Tensor, columns: _Cut) -> torch.Tensor:
    """Windows of a strip of rows, (count, rows, width), around the torus."""
    wrapped = torch.cat([strip, strip[:, across]], dim=1)
    return wrapped.unfold(1, columns.width, columns.stride).permute(1, 0, 2)


def _overlap_add(windows: torch.Tensor, columns: _Cut, size: int) -> torch.Tensor:
    """Put windows (count, rows, width) side by side again, adding where they overlap: (rows, size)."""
    count, rows, width = windows.shape
    if count == 1:
        return windows[0]
    parts = windows.reshape(count, rows, width // columns.stride, columns.stride)
    strip = torch.zeros((rows, count, columns.stride), device=windows.device)
    for part in range(width // columns.stride):
        strip += torch.roll(parts[:, :, part].permute(1, 0, 2), part, dims=1)
    return strip.reshape(rows, size)
