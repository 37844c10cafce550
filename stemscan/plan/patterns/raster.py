"""Full scans: every pixel once a pass, line by line, with lines or pixels left for later, or along a Hilbert curve."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stemscan.plan.options import Option
from stemscan.plan.patterns.base import AreaPattern

__all__ = ["FullPattern", "Hilbert", "Interleaved", "Raster", "Serpentine"]


class FullPattern(AreaPattern):
    """Every pixel of the grid."""

    @property
    def fraction(self) -> Fraction:
        """One: everything is visited."""
        return Fraction(1)


class Raster(FullPattern):
    """Every pixel, each row from left to right."""

    default_order: ClassVar[str] = "raster"
    kind: Literal["raster"] = "raster"


class Serpentine(FullPattern):
    """Every pixel, even rows from left to right and odd rows back."""

    default_order: ClassVar[str] = "serpentine"
    kind: Literal["serpentine"] = "serpentine"


class Hilbert(FullPattern):
    """Every pixel along the Hilbert curve of the grid: steps of one pixel, but for one diagonal where the longer side
    is odd and the shorter even.

    See `stemscan.path.hilbert_curve`.
    """

    default_order: ClassVar[str] = "own"
    kind: Literal["hilbert"] = "hilbert"


class Interleaved(FullPattern):
    """Every pixel, in rasters one after the other that leave out what lies between.

    The row_stride x column_stride rasters begin at (0, 0), (0, 1), ..., (1, 0), ...; neighbours are visited a raster's
    time apart or more (Velazco et al., Ultramicroscopy 232, 113398, 2022).

    Parameters
    ----------
    row_stride : int
        Distance of the rows of one raster, 1 to 1024.
    column_stride : int
        Distance of its columns, 1 to 1024.
    """

    default_order: ClassVar[str] = "own"
    kind: Literal["interleaved"] = "interleaved"
    row_stride: Annotated[int, Field(ge=1, le=1024), Option(tried=range(1, 10))] = 2
    column_stride: Annotated[int, Field(ge=1, le=1024), Option(tried=range(1, 10))] = 1
