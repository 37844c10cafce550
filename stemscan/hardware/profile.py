"""Controller profiles: what a scan generator can do, in a YAML file of its own.

A profile says on which grid of codes the beam can be placed, in which steps it can dwell, how it is blanked, what a
move costs and how fast it can be told. `stemscan.program` turns a plan into what a controller is told by its profile.
Those that come with the package are named; a file of the user's own is read from its path.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stemscan.errors import InputNotFoundError, ProfileError
from stemscan.yaml_model import model_from_file, model_from_yaml

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "TEMPLATE",
    "ControllerProfile",
    "DwellSteps",
    "Grid",
    "Link",
    "ProgramLimits",
    "Settle",
    "load_profile",
    "profile_names",
    "profile_text",
]

TEMPLATE: Final = "template"
"""Name of the profile whose every key is explained, to begin one's own with."""

_WHAT: Final = "controller profile"
_LARGEST_CODE: Final = 1 << 24
_LONGEST_NS: Final = 10**12

Count = Annotated[int, Field(ge=1)]
Nanoseconds = Annotated[int, Field(ge=0, le=_LONGEST_NS)]


def _pairs(value: Any) -> Any:
    """Let lists stand for tuples, as YAML gives them."""
    return tuple(_pairs(item) for item in value) if isinstance(value, list) else value


class _Part(BaseModel):
    """Immutable, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Grid(_Part):
    """Where the beam can be placed.

    Parameters
    ----------
    bits : int, optional
        Of the digital-to-analogue converters; none where positions are pixels or real numbers.
    columns, rows : int
        Codes run from 0 to columns - 1 and rows - 1, from the top left.
    fit : {"integer", "stretch", "pixels"}
        How a plan's grid is laid on the codes. `integer`: the largest whole number of codes a pixel, centred, without
        rounding. `stretch`: over the whole field, positions rounded to the nearest code. `pixels`: a code a pixel,
        from the top left.
    transform : str
        What the controller itself does to positions (flips, rotations): for people to know, never applied here.
    """

    bits: Annotated[int, Field(ge=1, le=24)] | None = None
    columns: Annotated[int, Field(ge=1, le=_LARGEST_CODE)]
    rows: Annotated[int, Field(ge=1, le=_LARGEST_CODE)]
    fit: Literal["integer", "stretch", "pixels"] = "integer"
    transform: str = "none"

    @model_validator(mode="after")
    def _codes_have_bits(self) -> Self:
        if self.bits is not None and max(self.columns, self.rows) > 1 << self.bits:
            raise ValueError(
                f"grid: expected at most {1 << self.bits} columns and rows for {self.bits} bits, got {self.columns} "
                f"and {self.rows}; correct the bits or the grid"
            )
        return self


class DwellSteps(_Part):
    """In which steps the beam can dwell.

    Parameters
    ----------
    quantum_ns : int
        Dwell times are whole numbers of it.
    smallest, largest : int
        Quanta of the shortest and longest dwell.
    offset : int
        What the controller adds to the number that it is told: quanta = field + offset.
    averaging : {"all", "first-power-of-two"}
        Which of the detector's readings during a dwell enter its value: all, or the first 2^k that fit.
    """

    quantum_ns: Annotated[int, Field(ge=1, le=10**9)]
    smallest: Count = 1
    largest: Annotated[int, Field(ge=1, le=1 << 40)]
    offset: Annotated[int, Field(ge=0, le=1 << 16)] = 0
    averaging: Literal["all", "first-power-of-two"] = "all"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.smallest > self.largest:
            raise ValueError(f"dwell: expected smallest <= largest, got {self.smallest} and {self.largest}")
        if self.smallest < self.offset:
            raise ValueError(f"dwell: expected smallest >= offset, got {self.smallest} and {self.offset}")
        return self


class Settle(_Part):
    """What is waited after a move: by a time constant, or by the length of the jump.

    Parameters
    ----------
    time_constant_ns : float, optional
        Tau of scan coils with a first-order lag; waited until the rest of the jump is below the tolerance.
    tolerance_px : float
        How near, in pixels of the plan.
    per_jump : tuple of (float, float), optional
        Jump in pixels of the plan, and ns to wait after it; lines between, the last beyond.
    """

    time_constant_ns: Annotated[float, Field(gt=0, le=_LONGEST_NS)] | None = None
    tolerance_px: Annotated[float, Field(gt=0)] = 0.5
    per_jump: (
        Annotated[
            tuple[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0, le=_LONGEST_NS)]], ...],
            BeforeValidator(_pairs),
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


class Link(_Part):
    """How the controller is told.

    Parameters
    ----------
    bytes_per_second : float
        What the link carries to the controller.
    bytes_per_step : float
        What one step of a program takes of it.
    bytes_per_blanking : float
        What each change of an inline blanker takes in addition.
    largest_command_bytes : int, optional
        Longest command that is understood.
    """

    bytes_per_second: Annotated[float, Field(gt=0)]
    bytes_per_step: Annotated[float, Field(gt=0)]
    bytes_per_blanking: Annotated[float, Field(ge=0)] = 0.0
    largest_command_bytes: Count | None = None


class ProgramLimits(_Part):
    """What a controller can take at most.

    Parameters
    ----------
    max_samples : int, optional
        Of a scan.
    """

    max_samples: Count | None = None


class ControllerProfile(_Part):
    """What a scan generator can do.

    Parameters
    ----------
    version : int
        Of this format: 1.
    name : str
    description : str
    grid : Grid
    dwell : DwellSteps
    blanker : {"none", "asynchronous", "inline"}
        `inline`: the beam is blanked and unblanked on the tick of a move; `asynchronous`: at some time about it, which
        is good for parking and not for single moves.
    settle : Settle, optional
        What is waited after a move before a sample; nothing without.
    flyback_ns : int
        Waited in addition where a move leads back over more than half of the columns.
    link : Link, optional
    park : tuple of int, optional
        (row, column) code where the beam is left.
    limits : ProgramLimits

    Raises
    ------
    ProfileError
        From `load_profile`, with the key, what was expected and the line.
    """

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: str = ""
    grid: Grid
    dwell: DwellSteps
    blanker: Literal["none", "asynchronous", "inline"] = "none"
    settle: Settle | None = None
    flyback_ns: Nanoseconds = 0
    link: Link | None = None
    park: Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], BeforeValidator(_pairs)] | None = (
        None
    )
    limits: ProgramLimits = ProgramLimits()

    @model_validator(mode="after")
    def _park_inside(self) -> Self:
        if self.park is not None and not (self.park[0] < self.grid.rows and self.park[1] < self.grid.columns):
            raise ValueError(
                f"park: expected a code inside {self.grid.rows} rows and {self.grid.columns} columns, got "
                f"{list(self.park)}; correct it"
            )
        return self

    def waits_digest(self) -> str | None:
        """SHA-256 of all that the waiting times of a plan follow from; None for a controller that never waits."""
        if self.settle is None and not self.flyback_ns:
            return None
        told = self.model_dump_json(include={"dwell", "settle", "flyback_ns"})
        return hashlib.sha256(told.encode()).hexdigest()


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    found = (Path(entry.name) for entry in files(__package__).joinpath("profiles").iterdir())
    return tuple(sorted(path.stem for path in found if path.suffix == ".yaml"))


def profile_text(name: str) -> str:
    """The file of a profile that comes with the package.

    Raises
    ------
    InputNotFoundError
        When there is none of that name.
    """
    if name not in profile_names():
        raise InputNotFoundError(
            f"expected a profile of {', '.join(profile_names())}, or a file, got {name!r}; correct the name or the path"
        )
    return files(__package__).joinpath("profiles", f"{name}.yaml").read_text(encoding="utf-8")


def load_profile(name: str | Path) -> ControllerProfile:
    """Read a profile.

    Parameters
    ----------
    name : str or Path
        Of one that comes with the package, or a file.

    Returns
    -------
    ControllerProfile

    Raises
    ------
    InputNotFoundError
        When it is neither.
    ProfileError
        When the file is no profile.
    """
    if isinstance(name, Path) or name.endswith((".yaml", ".yml")) or Path(name).is_file():
        return model_from_file(ControllerProfile, Path(name), what=_WHAT, error=ProfileError)
    text = profile_text(name)
    return model_from_yaml(ControllerProfile, text, what=_WHAT, source=name, error=ProfileError)
