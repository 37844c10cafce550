"""Frames and masks of image files as plain arrays of numbers: colours count no electrons, but may mark a mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from stemscan.errors import DataError
from stemscan.files.images import Picture
from stemscan.files.read import read_frames
from stemscan.types import Array

__all__ = ["read_grey_picture", "read_mask_picture"]


def read_grey_picture(path: Path, frame: int | str | None = None) -> Picture:
    """Read the frames of one signal as numbers, with what the file tells of them.

    Parameters
    ----------
    frame : int or str, optional
        As of `stemscan.files.read.read_frames`.

    Returns
    -------
    Picture
        Values are (T, H, W), or (H, W) where there is one frame.

    Raises
    ------
    DataError
        When the pixels have colours.
    StemscanError
        As `stemscan.files.read.read_frames`.
    """
    picture = read_frames(path, frame)
    values = picture.values
    if values.ndim == 4:
        first = values[..., 0]
        if any((values[..., channel] != first).any() for channel in range(1, _colours(values))):
            raise DataError(
                f"expected grey frames of numbers, got colours in {str(path)!r}; save the numbers themselves"
            )
        values = first
    return replace(picture, values=values[0] if len(values) == 1 else values)


def read_mask_picture(path: Path) -> Picture:
    """Read a mask: a pixel counts where it is not zero in any channel but alpha, and is the largest of its channels.

    Returns
    -------
    Picture
        Values are (T, H, W), or (H, W) where there is one frame.

    Raises
    ------
    StemscanError
        As `stemscan.files.read.read_frames`.
    """
    picture = read_frames(path)
    values = picture.values
    if values.ndim == 4:
        values = np.asarray(values[..., : _colours(values)].max(axis=-1))
    return replace(picture, values=values[0] if len(values) == 1 else values)


def _colours(values: Array) -> int:
    """Number of channels that are not alpha."""
    return 3 if values.shape[-1] > 2 else 1
