"""Which pixels one pass visits, one module a family."""

from typing import Annotated

from pydantic import Field

from stemscan.patterns.base import AreaPattern, PatternBase
from stemscan.patterns.block_random import BlockRandom
from stemscan.patterns.blue_noise import BlueNoise
from stemscan.patterns.line_hop import LineHop
from stemscan.patterns.lissajous import Lissajous
from stemscan.patterns.point_list import PointList
from stemscan.patterns.random_walk import RandomWalk
from stemscan.patterns.raster import Hilbert, Interleaved, Raster, Serpentine
from stemscan.patterns.spiral import Spiral
from stemscan.patterns.uniform import Uniform

__all__ = [
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
