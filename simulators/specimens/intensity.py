"""Intensities of a picture: to grey, to finite reals, to the specimen's range of [0, 1]; each step says what it did.

Every function returns new values and a step: a dictionary of plain data for the specimen's record, where something
was done that a reader of the result should know.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.arguments import described
from stemscan.errors import SpecimenError, UsageError
from stemscan.units import counted

__all__ = ["Range", "Step", "check_range", "grey", "min_max", "outliers", "real_values", "scaled"]

Step = dict[str, Any]

Range = tuple[float | str, float | str]
"""Two values, or percentiles like "99.9%"."""

_OUTER: Final = 0.001
_DOMINATED: Final = 4

LUMA: Final = (0.2125, 0.7154, 0.0721)
"""Weights of red, green and blue in grey (luma of ITU-R BT.709)."""


def grey(image: NDArray[Any]) -> tuple[NDArray[Any], Step | None]:
    """Turn colour into grey and drop alpha.

    Parameters
    ----------
    image : ndarray (H, W) or (H, W, c)
        c is 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (red, green, blue, alpha).

    Returns
    -------
    ndarray (H, W)
        One of the channels where they are equal, else float64.
    dict or None
        Step for the record.
    """
    if image.ndim == 2:
        return image, None
    channels = image.shape[2]
    alpha = channels in (2, 4)
    step: Step = {"step": "grey", "channels": channels, "alpha_dropped": alpha}
    if channels <= 2 or all(np.array_equal(image[..., 0], image[..., channel]) for channel in (1, 2)):
        return image[..., 0], {**step, "weights": None}
    summed = np.zeros(image.shape[:2])
    for channel, weight in enumerate(LUMA):
        summed += weight * image[..., channel].astype(np.float64)
    return summed, {**step, "weights": list(LUMA)}


def real_values(plane: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Check that a picture holds finite real numbers.

    Parameters
    ----------
    plane : ndarray (H, W)
        Boolean, integer or floating.
    name : str
        For messages.

    Returns
    -------
    float64 (H, W)
        A copy.

    Raises
    ------
    SpecimenError
        If the picture is empty, complex, not numeric, or holds a value that is not finite.
    """
    if plane.size == 0:
        raise SpecimenError(f"expected a picture with pixels, got an empty one of shape {plane.shape} in {name!r}")
    if plane.dtype.kind == "c":
        raise SpecimenError(
            f"expected real intensities, got complex values ({plane.dtype}) in {name!r}, save the modulus or real part"
        )
    if plane.dtype.kind not in "biuf":
        raise SpecimenError(f"expected numbers as intensities, got values of type {plane.dtype} in {name!r}")
    values = plane.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        bad = int(finite.size - np.count_nonzero(finite))
        raise SpecimenError(
            f"expected finite intensities, got {bad} of {counted(finite.size, 'value')} NaN or infinite in {name!r}, "
            "fill or crop them first"
        )
    return values


def outliers(values: NDArray[np.float64]) -> tuple[int, float, float, float] | None:
    """Pixels that hold most of the range of a picture although they are few.

    Returns
    -------
    tuple or None
        Number of outliers, further from the others than these from each other; least and greatest of the others;
        share of the range that the others do not use. None where the middle 99.8 % of all pixels use a quarter of
        it.
    """
    outer = max(1, int(values.size * _OUTER))
    if values.size < 16 * outer:
        return None
    ordered = np.partition(values, (0, outer, values.size - 1 - outer, values.size - 1), axis=None)
    least, low, high, most = (float(ordered[place]) for place in (0, outer, -1 - outer, -1))
    if not (most - least) > _DOMINATED * (high - low):
        return None
    far = int(np.count_nonzero((values < 2 * low - high) | (values > 2 * high - low)))
    return far, low, high, 1 - (high - low) / (most - least)


def check_range(value_range: Range | None) -> None:
    """Refuse a range of values that is none."""
    if value_range is None:
        return
    ends: Any = value_range
    if not (isinstance(ends, tuple | list) and len(ends) == 2 and all(isinstance(end, str | Real) for end in ends)):
        raise UsageError(f"expected a range as two values or percentiles, got {described(value_range)}; write (0, 255)")
    percentiles = [_percentile(end) for end in value_range]
    if None not in percentiles:
        low, high = (float(percentile or 0) for percentile in percentiles)
    elif percentiles == [None, None]:
        low, high = (float(end) for end in value_range)
    else:
        return
    if not (math.isfinite(low) and math.isfinite(high) and low < high and math.isfinite(high - low)):
        raise UsageError(
            f"expected a range LO,HI of finite values with LO below HI, got {value_range[0]},{value_range[1]}"
        )


def _percentile(end: float | str) -> float | None:
    """The number of a percentile; None for a value."""
    if not isinstance(end, str):
        return None
    try:
        percentile = float(end.removesuffix("%"))
    except ValueError:
        percentile = math.nan
    if not (end.endswith("%") and 0 <= percentile <= 100):
        raise UsageError(f"expected a percentile from 0% to 100%, got {end!r}; write it like 99.9%")
    return percentile


def _value(values: NDArray[np.float64], end: float | str, *, upper: bool) -> float:
    """The value of an end of a range; that of a percentile is a pixel's, on the side of the middle."""
    percentile = _percentile(end)
    if percentile is None:
        return float(end)
    return float(np.percentile(values, percentile, method="lower" if upper else "higher"))


def scaled(
    values: NDArray[np.float64], *, floating: bool, value_range: Range | None, name: str
) -> tuple[NDArray[np.float64], Step]:
    """Bring intensities into [0, 1].

    Floating-point values that lie in [0, 1] already, with a contrast that float32 can tell, stay as they are; all else
    goes from its minimum and maximum, or from `value_range`, to 0 and 1.

    Parameters
    ----------
    values : float64 (H, W)
        Finite; changed in place.
    floating : bool
        True if the source held floating-point numbers.
    value_range : tuple of float or str, optional
        Values, or percentiles like "99.9%", that become 0 and 1; what lies outside is clipped.
    name : str
        For messages.

    Returns
    -------
    float64 (H, W)
    dict
        Step for the record: kind ("none", "min-max" or "range"), the range, and how many pixels were clipped.

    Raises
    ------
    SpecimenError
        If all values are equal, or all lie outside `value_range`.
    """
    low, high = float(values.min()), float(values.max())
    if value_range is not None:
        return _scaled_by_range(values, value_range, low, high, name)
    if low == high:
        raise SpecimenError(
            f"expected a picture with contrast, got the same value {low:g} everywhere in {name!r}; for a uniform "
            "specimen state the range of values (--range LO,HI)"
        )
    if floating and low >= 0 and high <= 1 and np.float32(low) < np.float32(high):
        return values, {"step": "scale", "kind": "none", "values": [low, high]}
    return min_max(values, name)


def min_max(values: NDArray[np.float64], name: str) -> tuple[NDArray[np.float64], Step]:
    """Bring the minimum to 0 and the maximum to 1, in place; see `scaled`."""
    low, high = float(values.min()), float(values.max())
    if not (low < high and math.isfinite(high - low)):
        raise SpecimenError(f"expected a picture with contrast, got values from {low:g} to {high:g} in {name!r}")
    values -= low
    values /= high - low
    return values, {"step": "scale", "kind": "min-max", "values": [low, high]}


def _scaled_by_range(
    values: NDArray[np.float64], value_range: Range, low: float, high: float, name: str
) -> tuple[NDArray[np.float64], Step]:
    """Bring the stated range to 0 and 1 and clip what lies outside."""
    bottom, top = _value(values, value_range[0], upper=False), _value(values, value_range[1], upper=True)
    if not bottom < top:
        raise SpecimenError(
            f"expected a range with contrast, got {bottom:g} to {top:g} for {value_range[0]},{value_range[1]} of "
            f"{name!r}"
        )
    stated = {"percentiles": list(value_range)} if any(isinstance(end, str) for end in value_range) else {}
    uniform_at_an_end = low == high and low in (bottom, top)
    if (high <= bottom or low >= top) and not uniform_at_an_end:
        raise SpecimenError(
            f"expected a range that overlaps the values {low:g} to {high:g} of {name!r}, got {bottom:g} to {top:g}"
        )
    outside = int(np.count_nonzero((values < bottom) | (values > top)))
    np.clip(values, bottom, top, out=values)
    values -= bottom
    values /= top - bottom
    return values, {
        "step": "scale",
        "kind": "range",
        "range": [float(bottom), float(top)],
        "values": [low, high],
        "clipped": outside,
        **stated,
    }
