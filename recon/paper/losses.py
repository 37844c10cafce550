"""Equations 15 to 17: the loss that trains FSHNet, discrepancy, structure guidance and total variation.

The guidance compares the edges of the network's image with those of the global structure (equation 12), and has a
gradient: the mask of equation 17 multiplies the filter's response (`edges`). The published code thresholds the response
to 0 and 1 instead, which leaves that term without any influence on training. The filter is taken in the image's own
unit here (its centre weight is 1): the paper gives no scale, and with the integer filter the guidance is some forty
times the discrepancy, so that the network learns the structure instead of the image. Total variation is the
anisotropic one, of absolute differences; the published code squares them, which punishes edges more than ripples.

All of it is computed in at least single precision, whatever precision the network ran in: the filter's weights cancel
each other, and 8 bits of mantissa would leave noise of the image's size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stemscan.errors import ReconError
from stemscan.recon.paper.edges import edges

__all__ = ["GUIDANCE", "VARIATION", "LossParts", "fshnet_loss", "guidance_loss", "total_variation"]

GUIDANCE = 0.2
"""The paper's lambda_1."""

VARIATION = 0.01
"""The paper's lambda_2."""


_FILTER_SCALE = 16.0  # centre weight of the integer filter in `edges`


class LossParts(NamedTuple):
    """The loss of equation 15 and its three parts before they are weighted; scalars, all with their gradient."""

    total: Tensor
    discrepancy: Tensor
    guidance: Tensor
    variation: Tensor


def fshnet_loss(
    estimate: Tensor,
    reference: Tensor,
    structure: Tensor | None,
    guidance_weight: float = GUIDANCE,
    variation_weight: float = VARIATION,
) -> LossParts:
    """Equation 15: MSE(Z, X) + lambda_1 MSE(T_edge(S), T_edge(X)) + lambda_2 TV(X), means over the batch.

    Parameters
    ----------
    estimate : Tensor of float, (N, 1, h, w)
        X, the network's output.
    reference : Tensor of float, (N, 1, h, w)
        Z, the truth on the same grid and scale.
    structure : Tensor of float, (N, 1, h, w), or None
        S of equation 12 on the same grid and scale; None leaves the guidance out (the ablation without structure
        prior), whose part is then 0.
    guidance_weight, variation_weight : float
        lambda_1 and lambda_2.

    Raises
    ------
    ReconError
        When the shapes differ or are not those of images of one channel.
    """
    _check(estimate, reference, structure)
    with torch.autocast(estimate.device.type, enabled=False):
        image, truth = _single(estimate), _single(reference)
        discrepancy = functional.mse_loss(image, truth)
        guidance = image.new_zeros(()) if structure is None else guidance_loss(image, _single(structure))
        variation = total_variation(image)
        total = discrepancy + guidance_weight * guidance + variation_weight * variation
    return LossParts(total, discrepancy, guidance, variation)


def guidance_loss(estimate: Tensor, structure: Tensor) -> Tensor:
    """L_gui of equation 16: mean squared difference of the edges; the structure's carry no gradient.

    Parameters
    ----------
    estimate, structure : Tensor of float, (N, 1, h, w)
    """
    return functional.mse_loss(edges(estimate), edges(structure.detach())) / _FILTER_SCALE**2


def total_variation(image: Tensor) -> Tensor:
    """L_reg of equation 16, anisotropic: mean absolute difference of vertical neighbours plus that of horizontal ones.

    Parameters
    ----------
    image : Tensor of float, (N, 1, h, w)

    Returns
    -------
    Tensor of float, scalar
        0 along an axis of a single pixel.
    """
    zero = image.new_zeros(())
    vertical = torch.diff(image, dim=2).abs().mean() if image.shape[2] > 1 else zero
    horizontal = torch.diff(image, dim=3).abs().mean() if image.shape[3] > 1 else zero
    return vertical + horizontal


def _single(image: Tensor) -> Tensor:
    """In single precision at least."""
    return image.to(torch.promote_types(image.dtype, torch.float32))


def _check(estimate: Tensor, reference: Tensor, structure: Tensor | None) -> None:
    """Refuse shapes that would broadcast into a number without meaning."""
    shapes = [tuple(image.shape) for image in (estimate, reference, structure) if image is not None]
    if len(set(shapes)) > 1 or estimate.ndim != 4 or estimate.shape[1] != 1:
        raise ReconError(
            f"expected estimate, reference and structure of one shape (N, 1, h, w), got {', '.join(map(str, shapes))}; "
            "bring them to the grid of the estimate"
        )
