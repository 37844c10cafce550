"""Parts of a controller profile: grid of codes, steps of dwells, waiting after moves, link and limits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["DwellSteps", "Grid", "Link", "Nanoseconds", "Part", "ProgramLimits", "Settle", "pairs"]

_LARGEST_CODE: Final = 1 << 24
_LONGEST_NS: Final = 10**12

Count = Annotated[int, Field(ge=1)]
Nanoseconds = Annotated[int, Field(ge=0, le=_LONGEST_NS)]


def pairs(value: Any) -> Any:
    """Let lists stand for tuples, as YAML gives them."""
    return tuple(pairs(item) for item in value) if isinstance(value, list) else value


class Part(BaseModel):
    """Immutable, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Grid(Part):
    """Grid of codes at which the beam can be placed.

    Parameters
    ----------
    bits : int, optional
        Of the digital-to-analogue converters; none where positions are pixels or real numbers.
    columns, rows : int
        Codes run from 0 to columns - 1 and rows - 1.
    fit : {"integer", "stretch", "pixels"}
        Way of laying a plan's grid on the codes. `integer`: the largest whole number of codes per pixel, centred,
        without rounding. `stretch`: over the whole field, positions rounded to the nearest code. `pixels`: a code
        per pixel, from 0 on.
    margin : float
        Share of the codes that `integer` and `stretch` leave free on each side, 0 to 0.45: as far as the field can be
        moved, as by ``acquire --follow-drift``. The same plan then lies on fewer codes: the magnification of the
        microscope says how large a pixel is.
    origin : {"top-left", "top-right", "bottom-left", "bottom-right"}
        Corner of the image that the plan's grid has in common with code (0, 0); from there codes run inward.
    transform : {"none", "transpose"}
        `none`: the controller's columns (x) run across the image. `transpose`: they run down it. With the origin, that
        is every flip and quarter turn between codes and image that the controller does not undo itself.
    """

    bits: Annotated[int, Field(ge=1, le=24)] | None = None
    columns: Annotated[int, Field(ge=1, le=_LARGEST_CODE)]
    rows: Annotated[int, Field(ge=1, le=_LARGEST_CODE)]
    fit: Literal["integer", "stretch", "pixels"] = "integer"
    margin: Annotated[float, Field(ge=0, le=0.45)] = 0.0
    origin: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"
    transform: Literal["none", "transpose"] = "none"

    @model_validator(mode="after")
    def _codes_have_bits(self) -> Self:
        if self.bits is not None and max(self.columns, self.rows) > 1 << self.bits:
            raise ValueError(
                f"grid: expected at most {1 << self.bits} columns and rows for {self.bits} bits, got {self.columns} "
                f"and {self.rows}; correct the bits or the grid"
            )
        return self


class DwellSteps(Part):
    """In which steps the beam can dwell.

    Parameters
    ----------
    quantum_ns : int
        Dwell times are whole numbers of it.
    smallest, largest : int
        Quanta of the shortest and longest dwell.
    offset : int
        Number that the controller adds to the one that it is told: quanta = field + offset.
    averaging : {"all", "first-power-of-two"}
        Readings of the detector during a dwell that enter its value: all, or the first 2^k that fit.
    """

    quantum_ns: Annotated[int, Field(ge=1, le=10**9)]
    smallest: Count = 1
    largest: Annotated[int, Field(ge=1, le=1 << 40)]
    offset: Annotated[int, Field(ge=0, le=1 << 16)] = 0
    averaging: Literal["all", "first-power-of-two"] = "all"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.smallest > self.largest:
            raise ValueError(
                f"dwell: expected smallest <= largest, got {self.smallest} and {self.largest}; correct one"
            )
        if self.smallest < self.offset:
            raise ValueError(f"dwell: expected smallest >= offset, got {self.smallest} and {self.offset}; correct one")
        return self


class Settle(Part):
    """Wait after a move: by a time constant, or by the length of the jump.

    Parameters
    ----------
    time_constant_ns : float, optional
        Tau of scan coils with a first-order lag; waited until the rest of the jump is below the tolerance.
    tolerance_px : float
        Distance that counts as at rest, in pixels of the plan, 1e-6 to 1e6.
    per_jump : tuple of (float, float), optional
        Jump in pixels of the plan, and ns to wait after it; lines between, the last beyond.
    """

    time_constant_ns: Annotated[float, Field(gt=0, le=_LONGEST_NS)] | None = None
    tolerance_px: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.5
    per_jump: (
        Annotated[
            tuple[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0, le=_LONGEST_NS)]], ...],
            BeforeValidator(pairs),
            Field(min_length=1),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.time_constant_ns is None) == (self.per_jump is None):
            raise ValueError("settle: expected time_constant_ns or per_jump, got both or neither; keep one")
        jumps = [jump for jump, _ in self.per_jump or ()]
        if any(a >= b for a, b in pairwise(jumps)):
            raise ValueError(f"settle.per_jump: expected jumps in ascending order, got {jumps}; sort them")
        return self

    def wait_ns(self, jumps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Time in ns to wait after jumps of so many pixels, of the same shape."""
        import numpy as np

        if self.per_jump is not None:
            table = np.asarray(self.per_jump, np.float64)
            return np.interp(jumps, table[:, 0], table[:, 1])
        tau = self.time_constant_ns or 0.0
        return tau * np.log(np.maximum(jumps / self.tolerance_px, 1.0))


class Link(Part):
    """Link by which the controller gets its commands.

    Parameters
    ----------
    bytes_per_second : float
        Capacity of the link to the controller, 1 to 1e15.
    bytes_per_step : float
        Size of one step of a program, above 0, at most 1e6.
    bytes_per_blanking : float
        Additional size of each change of an inline blanker, 0 to 1e6.
    bytes_per_run : float, optional
        Size of a run of at least 8 samples along a row, in equal steps and without waits between, in place of its
        steps, above 0, at most 1e6; None for a controller that is told every step.
    largest_command_bytes : int, optional
        Longest command that is understood.
    """

    bytes_per_second: Annotated[float, Field(ge=1, le=1e15)]
    bytes_per_step: Annotated[float, Field(gt=0, le=1e6)]
    bytes_per_blanking: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    bytes_per_run: Annotated[float, Field(gt=0, le=1e6)] | None = None
    largest_command_bytes: Count | None = None


class ProgramLimits(Part):
    """Limits of a controller.

    Parameters
    ----------
    max_samples : int, optional
        Of a scan.
    """

    max_samples: Count | None = None
