"""Compiled loop that adds samples to the pictures of a pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["add_samples"]


@compiled()
def add_samples(
    sums: npt.NDArray[Any],
    hits: npt.NDArray[Any],
    counts: npt.NDArray[Any],
    positions: npt.NDArray[np.int32],
    top: int,
    limits: npt.NDArray[Any],
) -> tuple[int, int]:
    """Add the samples that lie in a band of rows, in scan order, up to one whose sum does not fit.

    Parameters
    ----------
    sums : number (channels, rows, columns)
        Sums of counts; in place.
    hits : unsigned integer (rows, columns)
        Visits; in place.
    counts : number (n, channels)
    positions : int32 (n, 2)
        Row and column; columns within the band.
    top : int
        First row of the band.
    limits : number (2,)
        Largest sum and largest number of visits.

    Returns
    -------
    channel, sample : int
        Of the sum that did not fit, the channel after the last for visits; -1, -1 where all do.
    """
    for i in range(positions.shape[0]):
        row, column = positions[i, 0] - top, positions[i, 1]
        if 0 <= row < hits.shape[0]:
            for channel in range(sums.shape[0]):
                total = sums[channel, row, column] + counts[i, channel]
                if total > limits[0]:
                    return channel, i
                sums[channel, row, column] = total
            if hits[row, column] >= limits[1]:
                return sums.shape[0], i
            hits[row, column] += 1
    return -1, -1
