"""Sparse data measured elsewhere, brought into the form of samples: counts, positions and samples of each pass.

What was not visited must be told from what was visited and counted nothing: by a mask, by positions, or by NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.files.columns import Columns, nearest
from stemscan.runtime.memory import require_memory
from stemscan.types import Array
from stemscan.units import counted

__all__ = ["Samples", "check_shapes", "samples_from_columns", "samples_from_frames", "samples_from_positions"]


_BYTES_A_SAMPLE: Final = 60
"""Memory of a sample on its way into a store, by `benchmarks/memory.py`."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in the order in which they are taken to have been measured.

    Attributes
    ----------
    counts : ndarray, (N,) or (N, C)
        Of one channel, or of several.
    positions : ndarray of int32, (N, 2)
        (row, column).
    shape : tuple of int
        Rows and columns of the grid.
    left_out : int
        Numbers other than zero where the mask says not visited.
    actual : ndarray of float32, (N, 2), or None
        Places of the samples in pixels, where they lie between pixels; `positions` are the nearest.
    furthest_px : float
        Largest distance between the two.
    """

    counts: Array
    positions: npt.NDArray[np.int32]
    samples_per_pass: tuple[int, ...]
    shape: tuple[int, int]
    left_out: int = 0
    actual: npt.NDArray[np.float32] | None = None
    furthest_px: float = 0.0

    @property
    def whole(self) -> bool:
        """Tell whether all counts are whole numbers, as counted electrons are."""
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
                "zero counts cannot be told from pixels that were not visited; "
                "give --mask FILE, or --mask all of full scans"
            )
    else:
        visited = _mask(mask, frames.shape)
    if not visited.any():
        raise UsageError(
            "expected at least one visited pixel, got none; check the mask, which is not zero where visited"
        )
    _require_memory(int(np.count_nonzero(visited)))
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
    """Number of values that are neither zero nor NaN, as only measured ones are."""
    missing = int(np.count_nonzero(np.isnan(values))) if values.dtype.kind == "f" else 0
    return int(np.count_nonzero(values)) - missing


def samples_from_positions(values: Array, positions: Array, shape: tuple[int, int]) -> Samples:
    """Samples of values with positions.

    Parameters
    ----------
    values : ndarray, (N,) or (T, N)
        Counts in the order of measurement.
    positions : ndarray, (N, 2) or (T, N, 2)
        (row, column) of each value in pixels, which may lie between them; one list for all passes or one each. Where
        one of the two is flat and has as many samples as the other in all passes, it is taken pass after pass.
    shape : tuple of int
        Rows and columns of the grid.

    Raises
    ------
    UsageError
        When the shapes do not fit, or a position lies outside the grid.
    """
    check_shapes(values.shape, positions.shape)
    if values.ndim == 2 and 1 in values.shape and positions.ndim == 2 and len(positions) == values.size:
        values = values.reshape(-1)
    if values.ndim == 1 and positions.ndim == 3:
        values = values.reshape(positions.shape[:2])
    values = values[np.newaxis] if values.ndim == 1 else values
    if positions.ndim == 2 and len(positions) == values.size:
        positions = positions.reshape(*values.shape, 2)
    every = np.broadcast_to(positions, (*values.shape, 2)).reshape(-1, 2)
    return _placed(values.reshape(-1), every, (values.shape[1],) * len(values), shape)


def check_shapes(values: tuple[int, ...], positions: tuple[int, ...]) -> None:
    """Refuse shapes of values and positions that do not belong together; see `samples_from_positions`.

    Raises
    ------
    UsageError
    """
    if len(values) not in (1, 2) or 0 in values:
        raise UsageError(f"expected values of shape (samples,) or (passes, samples), got {values}")
    total = math.prod(values)
    fits = positions == (values[-1], 2) or positions == (total, 2)
    if not fits and not (len(positions) == 3 and positions[2] == 2 and _pass_by_pass(values, positions)):
        expected = f"{(total, 2)}" if len(values) == 1 else f"{(values[1], 2)} or {(*values, 2)}"
        raise UsageError(
            f"expected positions of shape {expected}, one (row, column) for each value, or of all passes one after "
            f"another, got {positions}"
        )


def _pass_by_pass(values: tuple[int, ...], positions: tuple[int, ...]) -> bool:
    """Tell whether positions of each pass belong to values of each, or to flat ones of all."""
    return positions[:2] == values or (len(values) == 1 and positions[0] * positions[1] == values[0])


def samples_from_columns(columns: Columns, positions: Array, shape: tuple[int, int]) -> Samples:
    """Samples of one table of rows, columns and counts, and maybe of passes.

    Parameters
    ----------
    columns : Columns
        With counts, (N,); a column of passes, numbered from 0 or 1, puts the samples into their order.
    positions : ndarray, (N, 2)
        In pixels.

    Raises
    ------
    UsageError
        When a position lies outside the grid, or passes are no numbers without gaps.
    """
    counts = columns.numbers["counts"]
    order = np.arange(len(counts))
    per_pass: tuple[int, ...] = (len(counts),)
    if "pass" in columns.numbers:
        passes = columns.numbers["pass"]
        found, inverse, numbers = np.unique(passes, return_inverse=True, return_counts=True)
        if not np.array_equal(found, np.arange(len(found)) + found[0]) or found[0] not in (0, 1):
            raise UsageError(f"expected passes numbered 0, 1, 2 or 1, 2, 3, got {found[:4].tolist()}; number them so")
        order = np.argsort(inverse, kind="stable")
        per_pass = tuple(int(number) for number in numbers)
    counts = counts[order]
    whole = np.isfinite(counts).all() and np.array_equal(counts, np.trunc(counts)) and np.abs(counts).max() < 2**53
    return _placed(counts.astype(np.int64) if whole else counts, positions[order], per_pass, shape)


def _placed(values: Array, positions: Array, per_pass: tuple[int, ...], shape: tuple[int, int]) -> Samples:
    """Samples at their pixels; those between pixels have the nearest, and where they were."""
    if positions.dtype.kind not in "iuf":
        raise UsageError(f"expected positions as numbers, got {positions.dtype}; save (row, column)")
    if not np.isfinite(positions).all():
        raise UsageError("expected finite positions, got NaN or infinity; leave such samples out")
    _require_memory(len(values))
    pixels, furthest = nearest(positions)
    outside = ((pixels < 0) | (pixels >= np.array(shape))).any(axis=1)
    if outside.any():
        bad = int(outside.argmax())
        raise UsageError(
            f"expected positions inside the grid of {shape[0]} x {shape[1]}, got "
            f"({positions[bad, 0]:g}, {positions[bad, 1]:g}) at sample {bad}; positions are (row, column) from the top "
            "left"
        )
    actual = positions.astype(np.float32) if furthest else None
    return Samples(values, pixels.astype(np.int32), per_pass, shape, actual=actual, furthest_px=furthest)


def _require_memory(samples: int) -> None:
    """Refuse more samples than memory holds on their way into a store."""
    remedy = "import fewer frames at a time, or take a machine with more"
    require_memory(_BYTES_A_SAMPLE * samples, f"to import {counted(samples, 'sample')}", remedy)


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
