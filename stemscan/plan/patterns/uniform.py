"""Uniform random: a fixed number of pixels drawn without repeats from the whole grid."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.patterns.base import AreaPattern, ratio_as_stated

__all__ = ["Uniform"]


class Uniform(AreaPattern):
    """round(ratio H W) pixels of the grid in each pass, every subset equally likely.

    Parameters
    ----------
    ratio : float
        Sampling ratio of one pass, above 0, at most 1.
    """

    default_order: ClassVar[str] = "random"
    kind: Literal["uniform"] = "uniform"
    ratio: Annotated[float, Field(gt=0, le=1)]

    @property
    def fraction(self) -> Fraction:
        """The ratio as it is stated."""
        return ratio_as_stated(self.ratio)
