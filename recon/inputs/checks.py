"""Checks of the arrays and numbers that become the inputs of a reconstruction: each an error that says what to mend."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.arguments import described, real_number
from stemscan.errors import ReconError, UsageError

__all__ = ["check_unvisited", "checked_frames", "checked_truth", "checked_visits", "positive", "real_array"]

_UINT16_MAX: Final = 65535


def positive(value: float, name: str) -> float:
    """A finite number above zero, or an error that names it."""
    try:
        return real_number(value, name, np.nextafter(0, 1))
    except UsageError:
        raise ReconError(
            f"expected {name} to be a finite number above 0, got {described(value)}; give the value of the scan"
        ) from None


def real_array(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """An array of real numbers, or an error that names it."""
    try:
        array = np.asarray(values)
    except ValueError as problem:  # of ragged lists
        raise ReconError(f"expected {name} with rows of one length, got ragged ones; give an array") from problem
    if array.dtype.kind not in "buif":
        raise ReconError(f"expected {name} of real numbers, got dtype {array.dtype}; give an array of them")
    return array


def _real(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float32]:
    """An array of finite real numbers as float32."""
    array = real_array(values, name)
    with np.errstate(over="ignore"):  # what overflows is found as infinite below
        converted = np.ascontiguousarray(array, dtype=np.float32)
    if converted.size and not (np.isfinite(converted.min()) and np.isfinite(converted.max())):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(converted))[0])
        raise ReconError(
            f"expected {name} to be finite, got {converted[where]} at index {where}; remove these samples (no visit)"
        )
    return converted


def checked_frames(values: npt.ArrayLike, analogue: bool) -> npt.NDArray[np.float32]:
    """Frames as (T, H, W) float32, finite, and at least 0 unless of an analogue detector."""
    frames = _real(values, "frames")
    if frames.ndim != 3 or frames.size == 0:
        raise ReconError(
            f"expected frames of shape (passes, rows, columns), got shape {frames.shape}; "
            "give one pass as (1, rows, columns)"
        )
    if not analogue and frames.min() < 0:
        where = tuple(int(i) for i in np.argwhere(frames < 0)[0])
        raise ReconError(
            f"expected counts of at least 0 electrons, got {frames[where]} at index {where}; "
            "subtract no background from counts, or say that the detector is analogue (analogue=True)"
        )
    return frames


def checked_visits(values: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Visits as uint16 of the frames' shape, not all zero."""
    visits = real_array(values, "visits")
    if visits.shape != shape:
        raise ReconError(
            f"expected visits of the frames' shape {shape}, got {visits.shape}; give one number per pass and pixel"
        )
    if visits.dtype.kind not in "bui":
        raise ReconError(f"expected visits as integers, got dtype {visits.dtype}; give the number of samples per pixel")
    lowest, highest = int(visits.min()), int(visits.max())
    if lowest < 0 or highest > _UINT16_MAX:
        raise ReconError(
            f"expected visits of 0 to {_UINT16_MAX}, got {lowest} to {highest}; give the number of samples per pixel"
        )
    if highest == 0:
        raise ReconError("expected at least one visited pixel, got none; acquire at least one sample first")
    return np.ascontiguousarray(visits, dtype=np.uint16)


def check_unvisited(frames: npt.NDArray[np.float32], visits: npt.NDArray[np.uint16]) -> None:
    """Refuse counts where nothing was visited; a pass at a time to spare memory."""
    for index, (frame, visit) in enumerate(zip(frames, visits, strict=True)):
        stray = (frame != 0) & (visit == 0)
        if stray.any():
            row, column = (int(i) for i in np.argwhere(stray)[0])
            raise ReconError(
                f"expected zero counts where nothing was visited, got {frame[row, column]} in pass {index} "
                f"at row {row}, column {column}; correct the visits"
            )


def checked_truth(values: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Truth as float32 of the grid's shape."""
    truth = _real(values, "truth")
    if truth.shape != shape:
        raise ReconError(f"expected a truth of shape {shape}, got {truth.shape}; render the specimen on the scan grid")
    return truth
