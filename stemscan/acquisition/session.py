"""One session at a controller, real or virtual: from a plan to a complete store, begun or gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.acquisition.reports import controller_errors, provenance_of
from stemscan.acquisition.scan import COMMIT_SAMPLES, ScanReport, check_request, run_scan
from stemscan.acquisition.stopping import ChecksPlan, PlaysStore
from stemscan.arguments import check_beginning, described, file_path
from stemscan.errors import StoreMismatchError, UsageError
from stemscan.plan.given import plan_of
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter

if TYPE_CHECKING:
    from stemscan.acquisition.following import DriftFollower
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.acquisition.stopping import StopRule
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["acquire", "run_session"]


def acquire(
    plan: ScanPlan | str | Path,
    controller: ScanController,
    output: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stall_timeout: float | None = None,
    stop_rules: Sequence[StopRule] = (),
    follower: DriftFollower | None = None,
    session: Mapping[str, object] | None = None,
) -> Acquisition:
    """Acquire a plan into a store, or go on with it.

    What can be refused is refused before the store is made.

    Parameters
    ----------
    plan : ScanPlan, str or Path
        A plan, or the path of its file.
    controller : ScanController
        Not closed here. Where its counts come from is recorded as far as it reports it (`ReportsProvenance`).
    output : str or Path
        Folder of the store.
    resume : bool
        Go on with the store after its last committed sample, or begin it where there is none.
    overwrite : bool
        Replace a store that is there; not beside `resume`.
    progress : callable, optional
        Called with (samples received, samples in total) after every batch.
    stall_timeout : float, optional
        Longest wait for the controller to get ready, to start, to deliver samples or to abort, in seconds.
    stop_rules : sequence of StopRule
        Asked after every pass but the last; the first reason to stop ends the acquisition, which is then complete. A
        rule may refuse the plan (`ChecksPlan`).
    follower : DriftFollower, optional
        Foretells drift between passes, by which a controller that can moves its field; as
        `stemscan.recon.drift.following.FollowDrift`. A replay follows as its source did.
    session : mapping, optional
        Notes of the operator for the history.

    Returns
    -------
    Acquisition
        The complete store.

    Raises
    ------
    UsageError
        When a store is to be replayed into itself, or an argument is none that can be meant.
    ControllerError, StoreError, DiskSpaceError, Interrupted
        As `stemscan.acquisition.scan.run_scan`.
    StemscanError
        As `AcquisitionWriter.create` and `AcquisitionWriter.resume`.
    """
    run_session(
        plan,
        controller,
        output,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
        stall_timeout=stall_timeout,
        stop_rules=stop_rules,
        follower=follower,
        session=session,
    )
    return Acquisition.open(output)


def run_session(
    plan: ScanPlan | str | Path,
    controller: ScanController,
    output: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stall_timeout: float | None = None,
    stop_rules: Sequence[StopRule] = (),
    follower: DriftFollower | None = None,
    session: Mapping[str, object] | None = None,
    requests: ScanRequests | None = None,
    commit_samples: int = COMMIT_SAMPLES,
) -> ScanReport:
    """Acquire as `acquire` does, and report how it went; `requests` and `commit_samples` as for `run_scan`."""
    check_beginning(resume=resume, overwrite=overwrite)
    plan, output, rules = plan_of(plan), file_path(output, "the new store"), _rules(stop_rules)
    if isinstance(controller, PlaysStore):
        if output.exists() and controller.source.samefile(output):
            raise UsageError(f"expected another output than the store that is replayed, got {str(output)!r} for both")
        played = Acquisition.open(controller.source)
        if played.plan_digest != plan.digest():
            raise StoreMismatchError(
                f"expected the plan of the store that is replayed ({str(played.plan_digest)[:12]}), got another "
                f"({plan.digest()[:12]}); give the plan it was acquired by"
            )
        rules += controller.stop_rules
        if follower is not None:
            raise UsageError(
                "expected no drift to follow (--follow-drift) in a replay, whose passes lie where those of its source "
                "do, got some; leave it out"
            )
        follower = controller.follower
    with controller_errors(controller):
        check_request(controller, stall_timeout, rules, follower)
        followed = None if follower is None else follower.record
        provenance = replace(provenance_of(controller), follow=followed, session=session)
    for rule in rules:
        if isinstance(rule, ChecksPlan):
            rule.check(plan, controller)
    if resume:
        writer = AcquisitionWriter.resume(output, plan, provenance)
    else:
        writer = AcquisitionWriter.create(output, plan, provenance, overwrite=overwrite)
    with writer:
        return run_scan(
            plan,
            controller,
            writer,
            progress=progress,
            commit_samples=commit_samples,
            arm_samples=COMMIT_SAMPLES,
            stall_timeout=stall_timeout,
            stop_rules=rules,
            follower=follower,
            requests=requests,
        )


def _rules(given: Sequence[StopRule] | StopRule) -> tuple[StopRule, ...]:
    """Rules that can be asked."""
    rules = tuple(given) if isinstance(given, Iterable) else (given,)
    for rule in rules:
        if not callable(rule):
            raise UsageError(f"expected stop rules that can be called, got {described(rule)}; give one such as MaxDose")
    return rules
