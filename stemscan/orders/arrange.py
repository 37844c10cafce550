"""From the pixels of a pass to their order, for orders that look at the whole pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.orders.far_apart import far_apart
from stemscan.orders.hilbert_curve import curve_places
from stemscan.orders.jump_costs import costs_for
from stemscan.orders.line_orders import line_numbers
from stemscan.orders.model import Order
from stemscan.orders.short_ways import improve
from stemscan.patterns.traversal import ORDER_CODES
from stemscan.permutation import CHUNK, domain, permute_back_chunk, round_keys
from stemscan.random import Stream

if TYPE_CHECKING:
    from stemscan.plan import ScanPlan

__all__ = ["arrange"]

Pixels = npt.NDArray[np.uint32]


def arrange(pixels: Pixels, plan: ScanPlan, number: int) -> Pixels:
    """Bring the pixels of a pass into the plan's order.

    Parameters
    ----------
    pixels : array of uint32
        row * columns + column, as the pattern has them; a pixel may be there several times.
    plan : ScanPlan
    number : int
        Of the pass.

    Returns
    -------
    array of uint32
    """
    kind = plan.order.kind
    if kind == "own":
        return pixels
    if kind == "random":
        return _at_random(pixels, plan, number)
    if kind in ORDER_CODES:
        return _by(line_numbers(pixels, plan.shape, plan.pattern.tile, ORDER_CODES[kind]), pixels)
    if kind == "delocalised":
        return far_apart(np.sort(pixels), plan.shape)
    way = _by(curve_places(pixels, plan.shape), pixels)
    if kind == "settle-aware":  # from a short way on, so that it never settles longer than that
        way = improve(way, plan.shape[1], costs_for(Order(kind="shortest"), plan.shape))
    return improve(way, plan.shape[1], costs_for(plan.order, plan.shape))


def _by(numbers: npt.NDArray[np.int64] | Pixels, pixels: Pixels) -> Pixels:
    """Sort pixels by numbers."""
    return pixels[np.argsort(numbers, kind="stable")]


def _at_random(pixels: Pixels, plan: ScanPlan, number: int) -> Pixels:
    """Shuffle pixels by the pass's permutation."""
    n = len(pixels)
    keys = round_keys(n, np.uint64(plan.seed), Stream.ORDER, number)
    bits, high_values = domain(n)
    places = np.empty(CHUNK, np.int64)
    shuffled = np.empty_like(pixels)
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        permute_back_chunk(start, count, n, bits, high_values, keys, places)
        shuffled[places[:count]] = pixels[start : start + count]
    return shuffled
