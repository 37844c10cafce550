"""Base of all patterns: validated values that say how a pass divides the grid and how many pixels it visits.

A pattern is pure data. The pixels themselves come from `stemscan.path.engine`, which is compiled and imported
only when a path is expanded.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from pathlib import Path
from typing import ClassVar, Self

from stemscan.plan.region import RegionBase
from stemscan.plan.value import PlanValue

__all__ = ["DEFAULT_TILE", "AreaPattern", "PatternBase", "RatioPattern", "Way", "ratio_as_stated"]


DEFAULT_TILE = 32
"""Side, in pixels, of the tiles in which patterns without blocks of their own are traversed."""


class PatternBase(PlanValue):
    """Base of all patterns.

    A pattern is declared in one module of this folder: its kind, its fields with their limits, options and values for
    tests, its default order. The first paragraph of its docstring and the texts of its parameters are those of the
    documentation and of the command line. All else that knows patterns (the union, errors, `stemscan plan`, the
    strategies for tests, the table in docs/plan.md) is made from that.
    """

    default_order: ClassVar[str]
    """Kind of the order in which the pattern is visited unless the plan says otherwise."""

    repeats_pixels: ClassVar[bool] = False
    """Tell whether a pass may visit a pixel several times."""

    exclusive: ClassVar[bool] = True
    """Tell whether passes can avoid the pixels of earlier ones."""

    by_area: ClassVar[bool] = False
    """Tell whether the samples in a region follow from its pixels; else the region states them."""

    needs_file: ClassVar[bool] = False
    """Tell whether the pattern is nothing without a file."""

    ratio_field: ClassVar[str | None] = None
    """Name of the field that `at_ratio` changes; None of a pattern whose ratio is not its own to choose."""

    kind: str

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the tiles that the pattern divides the grid into, for orders that go over blocks."""
        return DEFAULT_TILE, DEFAULT_TILE

    @abstractmethod
    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Count the samples of one pass over a grid of `shape` (rows, columns); at least one."""

    def samples_in_region(self, region: RegionBase, shape: tuple[int, int]) -> int:
        """Count the samples of one pass inside a region of a grid."""
        return region.samples or 0

    def at_ratio(self, ratio: Fraction) -> Self | None:
        """Make a copy of this sampling ratio of a pass, or of the next higher that can be; at most all pixels.

        None of a pattern without a `ratio_field`.
        """
        return None

    def check_file(self, shape: tuple[int, int], folder: Path) -> None:
        """Refuse a file, found from `folder`, that is missing or not what the pattern states.

        Raises
        ------
        InputNotFoundError, DataError, PlanError
            Naming the file.
        """
        return


class AreaPattern(PatternBase):
    """Base of patterns whose samples are a share of the pixels, of the grid or of a region."""

    by_area: ClassVar[bool] = True

    @property
    @abstractmethod
    def fraction(self) -> Fraction:
        """Nominal sampling ratio of one pass, exact."""

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Count the samples of one pass over a grid of `shape` (rows, columns); at least one."""
        return self.samples_in(shape[0] * shape[1])

    def samples_in_region(self, region: RegionBase, shape: tuple[int, int]) -> int:
        """Count the samples of one pass inside a region of a grid."""
        return self.samples_in(region.pixels_in(shape))

    def samples_in(self, pixels: int) -> int:
        """Count the samples of one pass over so many pixels; at least one."""
        return max(1, round(self.fraction * pixels))


class RatioPattern(AreaPattern):
    """Base of patterns that state their samples as a ratio."""

    ratio_field: ClassVar[str | None] = "ratio"
    ratio: float

    @property
    def fraction(self) -> Fraction:
        """The ratio as it is stated."""
        return ratio_as_stated(self.ratio)

    def at_ratio(self, ratio: Fraction) -> Self | None:
        """Make a copy of this ratio, rounded up to four decimals; at most all pixels."""
        return self.replace(ratio=float(min(Fraction(1), Fraction(math.ceil(ratio * 10**4), 10**4))))


class Way(PatternBase):
    """Base of patterns that are a way, which the beam may take across a pixel several times."""

    default_order: ClassVar[str] = "own"
    repeats_pixels: ClassVar[bool] = True
    exclusive: ClassVar[bool] = False


def ratio_as_stated(ratio: float) -> Fraction:
    """The exact value of a ratio's shortest decimal."""
    return Fraction(repr(float(ratio)))
