"""Controller profiles: what a scan generator can do, in a YAML file of its own.

A profile says on which grid of codes the beam can be placed, in which steps it can dwell, how it is blanked, what a
move costs and how fast it can be told. `program` turns a plan into what a controller is told by its profile.
Those that come with the package are named; a file of the user's own is read from its path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from stemscan.errors import ProfileError
from stemscan.files.shipped import ShippedFiles
from stemscan.hardware.profile_parts import DwellSteps, Grid, Link, Nanoseconds, Part, ProgramLimits, Settle, pairs

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


class ControllerProfile(Part):
    """Abilities of a scan generator.

    Parameters
    ----------
    version : int
        Of this format: 1.
    blanker : {"none", "asynchronous", "inline"}
        `inline`: the beam is blanked and unblanked on the tick of a move; `asynchronous`: at some time about it, which
        is good for parking and not for single moves.
    settle : Settle, optional
        Wait after a move, before a sample; none by default.
    flyback_ns : int
        Waited in addition where a move leads back over more than half of the columns.
    park : tuple of int, optional
        (row, column) code where the beam is left.
    beam : {"electron", "ion"}
        Beam that scans, for a controller that has both.
    output_bits : {16, 8}
        Of a detector's number as the controller sends it: 8 are the upper half, at half the bytes.
    ext_switch_delay_ns : int
        Time of the switch between the microscope's own scan and the controller's takes; waited once, blanked.

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
    park: Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], BeforeValidator(pairs)] | None = (
        None
    )
    beam: Literal["electron", "ion"] = "electron"
    output_bits: Literal[16, 8] = 16
    ext_switch_delay_ns: Nanoseconds = 0
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
        waits = self.model_dump_json(include={"dwell", "settle", "flyback_ns"})
        return hashlib.sha256(waits.encode()).hexdigest()


_PROFILES: Final = ShippedFiles(__package__, "profiles", "controller profile")
profile_names, profile_text = _PROFILES.names, _PROFILES.text


def load_profile(name: str | Path) -> ControllerProfile:
    """Read a profile.

    Parameters
    ----------
    name : str or Path
        Of one that comes with the package, whatever files there are; else a file.

    Raises
    ------
    InputNotFoundError
        When it is neither.
    ProfileError
        When the file is no profile.
    """
    return _PROFILES.model(ControllerProfile, name, error=ProfileError)
