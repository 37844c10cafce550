"""Line-hop: the beam runs along a band of rows and hops across it at random (Kovarik et al., APL 109, 164102, 2016)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import AreaPattern

__all__ = ["LineHop"]

_HIGHEST: Final = 1024


class LineHop(AreaPattern):
    """One pixel at a random row in each column of each whole band of rows; the columns of a band that the edge of the
    grid cuts share the rest of the round(H W / height) visits.

    Parameters
    ----------
    height : int
        Rows of a band, 1 to 1024; the sampling ratio is 1 / height.
    """

    default_order: ClassVar[str] = "serpentine-blocks"
    ratio_field: ClassVar[str | None] = "height"
    kind: Literal["line-hop"] = "line-hop"
    height: Annotated[int, Field(ge=1, le=_HIGHEST), Option(tried=range(1, 21))]

    @property
    def tile(self) -> tuple[int, int]:
        """One column of a band."""
        return self.height, 1

    @property
    def fraction(self) -> Fraction:
        """1 / height."""
        return Fraction(1, self.height)

    def at_ratio(self, ratio: Fraction) -> Self | None:
        """Make a copy with bands as high as this ratio allows; at most all pixels."""
        return self.replace(height=min(_HIGHEST, max(1, math.floor(1 / ratio))))
