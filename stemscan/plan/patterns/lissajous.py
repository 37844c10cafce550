"""Lissajous figure: both axes swing at frequencies of their own, without flyback."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from stemscan.plan.messages import BrokenRule
from stemscan.plan.options import Option
from stemscan.plan.patterns.base import Way, ratio_as_stated
from stemscan.plan.value import lists_as_tuples

__all__ = ["Lissajous"]

Cycles = Annotated[int, Field(ge=1, le=4096)]
_TRIED: Final = [[1, 1], [1, 2], [3, 2], [15, 16], [31, 7]]


def _two_numbers(text: str) -> list[int]:
    """Two whole numbers, as 31x32."""
    try:
        down, across = (int(part) for part in text.split("x"))
    except ValueError:
        raise ValueError(f"expected two whole numbers as 31x32, got {text!r}") from None
    return [down, across]


class Lissajous(Way):
    """round(ratio H W) samples at equal times along a figure of p swings down and q across, closed once a pass.

    row = (H - 1) / 2 (1 - cos(2 pi p t)), column = (W - 1) / 2 (1 - cos(2 pi q t + pi / 2 p)) for t from 0 to 1; with
    this phase no piece of the figure is traced twice. Every pass takes the same way.

    Parameters
    ----------
    cycles : tuple of int
        Swings p down and q across in one pass, as 31x32, 1 to 4096 each, without a common divisor.
    ratio : float
        Samples of a pass per pixel of the grid, above 0, at most 4.
    """

    kind: Literal["lissajous"] = "lissajous"
    cycles: Annotated[tuple[Cycles, Cycles], BeforeValidator(lists_as_tuples), Option(read=_two_numbers, tried=_TRIED)]
    ratio: Annotated[float, Field(gt=0, le=4), Option(tried=(1e-3, 2.0))]

    @model_validator(mode="after")
    def _one_figure(self) -> Self:
        common = math.gcd(*self.cycles)
        if common > 1:
            raise BrokenRule(
                "cycles",
                f"expected two numbers without a common divisor, got {list(self.cycles)}, which {common} divides; "
                "change one",
            )
        return self

    def samples_per_pass(self, shape: tuple[int, int]) -> int:
        """Count round(ratio H W) samples, at least one."""
        return max(1, round(ratio_as_stated(self.ratio) * shape[0] * shape[1]))
