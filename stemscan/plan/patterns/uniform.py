"""Uniform random: a fixed number of pixels drawn without repeats from the whole grid."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import RatioPattern

__all__ = ["Uniform"]


class Uniform(RatioPattern):
    """round(ratio H W) pixels of the grid at random, every subset equally likely.

    Parameters
    ----------
    ratio : float
        Samples of a pass per pixel of the grid (of the region), above 0, at most 1.
    """

    default_order: ClassVar[str] = "random"
    kind: Literal["uniform"] = "uniform"
    ratio: Annotated[float, Field(gt=0, le=1), Option(tried=(1e-3, 1.0))]
