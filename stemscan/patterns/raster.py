"""Full scans: every pixel once a pass, line by line in one direction or in alternating ones."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal

from stemscan.patterns.base import DEFAULT_TILE, PatternBase

__all__ = ["Raster", "Serpentine"]


class _Full(PatternBase):
    """Every pixel of the grid."""

    @property
    def tile(self) -> tuple[int, int]:
        """Tiles for orders that go over blocks."""
        return DEFAULT_TILE, DEFAULT_TILE

    @property
    def fraction(self) -> Fraction:
        """One: everything is visited."""
        return Fraction(1)


class Raster(_Full):
    """Every pixel, each row from left to right."""

    default_order: ClassVar[str] = "raster"
    kind: Literal["raster"] = "raster"


class Serpentine(_Full):
    """Every pixel, even rows from left to right and odd rows back."""

    default_order: ClassVar[str] = "serpentine"
    kind: Literal["serpentine"] = "serpentine"
