"""Which pixels one pass visits, one module a family."""

from typing import Annotated

from pydantic import Field

from stemscan.plan.patterns.base import AreaPattern, PatternBase
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.patterns.blue_noise import BlueNoise
from stemscan.plan.patterns.line_hop import LineHop
from stemscan.plan.patterns.lissajous import Lissajous
from stemscan.plan.patterns.point_list import PointList
from stemscan.plan.patterns.random_walk import RandomWalk
from stemscan.plan.patterns.raster import Hilbert, Interleaved, Raster, Serpentine
from stemscan.plan.patterns.spiral import Spiral
from stemscan.plan.patterns.uniform import Uniform

__all__ = [
    "DEFAULT_ORDERS",
    "FAMILIES",
    "AreaPattern",
    "BlockRandom",
    "BlueNoise",
    "Hilbert",
    "Interleaved",
    "LineHop",
    "Lissajous",
    "Pattern",
    "PatternBase",
    "PointList",
    "RandomWalk",
    "Raster",
    "Serpentine",
    "Spiral",
    "Uniform",
]

Pattern = Annotated[
    BlockRandom
    | Raster
    | Serpentine
    | Uniform
    | LineHop
    | Spiral
    | Lissajous
    | BlueNoise
    | Hilbert
    | RandomWalk
    | Interleaved
    | PointList,
    Field(discriminator="kind"),
]
"""Any pattern, told apart by its `kind`."""

FAMILIES: tuple[type[PatternBase], ...] = (
    BlockRandom,
    Raster,
    Serpentine,
    Uniform,
    LineHop,
    Spiral,
    Lissajous,
    BlueNoise,
    Hilbert,
    RandomWalk,
    Interleaved,
    PointList,
)
"""All patterns."""

DEFAULT_ORDERS = {family.model_fields["kind"].default: family.default_order for family in FAMILIES}
"""Order of each kind of pattern that a plan does not ask for another."""
