"""Pixels of a grid as numbers, row * columns + column, and as points, (row, column)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Points

__all__ = ["Pixels", "pixels_of", "points_of", "sorted_by"]

_DIGIT_BITS = 11

Pixels = npt.NDArray[np.uint32]


@compiled()
def points_of(pixels: Pixels, width: int) -> Points:
    """Points, (n, 2) int32 (row, column), of pixels of a grid so wide."""
    points = np.empty((len(pixels), 2), np.int32)
    rows_a_pixel = 1.0 / width
    for i in range(len(pixels)):
        row = np.int32((np.float64(pixels[i]) + 0.5) * rows_a_pixel)  # exact below 2**32, and quicker than division
        points[i, 0] = row
        points[i, 1] = pixels[i] - np.uint32(row) * np.uint32(width)
    return points


def pixels_of(points: Points, width: int) -> Pixels:
    """Pixels, (n,) uint32, of points of a grid so wide."""
    return points[:, 0].astype(np.uint32) * np.uint32(width) + points[:, 1].astype(np.uint32)


@compiled()
def sorted_by(numbers: Any, pixels: Pixels) -> Pixels:
    """Pixels by ascending number of each, those of equal numbers in the order in which they come.

    `numbers` are whole and get overwritten. They are sorted digit by digit, which is quickest where they are close
    together.
    """
    if (numbers[1:] >= numbers[:-1]).all():
        return pixels
    least, shift = numbers.min(), 0
    most = numbers.max() - least
    other_numbers, other_pixels = np.empty_like(numbers), np.empty_like(pixels)
    while most >> shift > 0:
        if shift == _DIGIT_BITS:  # what was read first is the caller's
            other_pixels = np.empty_like(pixels)
        starts = np.zeros((1 << _DIGIT_BITS) + 1, np.int64)
        for number in numbers:
            starts[((number - least) >> shift) % (1 << _DIGIT_BITS) + 1] += 1
        starts = np.cumsum(starts)
        for i in range(len(numbers)):
            digit = ((numbers[i] - least) >> shift) % (1 << _DIGIT_BITS)
            other_numbers[starts[digit]], other_pixels[starts[digit]] = numbers[i], pixels[i]
            starts[digit] += 1
        numbers, other_numbers, pixels, other_pixels = other_numbers, numbers, other_pixels, pixels
        shift += _DIGIT_BITS
    return pixels
