"""Signal under a beam that lags behind its path: the specimen's signal, averaged along the way during each dwell.

From where it is when a dwell begins, the beam goes straight towards the commanded pixel, and what is left of the way
falls as exp(-t / tau). The way is cut into pieces of at most half a pixel; each counts the signal at its mean position
in time (`interpolation`), by the time that the beam spends on it. So wherever the signal is linear the average
is exact, and it lies at the mean position of the dwell, which is what stores hold.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.interpolation import signal_between

__all__ = ["mean_signal"]

_PIECE = 0.5
_MOST_PIECES = 4096


@compiled()
def mean_signal(
    signal: NDArray[np.float32], begins: NDArray[np.float64], commands: NDArray[np.float64], lasting: float
) -> NDArray[np.float32]:
    """Mean of the signal under the beam during dwells.

    Parameters
    ----------
    signal : float32 (H, W)
    begins : float64 (n, 2)
        (row, column) where the beam is when each dwell begins.
    commands : float64 (n, 2)
        Where it goes.
    lasting : float
        Dwell time over time constant, above 0.

    Returns
    -------
    float32 (n,)
    """
    out = np.empty(len(commands), np.float32)
    gone = -math.expm1(-lasting)  # share of a way that is made in a dwell
    for i in range(len(commands)):
        row, column = commands[i, 0], commands[i, 1]
        left_row, left_column = begins[i, 0] - row, begins[i, 1] - column
        pieces = max(1, min(math.ceil(math.hypot(left_row, left_column) * gone / _PIECE), _MOST_PIECES))
        step = gone / pieces
        left, spent, total = 1.0, 0.0, 0.0
        for piece in range(pieces):
            time = lasting - spent if piece == pieces - 1 else -math.log1p(-step / left)
            middle = min(step / time, left)
            total += time * signal_between(signal, row + left_row * middle, column + left_column * middle)
            left -= step
            spent += time
        out[i] = total / lasting
    return out
