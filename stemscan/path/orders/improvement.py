"""Compiled: making a way cheaper by local changes: turning stretches round and moving single pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.path.orders.jump_costs import JumpCosts, cost_of
from stemscan.runtime.compiled import compiled

__all__ = ["improve"]

_REACH = 6
"""Pixels along the way that a change looks at."""


@compiled(inline=True)
def _square(rows: Any, columns: Any, i: Any, j: Any) -> Any:
    """Squared distance of two pixels of the way."""
    down, across = rows[i] - rows[j], columns[i] - columns[j]
    return down * down + across * across


@compiled()
def _turn(rows: Any, columns: Any, edges: Any, first: Any, last: Any) -> None:
    """Turn the stretch first .. last round, and the costs of the jumps inside it."""
    low, high = first, last - 1
    while low < high:
        edges[low], edges[high] = edges[high], edges[low]
        low += 1
        high -= 1
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
def _best_turn(rows: Any, columns: Any, edges: Any, i: Any, costs: JumpCosts) -> None:
    """Turn round that stretch after i which saves most.

    Only new jumps from i that are cheaper than the one it has are looked at.
    """
    n = len(rows)
    out = edges[i]
    best, best_stop = np.int64(0), 0
    for j in range(i + 2, min(n - 1, i + _REACH + 1)):
        change = cost_of(_square(rows, columns, i, j), costs) - out
        if change < best:
            change += cost_of(_square(rows, columns, i + 1, j + 1), costs) - edges[j]
            if change < best:
                best, best_stop = change, j
    if best_stop == 0:
        return
    _turn(rows, columns, edges, i + 1, best_stop)
    edges[i] = cost_of(_square(rows, columns, i, i + 1), costs)
    edges[best_stop] = cost_of(_square(rows, columns, best_stop, best_stop + 1), costs)


@compiled()
def _best_move(rows: Any, columns: Any, edges: Any, i: Any, costs: JumpCosts) -> None:
    """Move pixel i to that place nearby which saves most."""
    n = len(rows)
    gain = edges[i - 1] + edges[i] - cost_of(_square(rows, columns, i - 1, i + 1), costs)
    if gain <= 0:
        return
    best, best_stop = np.int64(0), -1
    low = max(0, i - _REACH)
    before = cost_of(_square(rows, columns, low, i), costs)
    for j in range(low, min(n - 1, i + _REACH)):
        after = cost_of(_square(rows, columns, i, j + 1), costs)
        change = before + after - edges[j] - gain
        before = after
        if change < best and j != i and j != i - 1:
            best, best_stop = change, j
    if best_stop < 0:
        return
    stop = best_stop if best_stop > i else best_stop + 1
    _move(rows, columns, i, stop)
    for j in range(max(0, min(i, stop) - 1), min(n - 1, max(i, stop) + 1)):
        edges[j] = cost_of(_square(rows, columns, j, j + 1), costs)


@compiled()
def improve(pixels: npt.NDArray[np.uint32], width: int, costs: JumpCosts) -> npt.NDArray[np.uint32]:
    """A cheaper way through the same pixels, (n,) uint32 row * width + column, in one sweep along the way.

    Parameters
    ----------
    pixels : array of uint32
        The way to begin with; its first and its last pixel stay where they are.
    width : int
        Columns of the grid.
    """
    n = len(pixels)
    rows, columns = np.empty(n, np.int64), np.empty(n, np.int64)
    edges = np.zeros(n, np.int64)  # cost of the jump from each pixel to the next
    for i in range(n):
        rows[i], columns[i] = np.int64(pixels[i]) // width, np.int64(pixels[i]) % width
        if i:
            edges[i - 1] = cost_of(_square(rows, columns, i - 1, i), costs)
    least = cost_of(1, costs)
    for i in range(n - 2):
        if edges[i] > least:
            _best_turn(rows, columns, edges, i, costs)
        _best_move(rows, columns, edges, i + 1, costs)
    out = np.empty(n, np.uint32)
    for i in range(n):
        out[i] = np.uint32(rows[i] * width + columns[i])
    return out
