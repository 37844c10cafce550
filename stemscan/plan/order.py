"""Order: in what order the pixels of a pass are visited; a validated value with all that it needs."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["Order", "OrderKind", "SettleModel"]

OrderKind = Literal[
    "serpentine-blocks", "raster", "serpentine", "random", "own", "shortest", "delocalised", "settle-aware"
]

_Jump = tuple[Annotated[float, Field(ge=0, le=1e6)], Annotated[int, Field(ge=0, le=10**12)]]


def _as_pairs(value: object) -> object:
    """Let lists, as YAML and JSON give them, stand for tuples."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(pair) if isinstance(pair, list) else pair for pair in value)


class SettleModel(BaseModel):
    """How long the beam takes to come to rest after a jump: by a time constant and a tolerance, or by a table.

    Parameters
    ----------
    time_constant_ns : int, optional
        Of the exponential approach: a jump of d pixels settles in time_constant ln(d / tolerance).
    tolerance_px : float, optional
        Distance in pixels at which the beam counts as settled.
    per_jump : tuple of (float, int), optional
        Jump in pixels and its time in ns, jumps ascending; between them the time is linear, beyond them constant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    time_constant_ns: Annotated[int, Field(ge=1, le=10**12)] | None = None
    tolerance_px: Annotated[float, Field(gt=0, le=1e6)] | None = None
    per_jump: Annotated[tuple[_Jump, ...], Field(min_length=1, max_length=1000), BeforeValidator(_as_pairs)] | None = (
        None
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pair = (self.time_constant_ns, self.tolerance_px)
        if (self.per_jump is None) == (None in pair) or (self.per_jump is not None and pair != (None, None)):
            raise ValueError("expected time_constant_ns with tolerance_px, or per_jump, got something else; keep one")
        jumps = [jump for jump, _ in self.per_jump or ()]
        if any(b <= a for a, b in pairwise(jumps)):
            raise ValueError(f"expected ascending jumps in per_jump, got {jumps}; sort them and state each once")
        return self


class Order(BaseModel):
    """In what order the pixels of a pass are visited.

    Parameters
    ----------
    kind : str
        `serpentine-blocks`: block by block in alternating direction, inside each block row by row in alternating
        direction; `raster`: row by row; `serpentine`: rows in alternating direction; `random`: at random; `own`: as
        the pattern runs (spiral, lissajous, random-walk, list, hilbert, interleaved); `shortest`: a short way;
        `delocalised`: successive samples far apart, neighbours at different times; `settle-aware`: as little settle
        time as can be.
    max_jump_px : float, optional
        For `shortest`: jumps beyond this many pixels are avoided at any price.
    settle : SettleModel, optional
        For `settle-aware`: the settle time that is minimised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    kind: OrderKind
    max_jump_px: Annotated[float, Field(ge=1, le=1e6)] | None = None
    settle: SettleModel | None = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.max_jump_px is not None and self.kind != "shortest":
            raise ValueError(f"expected max_jump_px with the order shortest alone, got it with {self.kind}; remove it")
        if (self.settle is None) == (self.kind == "settle-aware"):
            what = "none" if self.settle is None else f"some with {self.kind}"
            raise ValueError(f"expected a settle model with the order settle-aware and no other, got {what}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain data without what is not set."""
        return self.model_dump(mode="json", exclude_none=True)
