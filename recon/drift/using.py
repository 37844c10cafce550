"""Drift as reconstructions use it: stored in the acquisition, or found in memory where a quick test shows motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

from stemscan.errors import ReconError
from stemscan.recon.drift.find import find_drift
from stemscan.recon.drift.leave_out import Scale
from stemscan.recon.drift.passes import pass_shifts
from stemscan.recon.drift.timed import TimedSamples
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition
    from stemscan.store.trajectory import Trajectory

__all__ = ["DRIFT_USES", "DriftUse", "Used", "drift_to_use", "moves"]

DriftUse = Literal["auto", "off", "stored"]
DRIFT_USES: Final[tuple[DriftUse, ...]] = get_args(DriftUse)

_WORTH: Final = 0.2
"""RMS motion in pixels from which on it is undone: below, samples between pixels cost as much as it does."""

_TEST_WIDTH: Final = 4.3
_UNSURE: Final = 0.1


class Used(NamedTuple):
    """A trajectory that a reconstruction uses.

    Attributes
    ----------
    trajectory : Trajectory or None
        None where none is used.
    origin : str
        "stored", "found" or "none".
    warnings : tuple of str
    """

    trajectory: Trajectory | None
    origin: str
    warnings: tuple[str, ...] = ()


def drift_to_use(acquisition: Acquisition, use: DriftUse = "auto") -> Used:
    """The trajectory that a reconstruction of an acquisition is to use.

    Parameters
    ----------
    acquisition : Acquisition
    use : {"auto", "off", "stored"}
        The stored one, and else one that is found where there is some; none; the stored one alone.

    Raises
    ------
    ReconError
        Where the stored one is asked for, and there is none of these samples.
    StoreError
        Where it is damaged.
    """
    if use not in DRIFT_USES:
        raise ReconError(f"expected drift 'auto', 'off' or 'stored', got {use!r}; give one of these")
    if use == "off":
        return Used(None, "none")
    stored, where = acquisition.drift, repr(str(acquisition.path))
    if stored is not None and stored.current:
        return Used(stored.trajectory, "stored")
    if use == "stored":
        got = "none" if stored is None else f"one of the first {counted(stored.samples, 'sample')} alone"
        raise ReconError(f"expected a drift in {where}, got {got}; find it by stemscan drift")
    stale = (
        ()
        if stored is None
        else (f"the drift in {where} is not that of these samples and was left out; find it anew by stemscan drift",)
    )
    if not acquisition.samples_committed or not moves(TimedSamples.of_acquisition(acquisition)):
        return Used(None, "none", stale)
    found = find_drift(acquisition)
    if found.verdict == "ambiguous":
        return Used(None, "none", (*stale, f"the specimen drifted, but {found.reason}: nothing was undone"))
    if found.verdict != "drift" or found.trajectory is None or found.trajectory.rms < _WORTH:
        return Used(None, "none", stale)
    return Used(found.trajectory, "found", stale)


def moves(samples: TimedSamples) -> bool:
    """Tell quickly whether passes, or parts of them that cover the field, lie beside one another.

    Motion that is the same in each pass, and motion far quicker than a pass, is not seen.
    """
    shifts = pass_shifts(samples, Scale.of(_TEST_WIDTH, samples.shape), apart=2)
    if shifts.unclear is not None:
        return True
    sure = shifts.std if shifts.std < float("inf") else 0.0
    return len(shifts.shifts) > 1 and float((shifts.shifts**2).sum(axis=1).mean() ** 0.5) > max(_UNSURE, 2 * sure)
