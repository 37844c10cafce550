"""Sparse data measured elsewhere, brought into the form of samples: counts, positions and samples of each pass.

What was not visited must be told from what was visited and counted nothing: by a mask, by positions, or by NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError

__all__ = ["Samples", "samples_from_frames", "samples_from_positions"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in the order in which they are taken to have been measured.

    Attributes
    ----------
    counts : ndarray, (N,)
    positions : ndarray of int32, (N, 2)
        (row, column).
    samples_per_pass : tuple of int
    shape : tuple of int
        Rows and columns of the grid.
    left_out : int
        Numbers other than zero where the mask says not visited.
    """

    counts: Array
    positions: npt.NDArray[np.int32]
    samples_per_pass: tuple[int, ...]
    shape: tuple[int, int]
    left_out: int = 0

    @property
    def whole(self) -> bool:
        """Whether all counts are whole numbers, as counted electrons are."""
        return self.counts.dtype.kind != "f" or bool((self.counts == np.trunc(self.counts)).all())


def samples_from_frames(frames: Array, mask: Array | None = None) -> Samples:
    """Samples of frames in which each visited pixel was visited once a pass, row by row.

    Parameters
    ----------
    frames : ndarray, (T, H, W) or (H, W)
        Counts; without a mask, NaN where not visited.
    mask : ndarray, (T, H, W) or (H, W), optional
        Not zero where visited; one for all passes or one each.

    Raises
    ------
    UsageError
        When the shapes do not fit, nothing or not even an unvisited pixel is told apart, or a visited pixel is NaN.
    """
    frames = _stack(frames, "frames")
    if mask is None:
        visited = ~np.isnan(frames) if frames.dtype.kind == "f" else np.ones(frames.shape, bool)
        if visited.all():
            raise UsageError(
                "expected a mask or positions, or NaN where nothing was visited, got frames of finite values alone; "
                "zero counts cannot be told from pixels that were not visited"
            )
    else:
        visited = _mask(mask, frames.shape)
    if not visited.any():
        raise UsageError(
            "expected at least one visited pixel, got none; check the mask, which is not zero where visited"
        )
    passes, rows, columns = np.nonzero(visited)
    counts = frames[passes, rows, columns]
    if counts.dtype.kind == "f" and not np.isfinite(counts).all():
        bad = int(np.argmin(np.isfinite(counts)))
        place = (int(passes[bad]), int(rows[bad]), int(columns[bad]))
        raise UsageError(f"expected finite counts where the mask says visited, got {counts[bad]} at {place}")
    per_pass = tuple(int(number) for number in visited.sum(axis=(1, 2)))
    positions = np.stack((rows, columns), axis=1).astype(np.int32)
    return Samples(counts, positions, per_pass, (frames.shape[1], frames.shape[2]), _measured(frames[~visited]))


def _measured(values: Array) -> int:
    """How many values are neither zero nor NaN, as only measured ones are."""
    missing = int(np.count_nonzero(np.isnan(values))) if values.dtype.kind == "f" else 0
    return int(np.count_nonzero(values)) - missing


def samples_from_positions(values: Array, positions: Array, shape: tuple[int, int]) -> Samples:
    """Samples of values with positions.

    Parameters
    ----------
    values : ndarray, (N,) or (T, N)
        Counts in the order of measurement.
    positions : ndarray, (N, 2) or (T, N, 2)
        Whole (row, column) of each value; one list for all passes or one each.
    shape : tuple of int
        Rows and columns of the grid.

    Raises
    ------
    UsageError
        When the shapes do not fit, or a position is not whole.
    """
    if values.ndim == 2 and 1 in values.shape and positions.ndim == 2 and len(positions) == values.size:
        values = values.reshape(-1)
    values = values[np.newaxis] if values.ndim == 1 else values
    if values.ndim != 2:
        raise UsageError(f"expected values of shape (samples,) or (passes, samples), got {values.shape}")
    expected = (*values.shape, 2)
    if positions.shape not in (expected, expected[1:]):
        raise UsageError(
            f"expected positions of shape {expected[1:]} or {expected}, one (row, column) for each value, "
            f"got {positions.shape}"
        )
    if positions.dtype.kind not in "iuf":
        raise UsageError(f"expected positions as numbers, got {positions.dtype}; save whole (row, column)")
    if not np.isfinite(positions).all():
        raise UsageError("expected finite positions, got NaN or infinity; leave such samples out")
    if not np.array_equal(positions, np.trunc(positions)):
        raise UsageError("expected positions in whole pixels, got fractions; round them to the grid first")
    every = np.broadcast_to(positions, expected).reshape(-1, 2)
    if every.size and (every.min() < 0 or (every >= shape).any()):
        bad = int(np.argmax(((every < 0) | (every >= np.array(shape))).any(axis=1)))
        raise UsageError(
            f"expected positions inside the grid of {shape[0]} x {shape[1]}, got "
            f"({every[bad, 0]:g}, {every[bad, 1]:g}) at sample {bad}; positions are (row, column) from the top left"
        )
    return Samples(values.reshape(-1), every.astype(np.int32), (values.shape[1],) * len(values), shape)


def _stack(frames: Array, what: str) -> Array:
    """Frames as (T, H, W)."""
    if frames.dtype.kind not in "biuf":
        raise UsageError(f"expected {what} of real numbers, got {frames.dtype}")
    if frames.ndim == 2:
        frames = frames[np.newaxis]
    if frames.ndim != 3 or 0 in frames.shape:
        raise UsageError(f"expected {what} of shape (passes, rows, columns) or (rows, columns), got {frames.shape}")
    return frames


def _mask(mask: Array, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The mask for all passes, (T, H, W)."""
    stack = _stack(mask, "a mask")
    if stack.shape not in (shape, (1, *shape[1:])):
        raise UsageError(f"expected a mask of shape {shape[1:]} or {shape}, as the frames, got {mask.shape}")
    if stack.dtype.kind == "f" and np.isnan(stack).any():
        raise UsageError("expected a mask without NaN, not zero where visited, got NaN")
    return np.broadcast_to(stack != 0, shape)
