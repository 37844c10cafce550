"""Compiled: visits and jumps of a stretch of a path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["count_visits", "measure_jumps"]


@compiled()
def count_visits(positions: npt.NDArray[np.int32], visits: npt.NDArray[np.unsignedinteger]) -> None:
    """Add one to each visited pixel for each sample."""
    for i in range(len(positions)):
        visits[positions[i, 0], positions[i, 1]] += np.uint8(1)


@compiled()
def measure_jumps(positions: npt.NDArray[np.int32], limit: float) -> tuple[float, int, int]:
    """Sum of the distances between successive points, square of the longest, number of squares above `limit`."""
    total = 0.0
    longest = 0
    over = 0
    for i in range(1, len(positions)):
        down = np.int64(positions[i, 0]) - positions[i - 1, 0]
        across = np.int64(positions[i, 1]) - positions[i - 1, 1]
        square = down * down + across * across
        total += np.sqrt(float(square))
        longest = max(longest, square)
        over += square > limit
    return total, longest, over
