"""Compiled: what a stretch of a program does to each pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["BEFORE", "NEIGHBOURHOOD", "distances_before", "expose_pixels", "since_neighbours"]

NEIGHBOURHOOD = 2
"""Pixels in each direction within which a visit counts as one of the neighbourhood."""

BEFORE = 8
"""Samples before one, from whose nearest its revisit distance is taken."""


@compiled()
def expose_pixels(
    positions: npt.NDArray[np.int32],
    times: npt.NDArray[np.float64],
    exposed: npt.NDArray[np.float32],
    visits: npt.NDArray[np.uint32],
) -> None:
    """Add each sample's exposure time to its pixel, and one to its visits."""
    for i in range(len(positions)):
        row, column = positions[i, 0], positions[i, 1]
        exposed[row, column] += np.float32(times[i])
        visits[row, column] += np.uint32(1)


@compiled()
def since_neighbours(
    positions: npt.NDArray[np.int32],
    begun: npt.NDArray[np.float64],
    last: npt.NDArray[np.float64],
    shortest: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    """Time from the latest visit of each sample's neighbourhood to the sample, infinite where there was none.

    `last` holds when each pixel was last visited, -inf for never; `shortest` the shortest time of each pixel so far.
    """
    rows, columns = last.shape
    since = np.empty(len(positions), np.float64)
    for i in range(len(positions)):
        row, column = positions[i, 0], positions[i, 1]
        latest = -np.inf
        for y in range(max(row - NEIGHBOURHOOD, 0), min(row + NEIGHBOURHOOD + 1, rows)):
            for x in range(max(column - NEIGHBOURHOOD, 0), min(column + NEIGHBOURHOOD + 1, columns)):
                latest = max(latest, last[y, x])
        since[i] = begun[i] - latest
        last[row, column] = begun[i]
        shortest[row, column] = min(shortest[row, column], np.float32(since[i]))
    return since


@compiled()
def distances_before(
    positions: npt.NDArray[np.int32], first: int, shortest: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Distances in pixels from samples `first`, ... to the nearest of the `BEFORE` before each, infinite where none is.

    `shortest` holds the shortest one of each pixel so far.
    """
    distances = np.empty(len(positions) - first, np.float64)
    for i in range(first, len(positions)):
        row, column = positions[i, 0], positions[i, 1]
        nearest = np.inf
        for j in range(max(i - BEFORE, 0), i):
            down, right = float(positions[j, 0] - row), float(positions[j, 1] - column)
            nearest = min(nearest, down * down + right * right)
        distances[i - first] = np.sqrt(nearest)
        shortest[row, column] = min(shortest[row, column], np.float32(np.sqrt(nearest)))
    return distances
