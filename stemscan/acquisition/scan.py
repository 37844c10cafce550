"""Running a scan: a controller exposes what a store does not have yet.

A controller is armed with a range of samples of a path, started, and read until it has delivered that range in scan
order. `run_scan` drives it, one segment at a time: the store first records durably how far the controller will be
armed, then the segment is exposed, and appended and committed in the background while the next one is. Whatever stops
the loop, a committed sample is never exposed again, and at most the samples armed but not committed are exposed twice.
A segment that ends with too few or too many samples, or of which the controller cannot tell the readings apart, is not
kept but exposed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stemscan.acquisition.following import FieldMoves, check_moves
from stemscan.acquisition.reports import check_reports
from stemscan.acquisition.scan_controller import BATCH_SAMPLES, ScanController
from stemscan.acquisition.timed_controller import check_seconds
from stemscan.errors import StoreMismatchError, UsageError

if TYPE_CHECKING:
    from stemscan.acquisition.following import DriftFollower
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.acquisition.stopping import StopRule
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.writer import AcquisitionWriter

__all__ = ["COMMIT_SAMPLES", "ScanReport", "check_request", "run_scan"]

COMMIT_SAMPLES = 1 << 18


@dataclass(frozen=True)
class ScanReport:
    """Report of a scan.

    Parameters
    ----------
    samples : int
        Samples acquired by this call.
    seconds : float
        Wall time.
    resumed_from : int
        Committed samples that were there already.
    exposed_twice_at_most : int
        Samples that an earlier, interrupted run may have exposed without committing them.
    pauses, paused_seconds : int, float
        Number and duration of the beam's waits for the store.
    stopped : str, optional
        Why the acquisition ended before the plan's last pass.
    unproven : int
        Number of times that samples were exposed again because their readings could not be told apart.
    """

    samples: int
    seconds: float
    resumed_from: int
    exposed_twice_at_most: int
    pauses: int = 0
    paused_seconds: float = 0.0
    stopped: str | None = None
    unproven: int = 0


def run_scan(
    plan: ScanPlan,
    controller: ScanController,
    writer: AcquisitionWriter,
    *,
    progress: Callable[[int, int], None] | None = None,
    batch_samples: int = BATCH_SAMPLES,
    commit_samples: int = COMMIT_SAMPLES,
    arm_samples: int | None = None,
    stall_timeout: float | None = None,
    stop_rules: Sequence[StopRule] = (),
    follower: DriftFollower | None = None,
    requests: ScanRequests | None = None,
) -> ScanReport:
    """Expose all samples of a plan that a store does not have yet, and complete the store.

    The bytes of the store depend neither on `batch_samples` nor on `commit_samples`, nor on interruptions.

    Parameters
    ----------
    plan : ScanPlan
        The plan of the store.
    controller : ScanController
        Not closed here.
    writer : AcquisitionWriter
        Of the store. On that of a complete one nothing happens.
    progress : callable, optional
        Called with (samples received, samples in total) after every batch.
    batch_samples : int
        Most samples of one read.
    commit_samples : int
        Samples between two durable commits, and most samples armed at once. The beam is blanked while more than
        these wait to be committed, so a crash loses what was armed last and at most two segments before.
    arm_samples : int, optional
        Steps in which the store records how far the beam may go, which costs a durable write with the beam blanked;
        `commit_samples` unless more. So many may also wait to be committed, and be exposed twice after a crash.
    stall_timeout : float, optional
        Longest wait for the controller to get ready, to start, to deliver samples or to abort, in seconds.
    stop_rules : sequence of StopRule
        Asked after every pass but the last; the first reason to stop ends the acquisition, which is then complete.
    follower : DriftFollower, optional
        Moves the field between passes; the store must have been begun with it.
    requests : ScanRequests, optional
        By which others ask this scan to stop after a pass, to go on for one more, or to park.

    Raises
    ------
    ControllerError
        When the controller fails, breaks its protocol or keeps silent; the beam is blanked, and what came before is
        committed.
    UnprovenError
        A `ControllerError`, when samples were exposed four times and their readings could still not be told apart, or
        once by a controller that only runs whole scans; what was committed of those is marked as in doubt.
    StoreError, DiskSpaceError
        When the store cannot be written.
    Interrupted
        A `KeyboardInterrupt`, on Ctrl-C, SIGTERM and SIGHUP: the beam is blanked, what came is committed, and the
        store is marked as aborted, or is complete if the signal came after the last sample; it can be resumed.
    UsageError, StoreMismatchError
        When settings are impossible, or plan or controller are not those of the store.

    An error after which the controller failed to blank the beam says so in a note (`__notes__`).
    """
    if batch_samples < 1 or commit_samples < 1:
        raise UsageError(f"expected batch and commit sizes of at least 1, got {batch_samples} and {commit_samples}")
    check_request(controller, stall_timeout, stop_rules, follower)
    begun = writer.plan.digest()
    if begun != plan.digest():
        raise StoreMismatchError(
            f"expected the plan of {str(writer.path)!r} ({begun[:12]}), got another ({plan.digest()[:12]}); give the "
            "plan it was begun with"
        )
    began = time.perf_counter()
    resumed_from = writer.samples_committed
    twice = writer.samples_armed - resumed_from
    pauses, paused, stopped, unproven = 0, 0.0, None, 0
    if writer.state != "complete":
        from stemscan.acquisition.loop import AcquireLoop

        loop = AcquireLoop(
            controller,
            writer,
            progress,
            batch_samples,
            commit_samples,
            stall_timeout,
            tuple(stop_rules),
            None if follower is None else FieldMoves(follower, writer),
            requests,
            max(commit_samples, arm_samples or 0),
        )
        loop.check()
        loop.run()
        pauses, paused, stopped, unproven = loop.pauses, loop.paused_seconds, loop.stopped, loop.unproven
    samples = writer.samples_committed - resumed_from
    seconds = time.perf_counter() - began
    return ScanReport(samples, seconds, resumed_from, twice, pauses, paused, stopped, unproven)


def check_request(
    controller: ScanController,
    stall_timeout: float | None,
    stop_rules: Sequence[StopRule],
    follower: DriftFollower | None = None,
) -> None:
    """Refuse what no acquisition with a controller can do, before there is a store.

    Parameters
    ----------
    controller, stall_timeout, stop_rules, follower
        As for `run_scan`.

    Raises
    ------
    UsageError
        On a timeout that is none, rules for a controller that only runs whole scans, or drift to be followed by one
        that cannot move its field.
    ControllerError
        When the controller cannot deliver a sample; as `stemscan.acquisition.reports.check_reports`.
    """
    if stall_timeout is not None:
        check_seconds(stall_timeout)
    check_reports(controller)
    able = controller.capabilities
    if not able.resumable and stop_rules:
        raise UsageError(
            f"expected a controller that can stop between passes, got {able.name}, which only runs whole scans; leave "
            "out the rules"
        )
    if follower is not None:
        check_moves(controller)
