"""Pixels of a grid as numbers, row * columns + column, and as points, (row, column)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled
from stemscan.types import Points

__all__ = ["Counts", "Pixels", "pixels_of", "points_of"]

Pixels = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]


@compiled()
def points_of(pixels: Pixels, width: int) -> Points:
    """Points, (n, 2) int32 (row, column), of pixels of a grid so wide."""
    points = np.empty((len(pixels), 2), np.int32)
    for i in range(len(pixels)):
        row = pixels[i] // np.uint32(width)
        points[i, 0] = row
        points[i, 1] = pixels[i] - row * np.uint32(width)
    return points


def pixels_of(points: Points, width: int) -> Pixels:
    """Pixels, (n,) uint32, of points of a grid so wide."""
    return points[:, 0].astype(np.uint32) * np.uint32(width) + points[:, 1].astype(np.uint32)
