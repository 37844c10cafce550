"""Order in which the pixels of a pass are visited; a validated value with all that it needs."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from stemscan.plan.messages import BrokenRule
from stemscan.plan.value import PlanValue, lists_as_tuples

__all__ = ["ORDERS", "SETTINGS", "Order", "OrderKind", "SettleModel"]

OrderKind = Literal[
    "serpentine-blocks", "raster", "serpentine", "random", "own", "shortest", "delocalised", "settle-aware"
]

ORDERS: Final[dict[OrderKind, str]] = {
    "serpentine-blocks": "block by block in alternating direction, inside each row by row in alternating direction",
    "raster": "row by row, each in the same direction",
    "serpentine": "row by row, in alternating direction",
    "random": "at random",
    "own": "as the pattern runs; only for patterns whose default it is",
    "shortest": "a short way: Hilbert curves through strips of the grid, one after the other in alternating direction, "
    "improved by turning stretches round and moving pixels; jumps beyond the limit are avoided at any price",
    "delocalised": "samples that follow one another lie far apart, and neighbours are visited at different times",
    "settle-aware": "as little settle time as local changes of the shortest way can reach",
}
"""All orders, and what each does."""

SETTINGS: Final[dict[str, OrderKind]] = {"max_jump_px": "shortest", "settle": "settle-aware"}
"""Settings of orders, and the one that each belongs to."""

_Jump = tuple[Annotated[float, Field(ge=0, le=1e6)], Annotated[int, Field(ge=0, le=10**12)]]


class SettleModel(PlanValue):
    """Time that the beam takes to come to rest after a jump: by a time constant and a tolerance, or by a table.

    Parameters
    ----------
    time_constant_ns : int, optional
        Of the exponential approach: a jump of d pixels settles in time_constant ln(d / tolerance).
    tolerance_px : float, optional
        Distance in pixels at which the beam counts as settled.
    per_jump : tuple of (float, int), optional
        Jump in pixels and its time in ns, jumps ascending; between them the time is linear, beyond them constant.
    """

    example: ClassVar = {"time_constant_ns": 5000, "tolerance_px": 0.5}

    time_constant_ns: Annotated[int, Field(ge=1, le=10**12)] | None = None
    tolerance_px: Annotated[float, Field(gt=0, le=1e6)] | None = None
    per_jump: (
        Annotated[tuple[_Jump, ...], Field(min_length=1, max_length=1000), BeforeValidator(lists_as_tuples)] | None
    ) = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pair = (self.time_constant_ns, self.tolerance_px)
        if (self.per_jump is None) == (None in pair) or (self.per_jump is not None and pair != (None, None)):
            raise BrokenRule("", "expected time_constant_ns with tolerance_px, or per_jump, got other keys; keep one")
        jumps = [jump for jump, _ in self.per_jump or ()]
        if any(b <= a for a, b in pairwise(jumps)):
            raise BrokenRule("per_jump", f"expected ascending jumps, got {jumps}; sort them and state each once")
        return self


class Order(PlanValue):
    """Order in which the pixels of a pass are visited.

    Parameters
    ----------
    kind : str
        One of `ORDERS`.
    max_jump_px : float, optional
        For `shortest`: jumps beyond this many pixels are avoided at any price.
    settle : SettleModel, optional
        For `settle-aware`: the settle time that is minimised.
    """

    example: ClassVar = {"kind": "raster"}

    kind: OrderKind
    max_jump_px: Annotated[float, Field(ge=1, le=1e6)] | None = None
    settle: SettleModel | None = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for name, kind in SETTINGS.items():
            if getattr(self, name) is not None and self.kind != kind:
                raise BrokenRule(name, f"expected it with the order {kind} alone, got it with {self.kind}; remove it")
        if self.settle is None and self.kind == "settle-aware":
            raise BrokenRule("settle", "expected a settle model with the order settle-aware, got none; add it")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain data without what is not set."""
        return self.model_dump(mode="json", exclude_none=True)
