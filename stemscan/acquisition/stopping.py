"""Rules that end an acquisition between two passes, when another pass no longer pays or costs too much."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, runtime_checkable

from stemscan.acquisition.reports import beam_times_of
from stemscan.errors import UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.acquisition.following import DriftFollower
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.reader import Acquisition

__all__ = ["AfterPasses", "ChecksPlan", "MaxDose", "PlaysStore", "StopRule", "dose_so_far", "is_limit"]

_BATCH: Final = 1 << 18


class StopRule(Protocol):
    """Decides after a pass, while the beam is blanked, whether the next one is worth its dose.

    One with an attribute `limit` that is true is a bound: nobody who watches can ask for a pass beyond it.
    """

    def __call__(self, acquisition: Acquisition, passes: int) -> str | None:
        """Reason to stop now, in a few words; None to go on.

        Parameters
        ----------
        acquisition : Acquisition
            Of which `passes` whole passes are committed.
        passes : int
            At least 1, less than the plan's.
        """
        ...


@runtime_checkable
class ChecksPlan(Protocol):
    """A rule that refuses what it could never allow, before there is a store."""

    def check(self, plan: ScanPlan, controller: ScanController | None = None) -> None:
        """Raise `UsageError` where the plan breaks the rule whatever comes."""
        ...


@runtime_checkable
class PlaysStore(Protocol):
    """A scan controller that plays an acquisition store once more."""

    @property
    def source(self) -> Path:
        """Folder of that store, into which nothing may be acquired meanwhile."""
        ...

    @property
    def stop_rules(self) -> tuple[StopRule, ...]:
        """Rules that end an acquisition where the store ends."""
        ...

    @property
    def follower(self) -> DriftFollower | None:
        """Moves of the field as the store has them; None where it stayed."""
        ...


@dataclass(frozen=True)
class MaxDose:
    """Stop before the pass that would exceed a mean dose over the field of view.

    The dose so far is the store's ledger: all electrons that met the specimen, settling and samples exposed again
    included. The next pass is expected to cost what the passes so far cost on average.

    Parameters
    ----------
    e_per_A2 : float
        Incident electrons per square angstrom.

    Raises
    ------
    UsageError
        When it is not above 0.
    """

    e_per_A2: float
    limit: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.e_per_A2 < float("inf"):
            raise UsageError(f"expected a largest dose above 0 e-/A^2, got {self.e_per_A2!r}; give one")

    def check(self, plan: ScanPlan, controller: ScanController | None = None) -> None:
        """Refuse a plan whose first pass exceeds the dose, or whose dose per area is unknown.

        Parameters
        ----------
        controller : ScanController, optional
            Asked what its beam does besides dwelling during that pass; else dwells alone count.

        Raises
        ------
        UsageError
            When it is refused.
        ControllerError
            When the controller fails to report the times of its beam.
        """
        if plan.dose_e_per_A2 is None:
            raise UsageError("expected a plan with a pixel size beside a largest dose, got none; state pixel_size_nm")
        first = plan.dose_e_per_A2 / plan.passes
        if controller is not None:
            dwells = plan.samples_per_pass * plan.dwell_ns
            first *= _exposed_ns(controller, ScanPath(plan), plan.samples_per_pass) / dwells
        if first > self.e_per_A2 * (1 + 1e-9):
            raise UsageError(
                f"expected a largest dose of at least one pass ({first:.6g} e-/A^2), got {self.e_per_A2:g}; raise it "
                "or lower the dose per sample"
            )

    def __call__(self, acquisition: Acquisition, passes: int) -> str | None:
        """Stop when one more pass would exceed the dose."""
        spent, again = dose_so_far(acquisition) or (None, 0.0)
        if spent is None:
            raise UsageError("expected a plan with a pixel size beside a largest dose, got none; state pixel_size_nm")
        so_far, next_pass = spent + again, spent / passes
        if so_far + next_pass <= self.e_per_A2 * (1 + 1e-9):
            return None
        return f"max-dose: {so_far:.6g} e-/A^2 so far, {next_pass:.6g} per pass, limit {self.e_per_A2:g}"


@dataclass(frozen=True)
class AfterPasses:
    """Stop after a number of passes, of a plan that allows more of them.

    Parameters
    ----------
    passes : int
        At least 1.
    reason : str
        Why, for the store.

    Raises
    ------
    UsageError
        When it is below 1.
    """

    passes: int
    reason: str

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise UsageError(f"expected at least 1 pass, got {self.passes}; give a number of passes such as 4")

    def check(self, plan: ScanPlan, controller: ScanController | None = None) -> None:
        """Refuse more passes than the plan has, which no rule can add.

        Raises
        ------
        UsageError
        """
        if self.passes > plan.passes:
            raise UsageError(
                f"expected an end after at most the plan's {counted(plan.passes, 'pass')}, got {self.passes}; plan "
                "more passes, or end earlier"
            )

    def __call__(self, acquisition: Acquisition, passes: int) -> str | None:
        """The reason, once there are so many passes."""
        return self.reason if passes >= self.passes else None


def is_limit(rule: StopRule) -> bool:
    """Tell whether a rule is a bound that nobody may go beyond."""
    return bool(getattr(rule, "limit", False))


def dose_so_far(acquisition: Acquisition) -> tuple[float, float] | None:
    """Mean dose over the plan's region, by the ledger: of its times, and of samples that may have been exposed again.

    Returns
    -------
    (float, float) or None
        Incident electrons per square angstrom; None where pixel size or plan are not known.
    """
    plan, ledger = acquisition.plan, acquisition.ledger
    if plan is None or ledger is None or plan.dose_e_per_A2 is None:
        return None
    spent = sum(ledger[name]["electrons"] for name in ("dwell", "settle", "transit", "park"))
    again = ledger["samples_exposed_again_at_most"] * plan.electrons_per_sample / plan.dose.collection
    per_electron = plan.dose_e_per_A2 * plan.dose.collection / plan.total_electrons
    return spent * per_electron, again * per_electron


def _exposed_ns(controller: ScanController, path: ScanPath, samples: int) -> int:
    """Time of the beam being on for the first samples of a path."""
    total = 0
    for start in range(0, samples, _BATCH):
        times = beam_times_of(controller, path, start, min(start + _BATCH, samples))
        total += sum(time.exposed_ns for time in (times.dwell, times.settle, times.transit, times.park))
    return total
