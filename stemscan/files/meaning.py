"""From the numbers of a picture to what they mean: orientation, palette, white at zero; one rule for all formats."""

from __future__ import annotations

import numpy as np

from stemscan.files.images import Loaded
from stemscan.types import Array

__all__ = ["brighter_is_more", "swaps_axes", "upright", "with_palette"]


def swaps_axes(orientation: int) -> bool:
    """Tell whether rows become columns; orientation as of TIFF's tag 274 and of EXIF, 1 to 8."""
    return orientation in (5, 6, 7, 8)


def upright(values: Array, orientation: int) -> Loaded:
    """Turn a picture as its file says it is to be seen.

    Parameters
    ----------
    values : ndarray (H, W) or (H, W, c)
        As stored: orientation names what the first row and the first column of it are.
    orientation : int
        1 (top, left), 2 (top, right), 3 (bottom, right), 4 (bottom, left), 5 (left, top), 6 (right, top), 7 (right,
        bottom), 8 (left, bottom). All else counts as 1.
    """
    if swaps_axes(orientation):
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values, ((f"turned as the file says (orientation {orientation})",) if 2 <= orientation <= 8 else ())


def brighter_is_more(values: Array, bits: int) -> Loaded:
    """Invert integers or booleans of a file in which zero is white; floating-point numbers stay as they are.

    Parameters
    ----------
    bits : int
        Of a sample in the file.
    """
    if values.dtype.kind in "bi":
        inverted = ~values
    elif values.dtype.kind == "u":
        inverted = (np.array((1 << bits) - 1, values.dtype) - values).astype(values.dtype)
    else:
        return values, ("not inverted, though the file says that zero is white: its numbers have no black",)
    return inverted, ("inverted, because the file says that zero is white",)


def with_palette(values: Array, palette: Array) -> Loaded:
    """Colours of a picture of indices, (H, W, 3), from a palette (3, N)."""
    return np.moveaxis(palette[:, values], 0, -1), ("palette applied",)
