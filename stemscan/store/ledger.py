"""The dose ledger: what the beam did, and how many electrons met the specimen while it was not blanked.

A scan does more than dwell on its samples: it settles on a point before the dwell, travels between points, and parks.
Whatever of that happens with the beam on is dose. `BeamTimes` is what a controller says of a range of samples; the
store adds it up, commit by commit, in the record's `ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["BeamTime", "BeamTimes", "electrons_per_ns"]


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
    """Times of the beam by what it did.

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


def electrons_per_ns(plan: ScanPlan) -> float:
    """Incident electrons in a nanosecond of a beam that is not blanked, by the plan's dose and dwell time."""
    return plan.electrons_per_sample / plan.dose.collection / plan.dwell_ns
