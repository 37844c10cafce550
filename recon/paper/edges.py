"""Equation 17: edges, the positive part of a Laplacian of Gaussian.

The mask M of the equation is 0 where the response of the filter is not positive; it multiplies the response and is a
constant to the gradient, so that the loss of equation 16 pulls on every pixel where there is an edge. (A response that
is thresholded to 0 and 1 instead, as in the published code, has no gradient at all.) Written for torch, because it is
needed where gradients are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["edge_mask", "edges", "laplacian_of_gaussian"]

_KERNEL = (
    (0.0, 0.0, -1.0, 0.0, 0.0),
    (0.0, -1.0, -2.0, -1.0, 0.0),
    (-1.0, -2.0, 16.0, -2.0, -1.0),
    (0.0, -1.0, -2.0, -1.0, 0.0),
    (0.0, 0.0, -1.0, 0.0, 0.0),
)


def laplacian_of_gaussian(image: Tensor) -> Tensor:
    """T_LoG: the common 5 x 5 integer filter, positive on bright spots; borders are continued by their last pixel.

    Parameters
    ----------
    image : Tensor of float, (N, 1, H, W)

    Returns
    -------
    Tensor of the image's dtype and shape
        In 16 times the image's unit; 0 where the image is constant.
    """
    kernel = torch.tensor(_KERNEL, dtype=image.dtype, device=image.device)[None, None]
    return functional.conv2d(functional.pad(image, (2, 2, 2, 2), mode="replicate"), kernel)


def edge_mask(response: Tensor) -> Tensor:
    """M: 1 where the response of the filter is above 0, else 0; carries no gradient."""
    return (response.detach() > 0).to(response.dtype)


def edges(image: Tensor) -> Tensor:
    """Equation 17: T_edge, the response of the Laplacian of Gaussian where it is above 0.

    Parameters
    ----------
    image : Tensor of float, (N, 1, H, W)

    Returns
    -------
    Tensor of the image's dtype and shape
        At least 0; its gradient is that of the filter wherever the mask is 1.
    """
    response = laplacian_of_gaussian(image)
    return edge_mask(response) * response
