"""One acquisition with any controller, from a plan to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.acquisition.acquire import AcquireResult, acquire, check_request
from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.stopping import MaxDose
from stemscan.errors import UsageError
from stemscan.store import Acquisition

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.acquisition.stopping import StopRule
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["acquire_into"]


def acquire_into(
    plan: ScanPlan,
    controller: ScanController,
    output: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stall_timeout: float | None = None,
    stop_rules: Sequence[StopRule] = (),
    session: Mapping[str, object] | None = None,
    **identity: Any,
) -> AcquireResult:
    """Acquire a plan into a store, or go on with it.

    What can be refused is refused before the store is made.

    Parameters
    ----------
    plan : ScanPlan
    controller : ScanController
        Not closed here. The store of a `ReplayController` is told what its source was, and ends where that one was
        stopped.
    output : str or Path
        Folder of the store.
    resume : bool
        Go on with the store after its last committed sample, or begin it where there is none.
    overwrite : bool
        Whether a store that is there may be replaced.
    progress, stall_timeout
        As for `stemscan.acquisition.acquire.acquire`.
    stop_rules : sequence of StopRule
        As there; a `MaxDose` is refused where the first pass alone exceeds it.
    session : mapping, optional
        What the operator wants kept in the history.
    **identity
        What else `Acquisition.create` is told of the data, such as noise, seed or specimen.

    Returns
    -------
    AcquireResult

    Raises
    ------
    UsageError
        When a store is to be replayed into itself.
    StemscanError
        As `Acquisition.create`, `Acquisition.resume` and `acquire`.
    """
    rules = tuple(stop_rules)
    if isinstance(controller, ReplayController):
        if Path(output).exists() and controller.source.samefile(output):
            raise UsageError(f"expected another output than the store that is replayed, got {str(output)!r} for both")
        rules, identity = (*rules, *controller.stop_rules), {**controller.identity, **identity}
    check_request(controller, stall_timeout, rules)
    for rule in rules:
        if isinstance(rule, MaxDose):
            rule.check(plan, controller)
    told: dict[str, Any] = {
        "detector": controller.detector,
        "actual_positions": controller.capabilities.actual_positions,
        "session": session,
        **identity,
    }
    if resume:
        store = Acquisition.resume(output, plan, **told)
    else:
        store = Acquisition.create(output, plan, overwrite=overwrite, **told)
    with store:
        return acquire(plan, controller, store, progress=progress, stall_timeout=stall_timeout, stop_rules=rules)
