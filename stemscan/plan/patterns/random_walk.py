"""Random walk: from pixel to neighbouring pixel, so that no jump is ever long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import RatioPattern, Way

__all__ = ["RandomWalk"]


class RandomWalk(Way, RatioPattern):
    """round(ratio H W) samples, each `step` pixels beside the one before in one of eight directions; another walk in
    each pass.

    A walk begins at a random pixel. A step that would leave the grid or the region goes in another
    direction; where none is possible the beam stays.

    Parameters
    ----------
    ratio : float
        Samples of a pass per pixel of the grid (of the region), above 0, at most 4.
    step : int
        Pixels of a step along rows, columns or both, 1 to 1024.
    """

    kind: Literal["random-walk"] = "random-walk"
    ratio: Annotated[float, Field(gt=0, le=4), Option(tried=(1e-3, 2.0))]
    step: Annotated[int, Field(ge=1, le=1024), Option(tried=range(1, 6))] = 1
