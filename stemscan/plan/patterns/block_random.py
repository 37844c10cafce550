"""Block-random: n pixels at random in every B x B block (He et al., ICCV 2021, Section 4.1)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from stemscan.plan.messages import BrokenRule
from stemscan.plan.options import Option
from stemscan.plan.patterns.base import AreaPattern

__all__ = ["BlockRandom"]


class BlockRandom(AreaPattern):
    """Exactly n pixels at random in each whole B x B block; blocks that the edge of the grid cuts share the rest of the
    round(n H W / B^2) samples by area.

    Parameters
    ----------
    block : int
        Side B of a block in pixels, 1 to 1024.
    samples_per_block : int
        Samples n in a whole block, 1 to B^2.
    """

    default_order: ClassVar[str] = "serpentine-blocks"
    example: ClassVar = {"block": 8, "samples_per_block": 3}
    ratio_field: ClassVar[str | None] = "samples_per_block"
    kind: Literal["block-random"] = "block-random"
    block: Annotated[int, Field(ge=1, le=1024), Option(default=8, tried=range(1, 10))]
    samples_per_block: Annotated[int, Field(ge=1), Option("--per-block", default=3, tried=range(1, 82))]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.samples_per_block > self.block**2:
            raise BrokenRule(
                "samples_per_block",
                f"expected at most {self.block**2} in a block of {self.block} x {self.block}, got "
                f"{self.samples_per_block}; take fewer, or larger blocks",
            )
        return self

    @property
    def tile(self) -> tuple[int, int]:
        """The block."""
        return self.block, self.block

    @property
    def fraction(self) -> Fraction:
        """n / B^2."""
        return Fraction(self.samples_per_block, self.block**2)

    def at_ratio(self, ratio: Fraction) -> Self | None:
        """Make a copy with as many samples in a block as this ratio needs; at most all pixels."""
        return self.replace(samples_per_block=min(self.block**2, math.ceil(ratio * self.block**2)))
