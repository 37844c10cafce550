"""Scale bars: a round length in the unit that people use for it."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["ScaleBar", "scale_bar"]

_UNITS = ((1e6, "mm"), (1e3, "µm"), (1.0, "nm"), (0.1, "Å"))


class ScaleBar(NamedTuple):
    """A length in pixels (not necessarily whole) and what to write beside it."""

    pixels: float
    label: str


def scale_bar(width: int, pixel_size_nm: float | None, share: float = 0.25) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten that takes at most a share of the width.

    Parameters
    ----------
    width : int
        Of the picture, in pixels.
    pixel_size_nm : float or None
        Above 0; without it the bar is whole pixels long, at least one.
    share : float
        Of the width, at most 1.

    Examples
    --------
    >>> scale_bar(1024, 0.01)
    ScaleBar(pixels=200.0, label='2 nm')
    >>> scale_bar(512, 0.002)
    ScaleBar(pixels=100.0, label='2 Å')
    >>> scale_bar(512, None)
    ScaleBar(pixels=100.0, label='100 px')
    """
    if pixel_size_nm is None:
        pixels = max(1.0, _round_length(share * width))
        return ScaleBar(pixels=pixels, label=f"{pixels:.0f} px")
    length = _round_length(share * width * pixel_size_nm)
    size, unit = next(((s, u) for s, u in _UNITS if length >= s * (1 - 1e-9)), _UNITS[-1])
    return ScaleBar(pixels=length / pixel_size_nm, label=f"{length / size:.6g} {unit}")


def _round_length(longest: float) -> float:
    """The longest length of 1, 2 or 5 times a power of ten that is not above another."""
    power = 10.0 ** math.floor(math.log10(longest))
    # One part in 10^9 more, so that a length that just fits is not lost to rounding.
    return max(step for step in (0.5 * power, power, 2 * power, 5 * power) if step <= longest * (1 + 1e-9))
