"""One engine for all paths: a source says which pixels a pass visits, an order in what sequence.

Every source makes the pixels of a pass strip by strip, and every order arranges what any source makes. Where a source
can tell the samples of an order one by one, it does so instead, and no strip is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stemscan.path.orders.delocalised import delocalised
from stemscan.path.orders.lines import by_lines
from stemscan.path.orders.random import at_random
from stemscan.path.orders.short_ways import by_short_ways
from stemscan.path.parts import Fill
from stemscan.path.sources.base import Source
from stemscan.path.sources.blue_noise import BlueNoiseSource
from stemscan.path.sources.full import FullSource
from stemscan.path.sources.tiles import TileSource
from stemscan.path.sources.uniform import UniformSource
from stemscan.path.sources.ways import WaySource
from stemscan.plan.patterns.base import AreaPattern, Way
from stemscan.plan.patterns.blue_noise import BlueNoise
from stemscan.plan.patterns.raster import FullPattern
from stemscan.plan.patterns.uniform import Uniform

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["expand", "source_of"]

SOURCES: Final[dict[type, Callable[[ScanPlan], Source]]] = {
    AreaPattern: TileSource,
    FullPattern: FullSource,
    Uniform: UniformSource,
    BlueNoise: BlueNoiseSource,
    Way: WaySource,
}
"""Sources by pattern, or by a base of patterns: a new pattern of tiles needs no line here."""

ORDERS: Final[dict[str, Callable[[Source], Fill]]] = {
    "raster": by_lines,
    "serpentine": by_lines,
    "serpentine-blocks": by_lines,
    "random": at_random,
    "shortest": by_short_ways,
    "settle-aware": by_short_ways,
    "delocalised": delocalised,
}
"""Orders by their kind; every source can be arranged by every one of them."""


def source_of(plan: ScanPlan) -> Source:
    """Source of the plan's pattern and region.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When a file of the plan is missing or not what the plan states.
    """
    family = next(kind for kind in type(plan.pattern).__mro__ if kind in SOURCES)
    return SOURCES[family](plan)


def expand(plan: ScanPlan) -> Fill:
    """Combine the source of the plan's pixels with its order.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        As of `source_of`; from the `Fill` also when the plan states another number of samples.
    """
    source = source_of(plan)
    return source.alone(plan.order.kind) or ORDERS[plan.order.kind](source)
