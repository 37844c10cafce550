"""Blue noise: random pixels that keep their distance, without the holes and clumps of independent ones."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import RatioPattern

__all__ = ["BlueNoise"]


class BlueNoise(RatioPattern):
    """round(ratio H W) pixels at random that keep their distance; other ones in each pass.

    The curve through the grid's strips (`stemscan.path.strips`) is cut into as many stretches as there are samples,
    in each strip beginning at random. Each gets one sample, in two sweeps: of four random candidates, and then of eight
    and what it has, the one farthest from all others (Mitchell, SIGGRAPH 1991).

    Parameters
    ----------
    ratio : float
        Samples of a pass per pixel of the grid (of the region), above 0, at most 1.
    """

    default_order: ClassVar[str] = "serpentine-blocks"
    exclusive: ClassVar[bool] = False
    kind: Literal["blue-noise"] = "blue-noise"
    ratio: Annotated[float, Field(gt=0, le=1), Option(tried=(1e-3, 1.0))]
