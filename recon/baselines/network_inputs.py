"""What goes into the networks of the comparison, and the errors where something else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stemscan.errors import ReconError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MASK_AWARE_CHANNELS", "check_channels", "check_images"]

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
