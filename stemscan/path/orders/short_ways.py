"""The orders `shortest` and `settle-aware`: short ways through strips, one after the other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stemscan.path.orders.improvement import improve
from stemscan.path.orders.jump_costs import costs_for
from stemscan.path.parts import Parts
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source
from stemscan.plan.order import Order

__all__ = ["by_short_ways"]


def by_short_ways(source: Source) -> Parts:
    """Strips of a source along the curve of each, made cheaper by local changes.

    The last pixel of a strip on its curve stays the last, so that the next strip's way can begin well without this
    one being known.
    """
    plan = source.plan
    orders = [plan.order]
    if plan.order.kind == "settle-aware":  # from a short way on, so that it never settles longer than that
        orders.insert(0, Order(kind="shortest"))
    all_costs = [costs_for(order, plan.shape) for order in orders]

    @lru_cache(maxsize=4)
    def along_curve(number: int, strip: int) -> Pixels:
        return source.strips.along(source.pixels(number, strip), strip)

    def way(number: int, strip: int) -> Pixels:
        before = along_curve(number, strip - 1)[-1:] if strip else np.empty(0, np.uint32)
        pixels = np.concatenate([before, along_curve(number, strip)])
        for costs in all_costs:
            pixels = improve(pixels, plan.shape[1], costs)
        return pixels[len(before) :]

    return Parts(source.starts, way)
