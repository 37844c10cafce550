"""What a controller's beam does besides dwelling on samples, as the controller reports it."""

from __future__ import annotations

import operator
from dataclasses import fields
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from stemscan.errors import ControllerError
from stemscan.store.ledger import BeamTime, BeamTimes

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.path.scan_path import ScanPath

__all__ = ["ReportsBeamTimes", "beam_times_of"]


@runtime_checkable
class ReportsBeamTimes(Protocol):
    """A scan controller that knows what its beam does besides dwelling."""

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """What the beam does for samples start .. stop - 1; times of two ranges add up to those of both.

        Called from another thread than the controller's other methods, while these run, with a path for it alone.
        """
        ...


def beam_times_of(controller: ScanController, path: ScanPath, start: int, stop: int) -> BeamTimes:
    """What a controller's beam does for samples start .. stop - 1: as it reports, else dwells of the plan alone.

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
