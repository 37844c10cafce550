"""Compiled: points of patterns whose own order gives any sample alone: spiral, Lissajous, interleaved rasters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stemscan.path.pixels import Pixels
from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import log, sine_cosine

__all__ = ["fill_interleaved", "fill_lissajous", "fill_spiral"]

_TWO_PI = 6.283185307179586
_compiled_log = compiled()(log)
_sine_cosine = compiled()(sine_cosine)


@compiled()
def _arc_length(angle: float) -> float:
    """`stemscan.plan.patterns.spiral.arc_length`."""
    root = math.sqrt(1.0 + angle * angle)
    return 0.5 * (angle * root + _compiled_log(angle + root))


@compiled()
def _angle_at(length: float) -> float:
    """The angle at which the spiral r = angle has this arc length, by Newton's method from above."""
    angle = math.sqrt(2.0 * length)
    for _ in range(20):
        step = (_arc_length(angle) - length) / math.sqrt(1.0 + angle * angle)
        angle -= step
        if abs(step) <= 1e-13 * angle:
            break
    return angle


@compiled(inline=True)
def _nearest(value: Any, count: Any) -> Any:
    """The row or column nearest to a coordinate, of so many."""
    return min(max(np.int64(math.floor(value + 0.5)), 0), count - 1)


@compiled()
def fill_spiral(shape: tuple[int, int], pitch: float, spacing: float, start: int, out: Pixels) -> None:
    """Fill `out` with samples start, start + 1, ... of a spiral."""
    scale = pitch / _TWO_PI
    for i in range(len(out)):
        angle = _angle_at((start + i) * spacing / scale)
        turn = angle / _TWO_PI
        sine, cosine = _sine_cosine(turn - math.floor(turn))
        row = _nearest((shape[0] - 1) / 2 + scale * angle * sine, shape[0])
        out[i] = row * shape[1] + _nearest((shape[1] - 1) / 2 + scale * angle * cosine, shape[1])


@compiled()
def fill_lissajous(shape: tuple[int, int], cycles: tuple[int, int], samples: int, start: int, out: Pixels) -> None:
    """Fill `out` with samples start, start + 1, ... of a Lissajous figure of so many samples."""
    down, across = cycles
    for i in range(len(out)):
        place = np.int64(start + i)
        row_turn = place * down % samples / samples
        # in units of 1 / (4 samples down) of a turn, exact in 64 bits: 2**32 * 4 * 2**12 * 2**12
        column_turn = (place * across * 4 * down + samples) % (4 * samples * down) / (4 * samples * down)
        _, row_cosine = _sine_cosine(row_turn)
        _, column_cosine = _sine_cosine(column_turn)
        row = _nearest((shape[0] - 1) / 2 * (1.0 - row_cosine), shape[0])
        out[i] = row * shape[1] + _nearest((shape[1] - 1) / 2 * (1.0 - column_cosine), shape[1])


@compiled()
def fill_interleaved(shape: tuple[int, int], stride: tuple[int, int], start: int, out: Pixels) -> None:
    """Fill `out` with samples start, start + 1, ... of rasters that leave out what lies between."""
    sample: Any = np.int64(start)
    at = 0
    for first_row in range(min(stride[0], shape[0])):
        rows = (shape[0] - first_row + stride[0] - 1) // stride[0]
        for first_column in range(min(stride[1], shape[1])):
            columns = (shape[1] - first_column + stride[1] - 1) // stride[1]
            stop = min(rows * columns, sample + len(out) - at)
            for within in range(sample, stop):
                row = first_row + within // columns * stride[0]
                out[at] = row * shape[1] + first_column + within % columns * stride[1]
                at += 1
            sample = max(sample - rows * columns, 0)
