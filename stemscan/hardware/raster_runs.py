"""Runs of pixels along a row in equal steps to the right, which a scan generator can count off itself."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST_STEP", "SHORTEST_RUN", "RowRuns", "row_runs"]

LARGEST_STEP: Final = 255
"""Codes between two pixels of a run at most: eight whole bits."""

SHORTEST_RUN: Final = 8
"""Pixels below which a list is about as short."""


class RowRuns(NamedTuple):
    """Runs of at least `SHORTEST_RUN` pixels.

    Attributes
    ----------
    first : ndarray of int64, (n,)
        Index of the first pixel of each.
    length : ndarray of int64, (n,)
    """

    first: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]


def row_runs(x: npt.NDArray[Any], y: npt.NDArray[Any], alike: npt.NDArray[np.bool_]) -> RowRuns:
    """Find the runs among pixels.

    Parameters
    ----------
    x, y : ndarray of integers, (n,)
        Codes of column and row.
    alike : ndarray of bool, (n,)
        True if a pixel may follow the one before it in a run; the first value counts for nothing.

    Returns
    -------
    RowRuns
        In order; none overlap.
    """
    if not len(x):
        return RowRuns(np.empty(0, np.int64), np.empty(0, np.int64))
    step = np.diff(x.astype(np.int64), prepend=0)
    follows = alike & (np.diff(y, prepend=y[:1]) == 0) & (step > 0) & (step <= LARGEST_STEP)
    follows[0] = False
    # A step that differs from the one before begins a run, unless the pixel before did.
    follows[1:] &= ~follows[:-1] | (step[1:] == step[:-1])
    first = np.flatnonzero(~follows)
    length = np.diff(first, append=len(x))
    long = length >= SHORTEST_RUN
    return RowRuns(first[long], length[long])
