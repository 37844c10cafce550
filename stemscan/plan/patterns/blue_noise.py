"""Blue noise: random pixels that keep their distance, without the holes and clumps of independent ones."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.patterns.base import AreaPattern, ratio_as_stated

__all__ = ["BlueNoise"]


class BlueNoise(AreaPattern):
    """round(ratio H W) pixels, evenly spread and at random, other ones in each pass.

    The curve through the grid's strips (`stemscan.path.strips`) is cut into as many stretches as there are samples,
    in each strip beginning at random. Each gets one sample, in two sweeps: of four random candidates, and then of eight
    and what it has, the one farthest from all others (Mitchell, SIGGRAPH 1991).

    Parameters
    ----------
    ratio : float
        Sampling ratio of one pass, above 0, at most 1.
    """

    default_order: ClassVar[str] = "serpentine-blocks"
    exclusive: ClassVar[bool] = False
    kind: Literal["blue-noise"] = "blue-noise"
    ratio: Annotated[float, Field(gt=0, le=1)]

    @property
    def fraction(self) -> Fraction:
        """The ratio as it is stated."""
        return ratio_as_stated(self.ratio)
