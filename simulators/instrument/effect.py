"""Base of the effects of an instrument: settings that are validated, and what they need to know of a scan.

An effect is one module: a model of its settings, which is a key of the instrument's file; a kernel; and the truth that
it leaves in stores. All settings are off by default, so that an empty mapping changes nothing. Every random effect has
a stream of its own (`stemscan.random.Stream`) and draws a value for a sample, or for a stretch of time, from seed,
stream and number alone, so that one effect never changes what another draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from stemscan.errors import UsageError
from stemscan.hardware.profile_parts import Part, pairs

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.instrument.clock import Clock

__all__ = ["Effect", "MotionEffect", "Moves", "Number", "Pair", "Positive", "Scan", "Size", "Sizes"]

_LARGEST = 1e9

Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Size = Annotated[float, Field(ge=0, le=_LARGEST)]
Positive = Annotated[float, Field(gt=0, le=_LARGEST)]

Pair = Annotated[tuple[Number, Number], BeforeValidator(pairs)]
"""(row, column)."""

Sizes = Annotated[tuple[Size, Size], BeforeValidator(pairs)]
"""(row, column), at least 0."""

Moves = Callable[[int, NDArray[np.float64], NDArray[np.float64]], None]
"""Adds to the offsets (n, 2), row and column in pixels, of samples from `start` on, whose dwells are at times (n,) in
ns since the scan began."""


@dataclass(frozen=True, eq=False)
class Scan:
    """The scan in which effects take place.

    Attributes
    ----------
    path : ScanPath
        Of the plan.
    seed : int
        Of the simulation.
    pixel_size_nm : float or None
        The plan's, or else the specimen's.
    clock : Clock
        Times of the dwells.
    """

    plan: ScanPlan
    path: ScanPath
    seed: int
    pixel_size_nm: float | None
    clock: Clock

    def pixel(self, key: str) -> float:
        """The pixel size in nm, for an effect whose lengths are in nm.

        Raises
        ------
        UsageError
            When it is not known.
        """
        if self.pixel_size_nm is None:
            raise UsageError(
                f"instrument: {key}: expected a plan with pixel_size_nm, for lengths in nm, got one without; state the "
                "pixel size in the plan"
            )
        return self.pixel_size_nm


class Effect(Part):
    """Settings of one effect."""

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self == type(self)()


class MotionEffect(Protocol):
    """An effect that moves the beam over the specimen without anyone knowing; its truth is ``truth_trajectory``."""

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        ...

    def moves(self, scan: Scan) -> Moves:
        """The motion in a scan."""
        ...
