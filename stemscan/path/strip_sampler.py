"""Orders that go through the grid strip by strip: by lines, or by short ways."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from stemscan.path.jump_costs import costs_for
from stemscan.path.line_orders import line_numbers
from stemscan.path.short_ways import improve
from stemscan.path.strip_sources import Pixels, StripSource, points_of
from stemscan.path.traversal import ORDER_CODES, Positions
from stemscan.plan.order import Order

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["StripSampler"]

_KEPT = 4


class StripSampler:
    """Points of a plan whose order goes strip by strip; a strip is made when it is asked for.

    Parameters
    ----------
    plan : ScanPlan
        In one of the orders of lines, `shortest` or `settle-aware`.
    source : StripSource
        Of the pixels.
    """

    def __init__(self, plan: ScanPlan, source: StripSource) -> None:
        self._source = source
        self._width = plan.shape[1]
        arrange = _by_lines(plan, source) if plan.order.kind in ORDER_CODES else _Ways(plan, source)
        self._arranged = lru_cache(maxsize=_KEPT)(arrange)

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        starts = self._source.starts(number)
        out = np.empty((stop - start, 2), np.int32)
        strip, at = int(np.searchsorted(starts, start, side="right")) - 1, start
        while at < stop:
            last = min(stop, int(starts[strip + 1]))
            pixels = self._arranged(number, strip)[at - int(starts[strip]) : last - int(starts[strip])]
            out[at - start : last - start] = points_of(pixels, self._width)
            strip, at = strip + 1, last
        return out


def _by_lines(plan: ScanPlan, source: StripSource) -> Callable[[int, int], Pixels]:
    """What brings the pixels of a strip into an order of `stemscan.path.traversal`."""
    code = ORDER_CODES[plan.order.kind]

    def arranged(number: int, strip: int) -> Pixels:
        pixels = source.pixels(number, strip)
        return pixels[np.argsort(line_numbers(pixels, plan.shape, plan.pattern.tile, code))]

    return arranged


class _Ways:
    """Short ways through strips: the curve of each, made cheaper by local changes.

    The last pixel of a strip on its curve stays the last, so that the next strip's way can begin well without this
    one being known.
    """

    def __init__(self, plan: ScanPlan, source: StripSource) -> None:
        self._source, self._width = source, plan.shape[1]
        orders = [plan.order]
        if plan.order.kind == "settle-aware":  # from a short way on, so that it never settles longer than that
            orders.insert(0, Order(kind="shortest"))
        self._costs = [costs_for(order, plan.shape) for order in orders]
        self._along_curve = lru_cache(maxsize=_KEPT)(self._on_curve)

    def __call__(self, number: int, strip: int) -> Pixels:
        """The way through a strip."""
        before = self._along_curve(number, strip - 1)[-1:] if strip else np.empty(0, np.uint32)
        way = np.concatenate([before, self._along_curve(number, strip)])
        for costs in self._costs:
            way = improve(way, self._width, costs)
        return way[len(before) :]

    def _on_curve(self, number: int, strip: int) -> Pixels:
        """The pixels of a strip along its curve."""
        return self._source.strips.along(self._source.pixels(number, strip), strip)
