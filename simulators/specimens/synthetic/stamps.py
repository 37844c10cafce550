"""Drawing columns: the probe, tabulated at sub-pixel places, is added to the picture at every column.

The table holds the probe at `phases` x `phases` places within a pixel, enough for the rounding of a place to be 1.5 %
of the probe's width, so that the inner loop is one multiplication and addition a pixel. The tail is cut smoothly at a
radius of a few columns; what lies beyond is the same everywhere and belongs to the background.

Values of the table are rounded to multiples of 2**-20, larger than what the mathematics libraries of two machines
differ in; the rest is basic arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.probe import Probe

__all__ = ["SyntheticProbe", "probe_table", "stamp"]

_ROUNDING = 2.0**20


@dataclass(frozen=True)
class SyntheticProbe:
    """A probe that is slightly astigmatic.

    Parameters
    ----------
    profile : Probe
        Width of the core, share and width of the tail.
    stretch : float
        Ratio of the longer to the shorter axis, at least 1.
    angle : float
        Of the longer axis, in radians from the rows' direction.
    """

    profile: Probe
    stretch: float
    angle: float


def probe_table(probe: SyntheticProbe, pixel_size_nm: float, spacing: float) -> NDArray[np.float32]:
    """Tabulate a probe.

    Parameters
    ----------
    spacing : float
        Distance of the nearest columns in pixels; the tail is drawn to twice of it.

    Returns
    -------
    float32 (phases, phases, 2 radius + 1, 2 radius + 1)
        For a column `p / phases` and `q / phases` pixels behind the table's centre; about 1 at the centre.
    """
    sigma = probe.profile.sigma_nm / pixel_size_nm
    tail = max(probe.profile.tail_nm / pixel_size_nm, sigma)
    core = 3.5 * sigma * math.sqrt(probe.stretch)
    radius = max(2, math.ceil(max(core, min(2.0 * spacing, 6.0 * tail))))
    phases = min(24, max(2, math.ceil(19.0 / sigma)))
    turn = (math.cos(probe.angle), math.sin(probe.angle))
    axes = (sigma * math.sqrt(probe.stretch), sigma / math.sqrt(probe.stretch))
    table = np.empty((phases, phases, 2 * radius + 1, 2 * radius + 1), np.float32)
    share = probe.profile.tail / (1 - probe.profile.tail) * (sigma / tail) ** 2
    _tabulate(turn, axes, share, tail, table)
    return table


@compiled()
def _tabulate(
    turn: tuple[float, float], axes: tuple[float, float], share: float, tail: float, table: NDArray[np.float32]
) -> None:
    """Gaussian core of the given axes plus a tail of height `share` and width `tail`, both in pixels."""
    phases = table.shape[0]
    radius = table.shape[2] // 2
    for p in range(phases):
        for q in range(phases):
            for a in range(2 * radius + 1):
                y = a - radius - p / phases
                for b in range(2 * radius + 1):
                    x = b - radius - q / phases
                    u = (turn[0] * y + turn[1] * x) / axes[0]
                    v = (turn[0] * x - turn[1] * y) / axes[1]
                    square = x * x + y * y
                    cut = max(0.0, 1.0 - square / (radius * radius))
                    falling = 1.0 + square / (tail * tail)
                    value = math.exp(-0.5 * (u * u + v * v)) + share / (falling * math.sqrt(falling))
                    table[p, q, a, b] = np.rint(value * (cut * (2.0 - cut)) * _ROUNDING) / _ROUNDING


@compiled()
def stamp(
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    amounts: NDArray[np.float64],
    table: NDArray[np.float32],
    field: NDArray[np.float32],
) -> None:
    """Add columns to a picture.

    Parameters
    ----------
    rows, columns : float64 (n,)
        Places in pixels of the picture; those too far outside to be seen are skipped.
    amounts : float64 (n,)
        Heights.
    table : float32 (phases, phases, 2 radius + 1, 2 radius + 1)
        From `probe_table`.
    field : float32 (H, W)
        Changed in place.
    """
    height, width = field.shape
    phases = table.shape[0]
    radius = table.shape[2] // 2
    for n in range(rows.size):
        fine_row = int(np.floor(rows[n] * phases + 0.5))
        fine_column = int(np.floor(columns[n] * phases + 0.5))
        row = fine_row // phases
        column = fine_column // phases
        if row + radius < 0 or column + radius < 0 or row - radius >= height or column - radius >= width:
            continue
        picture = table[fine_row - row * phases, fine_column - column * phases]
        amount = np.float32(amounts[n])
        left = max(0, column - radius)
        count = min(width - 1, column + radius) - left + 1
        first = left - column + radius
        for y in range(max(0, row - radius), min(height - 1, row + radius) + 1):
            line = field[y, left : left + count]
            source = picture[y - row + radius, first : first + count]
            for k in range(count):
                line[k] += amount * source[k]
