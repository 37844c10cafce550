"""Compiled: making a way cheaper by local changes: turning stretches round and moving single pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled
from stemscan.orders.jump_costs import JumpCosts, cost_of

__all__ = ["improve"]


@compiled(inline=True)
def _square(rows: Any, columns: Any, i: Any, j: Any) -> Any:
    """Squared distance of two pixels of the way."""
    down, across = rows[i] - rows[j], columns[i] - columns[j]
    return down * down + across * across


@compiled()
def _turn(rows: Any, columns: Any, first: Any, last: Any) -> None:
    """Turn the stretch first .. last round."""
    while first < last:
        rows[first], rows[last] = rows[last], rows[first]
        columns[first], columns[last] = columns[last], columns[first]
        first += 1
        last -= 1


@compiled()
def _move(rows: Any, columns: Any, start: Any, stop: Any) -> None:
    """Move the pixel at `start` to `stop`; what is between moves up or down by one."""
    row, column = rows[start], columns[start]
    step = 1 if stop > start else -1
    at = start
    while at != stop:
        rows[at], columns[at] = rows[at + step], columns[at + step]
        at += step
    rows[stop], columns[stop] = row, column


@compiled()
def _best_turn(rows: Any, columns: Any, i: Any, reach: int, costs: JumpCosts) -> bool:
    """Turn round that stretch after i, of up to `reach` pixels, which saves most; whether one saves anything."""
    n = len(rows)
    best, best_stop = np.int64(0), 0
    out = cost_of(_square(rows, columns, i, i + 1), costs)
    for j in range(i + 2, min(n, i + reach + 1)):
        change = cost_of(_square(rows, columns, i, j), costs) - out
        if j + 1 < n:
            change += cost_of(_square(rows, columns, i + 1, j + 1), costs)
            change -= cost_of(_square(rows, columns, j, j + 1), costs)
        if change < best:
            best, best_stop = change, j
    if best_stop:
        _turn(rows, columns, i + 1, best_stop)
    return best_stop > 0


@compiled()
def _best_move(rows: Any, columns: Any, i: Any, reach: int, costs: JumpCosts) -> bool:
    """Move pixel i to that place within `reach` which saves most; whether one saves anything."""
    n = len(rows)
    gain = cost_of(_square(rows, columns, i - 1, i), costs)
    if i + 1 < n:
        gain += cost_of(_square(rows, columns, i, i + 1), costs)
        gain -= cost_of(_square(rows, columns, i - 1, i + 1), costs)
    if gain <= 0:
        return False
    best, best_stop = np.int64(0), -1
    for j in range(max(0, i - reach), min(n - 1, i + reach)):
        if j == i or j == i - 1:
            continue
        change = cost_of(_square(rows, columns, j, i), costs) + cost_of(_square(rows, columns, i, j + 1), costs)
        change -= cost_of(_square(rows, columns, j, j + 1), costs) + gain
        if change < best:
            best, best_stop = change, j
    if best_stop < 0:
        return False
    _move(rows, columns, i, best_stop if best_stop > i else best_stop + 1)
    return True


@compiled()
def improve(
    pixels: npt.NDArray[np.uint32], width: int, costs: JumpCosts, reach: int, sweeps: int
) -> npt.NDArray[np.uint32]:
    """A cheaper way through the same pixels, (n,) uint32 row * width + column.

    Parameters
    ----------
    pixels : array of uint32
        The way to begin with; its first pixel stays the first.
    width : int
        Columns of the grid.
    costs : JumpCosts
    reach : int
        How far along the way a change may look, in pixels.
    sweeps : int
        How often the whole way is gone along.
    """
    n = len(pixels)
    rows, columns = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        rows[i], columns[i] = np.int64(pixels[i]) // width, np.int64(pixels[i]) % width
    for _ in range(sweeps):
        changed = False
        for i in range(n - 2):
            changed |= _best_turn(rows, columns, i, reach, costs)
            changed |= _best_move(rows, columns, i + 1, reach, costs)
        if not changed:
            break
    out = np.empty(n, np.uint32)
    for i in range(n):
        out[i] = np.uint32(rows[i] * width + columns[i])
    return out
