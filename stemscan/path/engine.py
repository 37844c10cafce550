"""From a plan to what expands it: sample by sample, band by band, strip by strip, or a whole pass at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from stemscan.errors import PlanError
from stemscan.path.banded import BANDED, banded_sampler, shuffled_pixels
from stemscan.path.blue_noise_strips import BlueNoiseStrips
from stemscan.path.delocalised import DelocalisedGrid, DelocalisedTiles, has_small_tiles
from stemscan.path.delocalised_strips import DelocalisedStrips
from stemscan.path.own_ways import OWN_WAYS, OwnInRegion, OwnSampler
from stemscan.path.strip_sampler import StripSampler
from stemscan.path.strip_sources import GridStrips, RegionStrips, StripSource, TileStrips, UniformStrips
from stemscan.path.traversal import ORDER_CODES, Positions
from stemscan.path.walk_sampler import WalkSampler
from stemscan.path.whole_pass import ListStrips, ShuffledSampler
from stemscan.plan.patterns.blue_noise import BlueNoise
from stemscan.plan.patterns.random_walk import RandomWalk
from stemscan.plan.patterns.raster import FullPattern
from stemscan.plan.patterns.uniform import Uniform

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["Sampler", "sampler_for", "samples_inside"]

_MOST_SHUFFLED: Final = 256
"""Pixels of a block for a sample of the order `random`: beyond it a whole pass is quicker by several times."""


class Sampler(Protocol):
    """Whatever expands stretches of the passes of one plan."""

    def expand(self, number: int, start: int, stop: int) -> Positions:
        """Points start .. stop - 1 of pass `number` in visiting order, (stop - start, 2) int32 (row, column)."""
        ...


def sampler_for(plan: ScanPlan) -> Sampler:
    """The sampler of the plan's pattern, region and order.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When a file of the plan is missing or not what the plan states.
    """
    order = plan.order.kind
    if order == "own":
        return _own_way(plan)
    if plan.region is None and isinstance(plan.pattern, BANDED):
        shuffles_little = plan.repeat != "exclusive" or shuffled_pixels(plan) <= _MOST_SHUFFLED
        if order in ORDER_CODES or (order == "random" and shuffles_little):
            return banded_sampler(plan)
    if plan.region is None and order == "delocalised":
        if isinstance(plan.pattern, FullPattern):
            return DelocalisedGrid(plan)
        if has_small_tiles(plan):
            return DelocalisedTiles(plan)
    source = _source_for(plan)
    if order == "delocalised":
        return DelocalisedStrips(plan, source)
    return ShuffledSampler(plan, source) if order == "random" else StripSampler(plan, source)


def _own_way(plan: ScanPlan) -> Sampler:
    """The sampler of a way in its own order."""
    if isinstance(plan.pattern, RandomWalk):
        return WalkSampler(plan)
    return OwnSampler(plan) if plan.region is None else OwnInRegion(plan)


def _source_for(plan: ScanPlan) -> StripSource:
    """What makes the pixels of a pass strip by strip."""
    pattern = plan.pattern
    if isinstance(pattern, BlueNoise):
        return BlueNoiseStrips(plan)
    if not isinstance(pattern, BANDED):
        return ListStrips(plan, _own_way(plan))
    if isinstance(pattern, Uniform):
        return UniformStrips(plan)
    if plan.region is None:
        return GridStrips(plan)
    return RegionStrips(plan) if isinstance(pattern, FullPattern) else TileStrips(plan)


def samples_inside(plan: ScanPlan) -> int:
    """Count the samples of a pass of a way that lie inside the plan's region, whatever the plan states.

    Raises
    ------
    InputNotFoundError, DataError, PlanError
        When a file of the plan is missing or not what the plan states.
    """
    if plan.region is None or not isinstance(plan.pattern, OWN_WAYS):
        raise PlanError(f"expected a way in a region, got {plan.pattern.kind}")
    return int(OwnInRegion(plan).starts[-1])
