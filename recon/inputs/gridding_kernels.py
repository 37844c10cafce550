"""Compiled loop of `stemscan.recon.inputs.gridding`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["deposit"]

_STEPS = 64  # of an offset within a pixel


@compiled()
def deposit(
    values: npt.NDArray[np.float64], positions: npt.NDArray[np.float32], rows: int, columns: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums of values and of shares on a grid.

    Parameters
    ----------
    values : float64 (n,)
    positions : float32 (n, 2)

    Returns
    -------
    sums, shares : float64 (rows, columns)
    """
    sums, shares = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i in range(values.size):
        row = np.int64(np.rint(min(max(np.float64(positions[i, 0]), 0.0), rows - 1.0) * _STEPS))
        column = np.int64(np.rint(min(max(np.float64(positions[i, 1]), 0.0), columns - 1.0) * _STEPS))
        top, left = row // _STEPS, column // _STEPS
        down, right = row - top * _STEPS, column - left * _STEPS
        for r in range(2):
            for c in range(2):
                share = (down if r else _STEPS - down) * (right if c else _STEPS - right)
                if share:
                    sums[top + r, left + c] += values[i] * share / _STEPS**2
                    shares[top + r, left + c] += share / _STEPS**2
    return sums, shares
