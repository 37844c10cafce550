"""Costs of jumps as whole numbers, so that the ways found by comparing costs are the same on every machine.

Costs of short jumps stand in a table by the square of the jump; a long one is computed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.plan.order import Order
from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import log
from stemscan.types import Integers

__all__ = ["JumpCosts", "cost_of", "costs_for"]

_LENGTH, _SETTLE, _TABLE = 0, 1, 2
_UNITS = 256
"""Cost of a pixel of length."""

_TABLED = 1 << 12
_compiled_log = compiled()(log)


class JumpCosts(NamedTuple):
    """Costs of jumps for compiled code.

    Attributes
    ----------
    kind : int
        Of the computation.
    first, second : float
        Limit in pixels and the cost beyond; or time constant in ns and tolerance in pixels.
    jumps, times : array of float64
        Corners of a table of settle times.
    short : array of int64
        Costs of jumps whose square is the index.
    """

    kind: int
    first: float
    second: float
    jumps: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64]
    short: Integers


@compiled()
def _compute(square: Any, kind: int, first: float, second: float, jumps: Any, times: Any) -> np.int64:
    """Cost of a jump with this square."""
    jump = math.sqrt(np.float64(square))
    if kind == _LENGTH:
        return np.int64(jump * _UNITS + (second if jump > first else 0.0))
    if kind == _SETTLE:
        return np.int64(math.ceil(first * _compiled_log(jump / second))) if jump > second else np.int64(0)
    if jump == 0:
        return np.int64(0)
    if jump <= jumps[0]:
        return np.int64(math.ceil(times[0]))
    if jump >= jumps[-1]:
        return np.int64(math.ceil(times[-1]))
    after = np.searchsorted(jumps, jump)
    share = (jump - jumps[after - 1]) / (jumps[after] - jumps[after - 1])
    return np.int64(math.ceil(times[after - 1] + share * (times[after] - times[after - 1])))


@compiled()
def _fill(kind: int, first: float, second: float, jumps: Any, times: Any, short: Any) -> None:
    """Compute the table of short jumps."""
    for square in range(len(short)):
        short[square] = _compute(square, kind, first, second, jumps, times)


@compiled(inline=True)
def cost_of(square: Any, costs: JumpCosts) -> Any:
    """Cost of a jump, given its square in pixels."""
    if square < _TABLED:
        return costs.short[np.uint64(square)]  # unsigned: no look for indices from the end
    return _compute(square, costs.kind, costs.first, costs.second, costs.jumps, costs.times)


def costs_for(order: Order, shape: tuple[int, int]) -> JumpCosts:
    """Costs of jumps under the orders `shortest` (256 a pixel) and `settle-aware` (1 a nanosecond)."""
    none = np.zeros(1)
    kind, first, second, jumps, times = _LENGTH, math.inf, 0.0, none, none
    if order.max_jump_px is not None:
        first, second = float(order.max_jump_px), 4.0 * _UNITS * (shape[0] + shape[1])
    settle = order.settle
    if settle is not None and settle.per_jump is not None:
        kind = _TABLE
        jumps = np.array([jump for jump, _ in settle.per_jump], np.float64)
        times = np.array([time for _, time in settle.per_jump], np.float64)
    elif settle is not None:
        kind, first, second = _SETTLE, float(settle.time_constant_ns or 0), float(settle.tolerance_px or 0)
    short = np.empty(_TABLED, np.int64)
    _fill(kind, first, second, jumps, times, short)
    return JumpCosts(kind, first, second, jumps, times, short)
