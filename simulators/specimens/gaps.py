"""Gaps between the columns of a lattice, where a column more has most room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["widest_gap"]

_STEPS = 24
_ROUNDING = 2.0**20
"""Of a square in pixels, coarser than what two machines differ in."""


def widest_gap(columns: NDArray[np.float64], cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place in the cell that is farthest from all columns.

    Parameters
    ----------
    columns : float64 (n, 2)
        In fractions of the cell's vectors.
    cell : float64 (2, 2)
        Its vectors in pixels, one a row.

    Returns
    -------
    float64 (2,)
        From the cell's corner, in pixels.
    """
    steps = np.arange(_STEPS) / _STEPS
    tried = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    shifts = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], np.float64)
    others = (columns[:, None, :] + shifts).reshape(-1, 2)
    square = (((tried[:, None, :] - others) @ cell) ** 2).sum(axis=2).min(axis=1)
    return np.asarray(tried[int(np.argmax(np.rint(square * _ROUNDING)))] @ cell)
