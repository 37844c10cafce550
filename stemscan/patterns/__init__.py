"""Which pixels one pass visits, one module a family."""

from typing import Annotated

from pydantic import Field

from stemscan.patterns.base import PatternBase
from stemscan.patterns.block_random import BlockRandom
from stemscan.patterns.line_hop import LineHop
from stemscan.patterns.raster import Raster, Serpentine
from stemscan.patterns.uniform import Uniform

__all__ = ["BlockRandom", "LineHop", "Pattern", "PatternBase", "Raster", "Serpentine", "Uniform"]

Pattern = Annotated[BlockRandom | Raster | Serpentine | Uniform | LineHop, Field(discriminator="kind")]
"""Any pattern, told apart by its `kind`."""
