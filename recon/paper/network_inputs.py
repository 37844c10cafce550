"""Inputs of the networks of the comparison, and the errors where something else is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.paper.scale import Scale, standardised_frames, standardised_sum

if TYPE_CHECKING:
    from torch import Tensor

    from stemscan.recon.inputs.inputs import Inputs

__all__ = ["MASK_AWARE_CHANNELS", "check_channels", "check_images", "network_input"]

MASK_AWARE_CHANNELS: Final = 2
"""Channels of a network that sees the mask: the mean of each pixel's samples (S / V), and its visits V."""


def check_channels(channels: int, mask_aware: bool) -> None:
    """Refuse a number of channels that a network cannot have.

    Raises
    ------
    ReconError
    """
    if channels < 1 or (mask_aware and channels != MASK_AWARE_CHANNELS):
        expected = "2 channels (values and visits)" if mask_aware else "at least 1 channel"
        raise ReconError(
            f"expected {expected}, got {channels}; give channels={MASK_AWARE_CHANNELS if mask_aware else 4}"
        )


def check_images(x: Tensor, channels: int) -> tuple[int, int]:
    """Height and width of a batch, (N, channels, H, W).

    Raises
    ------
    ReconError
        When it is no such batch.
    """
    if x.ndim != 4 or x.shape[1] != channels:
        raise ReconError(
            f"expected images of shape (N, {channels}, H, W), got {tuple(x.shape)}; give what the network was made for"
        )
    return int(x.shape[2]), int(x.shape[3])


def network_input(inputs: Inputs, scale: Scale, frames: int | None) -> npt.NDArray[np.float32]:
    """The input of a network from a scan: zero-filled frames, or values and visits.

    Parameters
    ----------
    scale : Scale
        By which values are standardised.
    frames : int or None
        Frames of the network; None for one that sees the mask.

    Returns
    -------
    ndarray of float32, (frames, H, W) or (2, H, W)
        Standardised frames; or the standardised mean of each pixel's samples, 0 where not visited, and its visits.

    Raises
    ------
    ReconError
        When there are fewer passes than frames.
    """
    if frames is not None:
        return standardised_frames(inputs, frames, scale)
    values = standardised_sum(inputs, scale) / np.maximum(inputs.V, 1)
    return np.stack([values, inputs.V]).astype(np.float32)
