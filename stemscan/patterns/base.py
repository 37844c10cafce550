"""What every pattern is: a validated value that says how a pass divides the grid and how many pixels it visits.

A pattern is pure data. The pixels themselves come from `stemscan.patterns.sampling`, which is compiled and imported
only when a path is expanded.
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["DEFAULT_TILE", "PatternBase"]

DEFAULT_TILE = 32
"""Side, in pixels, of the tiles in which patterns without blocks of their own are traversed."""


class PatternBase(BaseModel):
    """Base of all patterns."""

    default_order: ClassVar[str]
    """Kind of the order in which the pattern is visited unless the plan says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    @abstractmethod
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the tiles that the pattern divides the grid into."""

    @property
    @abstractmethod
    def fraction(self) -> Fraction:
        """Nominal sampling ratio of one pass, exact."""

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Count the samples of one pass over a grid of `shape` (rows, columns); at least one."""
        return max(1, round(self.fraction * shape[0] * shape[1]))
