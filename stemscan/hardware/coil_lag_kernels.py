"""Compiled recursion of `stemscan.hardware.coil_lag`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled

__all__ = ["follow"]


@compiled()
def follow(
    commands: NDArray[np.int32], waits: NDArray[np.int64], tau_ns: float, remaining: float, mean_remaining: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Positions at the begin of dwells on `commands` one after another, and their means, from a rest on the first.

    Parameters
    ----------
    commands : int32 (n, 2)
    waits : int64 (n,) or (0,)
        Time in ns on each command before its dwell; none where empty.
    tau_ns : float
        Above 0.
    remaining, mean_remaining : float
        Share of a jump still to go after a dwell, and its mean during one.

    Returns
    -------
    begins, means : float32 (n, 2)
    """
    begins, means = np.empty(commands.shape, np.float32), np.empty(commands.shape, np.float32)
    row, column = np.float64(commands[0, 0]), np.float64(commands[0, 1])
    for i in range(commands.shape[0]):
        aim_row, aim_column = np.float64(commands[i, 0]), np.float64(commands[i, 1])
        left_row, left_column = row - aim_row, column - aim_column
        if waits.size:
            waited = math.exp(-waits[i] / tau_ns)
            left_row *= waited
            left_column *= waited
        begins[i, 0], begins[i, 1] = aim_row + left_row, aim_column + left_column
        means[i, 0] = aim_row + left_row * mean_remaining
        means[i, 1] = aim_column + left_column * mean_remaining
        row = aim_row + left_row * remaining
        column = aim_column + left_column * remaining
    return begins, means
