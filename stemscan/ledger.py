"""The dose ledger: what the beam did, and how many electrons met the specimen while it was not blanked.

A scan does more than dwell on its samples: it settles on a point before the dwell, travels between points, and parks.
Whatever of that happens with the beam on is dose. `BeamTimes` is what a controller says of a range of samples; the
store adds it up, commit by commit, in the record's `ledger`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from stemscan.errors import ControllerError

if TYPE_CHECKING:
    from stemscan.path import ScanPath
    from stemscan.plan import ScanPlan
    from stemscan.scan_controller import ScanController

__all__ = ["BeamTime", "BeamTimes", "ReportsBeamTimes", "beam_times_of", "electrons_per_ns"]


@dataclass(frozen=True)
class BeamTime:
    """Time of one kind.

    Parameters
    ----------
    time_ns : int
        In all.
    exposed_ns : int
        Of it, with the beam not blanked.
    """

    time_ns: int = 0
    exposed_ns: int = 0

    def __add__(self, other: BeamTime) -> BeamTime:
        return BeamTime(self.time_ns + other.time_ns, self.exposed_ns + other.exposed_ns)


@dataclass(frozen=True)
class BeamTimes:
    """What the beam did.

    Parameters
    ----------
    dwell, settle, transit, park : BeamTime
        On samples; on a point before its sample; between points; at rest.

    Examples
    --------
    >>> BeamTimes(dwell=BeamTime(10, 10)) + BeamTimes(dwell=BeamTime(5, 5), park=BeamTime(100))
    BeamTimes(dwell=BeamTime(time_ns=15, exposed_ns=15), settle=BeamTime(time_ns=0, exposed_ns=0), \
transit=BeamTime(time_ns=0, exposed_ns=0), park=BeamTime(time_ns=100, exposed_ns=0))
    """

    dwell: BeamTime = BeamTime()
    settle: BeamTime = BeamTime()
    transit: BeamTime = BeamTime()
    park: BeamTime = BeamTime()

    def __add__(self, other: BeamTimes) -> BeamTimes:
        return BeamTimes(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    @classmethod
    def dwells(cls, samples: int, dwell_ns: int) -> Self:
        """Dwells alone, with the beam on."""
        return cls(dwell=BeamTime(samples * dwell_ns, samples * dwell_ns))


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


def electrons_per_ns(plan: ScanPlan) -> float:
    """Incident electrons in a nanosecond of a beam that is not blanked, by the plan's dose and dwell time."""
    return plan.electrons_per_sample / plan.dose.collection / plan.dwell_ns
