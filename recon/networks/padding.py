"""Padding of grids that a network's strides do not divide. Needs torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mirrored"]


def mirrored(x: Tensor, multiple: int) -> Tensor:
    """Continue the far sides by their mirror image, edge pixel included, to a multiple of a number.

    Parameters
    ----------
    x : Tensor, (N, C, H, W)
        H and W at least 1; mirrored repeatedly where it is smaller than its padding.
    multiple : int
        At least 1.

    Returns
    -------
    Tensor of the same dtype, (N, C, H + -H % multiple, W + -W % multiple)
        `x` itself where nothing is missing.
    """
    for axis in (2, 3):
        size = x.shape[axis]
        if size % multiple:
            place = torch.arange(size + -size % multiple, device=x.device) % (2 * size)
            x = x.index_select(axis, torch.minimum(place, 2 * size - 1 - place))
    return x
