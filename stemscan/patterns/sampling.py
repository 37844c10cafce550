"""From a plan to what expands it: band by band, sample by sample, or a whole pass at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stemscan.patterns.banded import BANDED, banded_sampler
from stemscan.patterns.own_ways import OWN_WAYS, OwnSampler
from stemscan.patterns.traversal import ORDER_CODES, Positions
from stemscan.patterns.whole_pass import WholePassSampler

if TYPE_CHECKING:
    from stemscan.plan import ScanPlan

__all__ = ["Sampler", "sampler_for"]


class Sampler(Protocol):
    """Whatever expands stretches of the passes of one plan."""

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        ...


def sampler_for(plan: ScanPlan) -> Sampler:
    """The sampler of the plan's pattern, region and order."""
    if plan.region is None:
        if isinstance(plan.pattern, OWN_WAYS) and plan.order.kind == "own":
            return OwnSampler(plan)
        if isinstance(plan.pattern, BANDED) and plan.order.kind in (*ORDER_CODES, "random"):
            return banded_sampler(plan)
    return WholePassSampler(plan)
