"""Posterior mean of a Gaussian process sampled at some pixels, by preconditioned conjugate gradients in Fourier space.

Minimises sum_i W_i (y_i - x_i)^2 + sum_k |X_k|^2 / P_k over x. W is a precision per pixel, zero where not visited. With
the orthonormal transform F the normal equations are (1 / P + F W F*) X = F (W y); preconditioned by the diagonal
(1 / P + mean W), their eigenvalues lie between 0 and max W / mean W whatever the spectrum's range. One step takes one
pair of transforms, and no other is taken: what a run leaves of the data is where the next one, with another P, begins.
"""

from __future__ import annotations

import torch

__all__ = ["half_weights", "inner", "posterior_mean"]


def half_weights(columns: int, device: torch.device) -> torch.Tensor:
    """Times that each column of a half spectrum stands in the full one: 2, but 1 at frequency 0 and at Nyquist."""
    weights = torch.full((columns // 2 + 1,), 2.0, device=device)
    weights[0] = 1.0
    if columns % 2 == 0:
        weights[-1] = 1.0
    return weights


def inner(first: torch.Tensor, second: torch.Tensor, columns: int) -> float:
    """Inner product over the full spectrum of two half spectra (rows, columns // 2 + 1) of a real image.

    `columns` is the number of the image's columns.
    """
    total = 2 * torch.vdot(first.reshape(-1), second.reshape(-1)).real.item()
    total -= torch.vdot(first[:, 0], second[:, 0]).real.item()
    if columns % 2 == 0:
        total -= torch.vdot(first[:, -1], second[:, -1]).real.item()
    return float(total)


def posterior_mean(
    precision: torch.Tensor,
    unexplained: torch.Tensor,
    power: torch.Tensor,
    start: torch.Tensor,
    steps: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Iterate towards the posterior mean.

    Parameters
    ----------
    precision : Tensor of float32, (H, W)
        W, at least 0.
    unexplained : Tensor of complex64, (H, W // 2 + 1)
        F (W y - W x), what the start leaves of the data; y is the measured deviation from the mean signal.
    power : Tensor of float32, (H, W // 2 + 1)
        P, at least 0.
    start : Tensor of complex64, (H, W // 2 + 1)
        X to start from, 0 where P is 0; such coefficients stay 0.

    Returns
    -------
    tuple of Tensor of complex64, (H, W // 2 + 1)
        X, and what it leaves of the data, F (W y - W x).
    """
    shape = (int(precision.shape[0]), int(precision.shape[1]))
    band = power > 0
    inverse = torch.where(band, 1 / power.clamp(min=1e-30), 0.0)
    preconditioner = power / (1 + precision.mean() * power)

    def forward(spectrum: torch.Tensor) -> torch.Tensor:
        """F W F* of a half spectrum."""
        image = torch.fft.irfft2(spectrum, s=shape, norm="ortho")
        seen: torch.Tensor = torch.fft.rfft2(image.mul_(precision), norm="ortho")
        return seen

    # Outside the band the preconditioner is zero: whatever the residual holds there has no effect.
    estimate = start.clone()
    residual = unexplained - estimate * inverse
    ahead = preconditioner * residual
    direction = ahead.clone()
    size = inner(residual, ahead, shape[1])
    for _ in range(steps):
        curved = forward(direction).addcmul_(direction, inverse)
        curvature = inner(direction, curved, shape[1])
        if not (size > 0 and curvature > 0):
            break
        estimate.add_(direction, alpha=size / curvature)
        residual.sub_(curved, alpha=size / curvature)
        torch.mul(preconditioner, residual, out=ahead)
        following = inner(residual, ahead, shape[1])
        direction.mul_(following / size).add_(ahead)
        size = following
    return estimate, residual.addcmul_(estimate, inverse)
