"""What those who watch a scan may ask of it: to end after a pass, to go on for one more, to park."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from stemscan.acquisition.requests import ScanRequests
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.stopping import AfterPasses, MaxDose, StopRule
from stemscan.runtime.interrupts import Interrupted, begin, reason
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from tests.stemscan.acquisition.test_controller import Faulty
from tests.stemscan.store_kit import ScriptedController, contents, create, make_plan, resume

pytestmark = pytest.mark.usefixtures("small_chunks", "usual_signals")

PLAN = make_plan(passes=4)
PASS = PLAN.samples_per_pass
DOSE = PASS * 10 / (256 * 0.1**2)


def asking(requests: ScanRequests, at: int, *names: str) -> Faulty:
    """A controller during one of whose reads, of two samples each, something is asked for."""

    def fault(_: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        asks: dict[str, Callable[[], str]] = {
            "stop": requests.stop_after_pass, "more": requests.one_more_pass, "park": requests.park,
        }  # fmt: skip
        for name in names:
            asker = threading.Thread(target=asks[name])
            asker.start()
            asker.join()
        return batch

    return Faulty(at, fault)


def scanned(path: Path, controller: ScriptedController, requests: ScanRequests, *rules: StopRule) -> Acquisition:
    """The store of a scan in segments of five samples, which end anywhere in a pass."""
    with create(path, PLAN) as store:
        run_scan(
            PLAN, controller, store, batch_samples=2, commit_samples=5, stop_rules=rules, requests=requests
        )  # fmt: skip
    return Acquisition.open(path)


def asked(store: Acquisition) -> list[str]:
    """Requests in the history."""
    return [entry["request"] for entry in store.history if entry["event"] == "asked"]


@pytest.mark.parametrize(("read", "passes"), [(1, 1), (8, 1), (13, 2), (21, 3)])
def test_a_scan_ends_after_the_pass_in_which_that_is_asked_for(tmp_path: Path, read: int, passes: int) -> None:
    requests = ScanRequests()
    store = scanned(tmp_path / "a.zarr", asking(requests, read, "stop"), requests)
    assert (store.state, store.samples_committed) == ("complete", passes * PASS)
    assert store.stopped is not None
    assert (store.stopped["passes"], store.stopped["reason"]) == (passes, "asked for")
    assert asked(store) == ["stop after this pass"]
    assert store.visits()[passes:].sum() == 0


def test_nothing_asked_for_changes_nothing(tmp_path: Path) -> None:
    scanned(tmp_path / "a.zarr", ScriptedController(), ScanRequests())
    with create(tmp_path / "b.zarr", PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_one_more_pass_puts_an_end_off(tmp_path: Path) -> None:
    requests = ScanRequests()
    store = scanned(tmp_path / "a.zarr", asking(requests, 1, "stop", "more"), requests)
    assert store.samples_committed == 2 * PASS
    assert asked(store) == ["stop after this pass", "one more pass"]
    requests = ScanRequests()
    rule = AfterPasses(1, "enough")
    store = scanned(tmp_path / "b.zarr", asking(requests, 1, "more", "more"), requests, rule)
    assert store.stopped is not None
    assert (store.stopped["passes"], store.stopped["reason"]) == (3, "enough")
    assert store.ledger is not None
    assert store.ledger["dwell"]["electrons"] == 3 * PASS * 10


def test_a_limit_of_dose_is_never_put_off(tmp_path: Path) -> None:
    requests = ScanRequests()
    store = scanned(tmp_path / "a.zarr", asking(requests, 1, "more", "more"), requests, MaxDose(2.5 * DOSE))
    assert store.stopped is not None
    assert store.stopped["passes"] == 2
    assert store.stopped["reason"].startswith("max-dose")
    requests = ScanRequests()
    rules = (AfterPasses(1, "enough"), MaxDose(1.5 * DOSE))
    store = scanned(tmp_path / "b.zarr", asking(requests, 1, "more"), requests, *rules)
    assert store.stopped is not None
    assert store.stopped["passes"] == 1


def test_no_pass_beyond_the_plan(tmp_path: Path) -> None:
    requests = ScanRequests()
    words = list[str]()

    def fault(_: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        words.extend(requests.one_more_pass() for _ in range(5))
        return batch

    store = scanned(tmp_path / "a.zarr", Faulty(1, fault), requests)
    assert store.samples_committed == 4 * PASS
    assert ["not done" in one for one in words] == [False, False, False, True, True]
    assert asked(store) == ["one more pass"] * 3


@pytest.mark.parametrize("ignored", [False, True])
def test_parking_blanks_keeps_what_came_and_can_be_resumed(tmp_path: Path, ignored: bool) -> None:
    begin()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if ignored else ():
        signal.signal(signum, signal.SIG_IGN)
    requests = ScanRequests()
    controller = asking(requests, 9, "park")
    with pytest.raises(Interrupted):
        scanned(tmp_path / "a.zarr", controller, requests)
    assert controller.aborted == 1
    store = Acquisition.open(tmp_path / "a.zarr")
    assert store.state == "aborted"
    assert 10 <= store.samples_committed <= 18
    assert asked(store) == ["blank and park now"]
    assert reason() == "parked from the page"
    begin()
    assert reason() == ""
    with resume(tmp_path / "a.zarr", PLAN) as writer:
        run_scan(PLAN, ScriptedController(), writer)
    with create(tmp_path / "b.zarr", PLAN) as writer:
        run_scan(PLAN, ScriptedController(), writer)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_a_controller_that_waits_for_ever_is_parked(tmp_path: Path) -> None:
    begin()
    requests, stuck = ScanRequests(), threading.Event()

    def fault(_: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        threading.Timer(0.1, requests.park).start()
        stuck.wait(30)
        return batch

    with pytest.raises(Interrupted):
        scanned(tmp_path / "a.zarr", Faulty(9, fault), requests)
    assert Acquisition.open(tmp_path / "a.zarr").state == "aborted"
    begin()


def test_a_controller_of_whole_scans_can_only_be_parked(tmp_path: Path) -> None:
    requests = ScanRequests()
    words = list[str]()

    class Whole(ScriptedController):
        def read(self, max_samples: int) -> SampleBatch | None:
            words.extend([requests.stop_after_pass(), requests.one_more_pass()] if not words else [])
            return super().read(max_samples)

    store = scanned(tmp_path / "a.zarr", Whole(resumable=False), requests)
    assert store.samples_committed == 4 * PASS
    assert all("not done" in one for one in words)
    assert asked(store) == []
