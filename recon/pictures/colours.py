"""Colours of pictures: grey with robust limits, unvisited pixels in a colour of their own, visits as steps.

Unvisited pixels are never grey, so that nothing that was measured can be mistaken for them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.types import RGB

__all__ = ["INK", "QUIET", "UNVISITED", "coverage_colours", "grey_limits", "signed_colours", "signed_limit", "to_rgb"]

UNVISITED: Final = (24, 52, 84)
"""Red, green and blue of pixels that no sample hit: a dark blue."""

INK: Final = "#1a1a1a"
"""Colour of titles and bars."""

QUIET: Final = "#5a5a5a"
"""Colour of the texts beside them."""

_CUT = 0.1
_BELOW, _ABOVE = (5, 70, 140), (160, 15, 40)
_STEPS: Final = ((254, 232, 176), (253, 184, 99), (240, 112, 74), (197, 27, 90), (122, 1, 119))


def grey_limits(image: npt.NDArray[Any], visited: npt.NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Values that become black and white: the 0.1 and 99.9 percentiles, of the visited pixels if these are given."""
    values = image if visited is None else image[visited]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (_CUT, 100 - _CUT)))
    if high > low:
        return low, high
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def signed_limit(errors: list[npt.NDArray[Any]]) -> float:
    """Half-width of a colour scale for errors: the median over images of the 99 percentile, rounded up."""
    raw = float(np.median([np.percentile(np.abs(error), 99) for error in errors]))
    if raw <= 0:
        return 1e-3
    digit = 10.0 ** np.floor(np.log10(raw))
    return float(np.ceil(raw / digit) * digit)


def to_rgb(image: npt.NDArray[Any], limits: tuple[float, float], visited: npt.NDArray[np.bool_] | None = None) -> RGB:
    """Grey picture of an image, with unvisited pixels in `UNVISITED` if `visited` is given.

    Parameters
    ----------
    image : ndarray, (H, W)
    limits : tuple of float
        Values of black and of white.
    visited : ndarray of bool, (H, W), optional

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    low, high = limits
    grey = np.clip((image - low) * (255.0 / (high - low)), 0, 255).round().astype(np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    if visited is not None:
        rgb[~visited] = UNVISITED
    return rgb


def coverage_colours(visits: npt.NDArray[Any]) -> tuple[RGB, list[tuple[str, tuple[int, int, int]]]]:
    """Picture of how often each pixel was visited, and its legend.

    Parameters
    ----------
    visits : ndarray, (H, W)
        Whole numbers.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    list of (label, colour)
        From unvisited to the most visits; the last colour stands for all above.
    """
    table = np.array([UNVISITED, *_STEPS], dtype=np.uint8)
    steps = np.minimum(visits, len(_STEPS)).astype(np.intp)
    most = int(visits.max()) if visits.size else 0
    labels = ["0"] + [str(number) for number in range(1, min(most, len(_STEPS)) + 1)]
    if most > len(_STEPS):
        labels[-1] += "+"
    colours = [(int(r), int(g), int(b)) for r, g, b in table]
    return table[steps], list(zip(labels, colours, strict=False))


def signed_colours(image: npt.NDArray[Any], limit: float) -> RGB:
    """Picture of values around zero: blue below, white at zero, red above.

    Parameters
    ----------
    image : ndarray, (H, W)
    limit : float
        Magnitude at which the colour is full.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    ends = np.array([_BELOW, _ABOVE], dtype=np.float32)
    share = np.clip(np.abs(image) / limit, 0, 1)[:, :, None].astype(np.float32) ** np.float32(0.8)
    full = ends[(image > 0).astype(np.intp)]
    rgb: RGB = (255 + share * (full - 255)).round().astype(np.uint8)
    return rgb
