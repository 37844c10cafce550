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
from stemscan.simulators.instrument.interpolation import bilinear, signal_between

__all__ = ["mean_signal"]

_PIECE = 0.5
_LONG_PIECE = 2.0
_FEW = 4
_TABLE = 1024


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
        Commanded positions.
    lasting : float
        Dwell time over time constant, above 0.

    Returns
    -------
    float32 (n,)
    """
    out = np.empty(len(commands), np.float32)
    gone = -math.expm1(-lasting)  # share of a way that is made in a dwell
    times, middles = np.empty((_TABLE + 1, _TABLE)), np.empty((_TABLE + 1, _TABLE))
    known = np.zeros(_TABLE + 1, np.bool_)
    for i in range(len(commands)):
        row, column = commands[i, 0], commands[i, 1]
        left_row, left_column = begins[i, 0] - row, begins[i, 1] - column
        way = math.hypot(left_row, left_column) * gone
        pieces = max(1, min(math.ceil(way / _PIECE), math.ceil(way / _LONG_PIECE) + _FEW, _TABLE))
        if not known[pieces]:
            known[pieces] = True
            _cut(lasting, gone, pieces, times[pieces], middles[pieces])
        total = 0.0
        for piece in range(pieces - 1):
            middle = middles[pieces, piece]
            total += times[pieces, piece] * bilinear(signal, row + left_row * middle, column + left_column * middle)
        middle = middles[pieces, pieces - 1]
        last = signal_between(signal, row + left_row * middle, column + left_column * middle)
        out[i] = (total + times[pieces, pieces - 1] * last) / lasting
    return out


@compiled()
def _cut(lasting: float, gone: float, pieces: int, times: NDArray[np.float64], middles: NDArray[np.float64]) -> None:
    """Cut a way into pieces: the time of each, and the share of the way that is left at its mean position in time."""
    step = gone / pieces
    left, spent = 1.0, 0.0
    for piece in range(pieces):
        times[piece] = lasting - spent if piece == pieces - 1 else -math.log1p(-step / left)
        middles[piece] = min(step / times[piece], left)
        left -= step
        spent += times[piece]
