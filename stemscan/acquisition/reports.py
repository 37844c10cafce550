"""Reports of a controller besides its samples: how far its beam went, what it did, where its counts come from.

Each is a protocol of one member. A controller that lacks it is taken as one that knows nothing of the kind.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from stemscan.errors import ControllerError, StemscanError
from stemscan.store.ledger import BeamTime, BeamTimes
from stemscan.store.provenance import Provenance

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.path.scan_path import ScanPath

__all__ = [
    "ReportsBeamTimes",
    "ReportsProvenance",
    "ReportsReach",
    "ReportsWarnings",
    "beam_times_of",
    "controller_errors",
    "provenance_of",
    "reach_of",
    "warnings_of",
]


@runtime_checkable
class ReportsReach(Protocol):
    """A scan controller that knows how far its beam went, which bounds how many samples are exposed twice."""

    @property
    def reached(self) -> int | None:
        """The first sample of the range armed last that was surely not exposed since; None where it is not known."""
        ...


@runtime_checkable
class ReportsBeamTimes(Protocol):
    """A scan controller that knows what its beam does besides dwelling."""

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the beam for samples start .. stop - 1; those of two ranges add up to those of both.

        Called from another thread than the controller's other methods, while these run, with a path for it alone.
        """
        ...


@runtime_checkable
class ReportsProvenance(Protocol):
    """A scan controller that knows where its counts come from, as a simulation knows its specimen and seed."""

    @property
    def provenance(self) -> Provenance:
        """Provenance of its samples; detector, actual positions and session are filled in."""
        ...


@runtime_checkable
class ReportsWarnings(Protocol):
    """A scan controller that has something to say of its samples."""

    @property
    def warnings(self) -> Sequence[str]:
        """Sentences for the user, told after the scan."""
        ...


@contextmanager
def controller_errors(controller: ScanController) -> Iterator[None]:
    """Turn whatever a controller raises into a `ControllerError` that names it."""
    try:
        yield
    except StemscanError:
        raise
    except Exception as error:
        name = type(controller).__name__
        with suppress(Exception):
            name = controller.capabilities.name
        raise ControllerError(
            f"expected {name} to work, got {type(error).__name__}: {error}; resume to go on"
        ) from error


def reach_of(controller: ScanController) -> int | None:
    """The first sample of the range armed last that was surely not exposed since; None where it is not known."""
    return controller.reached if isinstance(controller, ReportsReach) else None


def provenance_of(controller: ScanController) -> Provenance:
    """Provenance of a controller's samples: as far as it reports, with its detector and kind of positions."""
    known = controller.provenance if isinstance(controller, ReportsProvenance) else Provenance()
    actual = controller.capabilities.actual_positions
    return replace(known, detector=controller.detector, actual_positions=actual)


def warnings_of(controller: ScanController) -> list[str]:
    """Sentences of a controller about its samples; none where it has none."""
    with controller_errors(controller):
        return list(controller.warnings) if isinstance(controller, ReportsWarnings) else []


def beam_times_of(controller: ScanController, path: ScanPath, start: int, stop: int) -> BeamTimes:
    """Beam times of samples start .. stop - 1: as a controller reports them, else dwells of the plan alone.

    Raises
    ------
    ControllerError
        When it fails to report, or reports what cannot be.
    """
    if not isinstance(controller, ReportsBeamTimes):
        return BeamTimes.dwells(stop - start, path.plan.dwell_ns)
    try:
        return _checked(controller.beam_times(path, start, stop))
    except ControllerError:
        raise
    except Exception as error:
        raise ControllerError(
            f"expected {controller.capabilities.name} to report the times of its beam for samples {start} to {stop}, "
            f"got {type(error).__name__}: {error}"
        ) from error


def _checked(times: BeamTimes) -> BeamTimes:
    """Times as plain whole numbers, or an error."""
    parts: dict[str, BeamTime] = {}
    for part in fields(BeamTimes):
        time: BeamTime = getattr(times, part.name)
        time_ns, exposed_ns = operator.index(time.time_ns), operator.index(time.exposed_ns)
        if not 0 <= exposed_ns <= time_ns:
            raise ValueError(f"{exposed_ns} ns of {time_ns} ns of {part.name} with the beam on")
        parts[part.name] = BeamTime(time_ns, exposed_ns)
    return BeamTimes(**parts)
