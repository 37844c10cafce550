"""The acquire loop when the controller hangs, lies or will not blank, or the user is impatient."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.session import run_session
from stemscan.acquisition.timed_controller import TimedController
from stemscan.errors import ControllerError, StoreMismatchError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.runtime import failpoints
from stemscan.runtime.interrupts import Interrupted
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.ledger import BeamTime, BeamTimes
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    resume,
)

pytestmark = pytest.mark.usefixtures("small_chunks", "usual_signals")

PLAN = make_plan()
TOTAL = PLAN.total_samples


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Something to wait for that does not happen during the test."""
    event = threading.Event()
    yield event
    event.set()


class Interrupting(ScriptedController):
    """Sends a signal when the second batch is read, and may do more when it is aborted."""

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples, or a signal."""
        if len(self.exposed) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        return super().read(max_samples)


@pytest.mark.parametrize("call", ["arm", "start", "read"])
def test_every_call_has_an_end(tmp_path: Path, never: threading.Event, call: str) -> None:
    controller = ScriptedController()
    setattr(controller, call, lambda *_: never.wait())
    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(ControllerError, match=r"expected scripted to .* within 0\.2 s, got no answer"):
            run_scan(PLAN, controller, store, stall_timeout=0.2)
        assert controller.aborted == 1
    with resume(tmp_path / "a.zarr", PLAN) as store:
        assert run_scan(PLAN, ScriptedController(), store, stall_timeout=60).samples == TOTAL


def test_an_abort_that_does_not_return_is_told_and_what_came_is_kept(tmp_path: Path, never: threading.Event) -> None:
    class Stuck(ScriptedController):
        def read(self, max_samples: int) -> SampleBatch | None:
            if self.exposed:
                raise OSError("the cable is out")
            return super().read(max_samples)

        def abort(self) -> None:
            never.wait()

    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(ControllerError, match="the cable is out") as caught:
            run_scan(PLAN, Stuck(), store, batch_samples=5, stall_timeout=0.2)
        assert store.samples_committed == 5
    assert "expected scripted to blank and park the beam, got no answer; see" in caught.value.__notes__[0]


def test_a_second_signal_does_not_cut_the_blanking_in_two(tmp_path: Path, never: threading.Event) -> None:
    blanked = threading.Event()

    class Slow(Interrupting):
        def abort(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            never.wait()
            blanked.set()

    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(Interrupted) as caught:
            run_scan(PLAN, Slow(), store, batch_samples=5)
        assert (store.state, store.samples_committed) == ("aborted", 5)
    assert "no answer" in caught.value.__notes__[0]
    never.set()
    assert blanked.wait(60)


def test_an_impatient_user_is_not_told_that_the_beam_is_on_when_it_is_not(tmp_path: Path) -> None:
    class Brief(Interrupting):
        def abort(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(Interrupted) as caught:
            run_scan(PLAN, Brief(), store, batch_samples=5)
        assert (store.state, store.samples_committed) == ("aborted", 5)
    assert not hasattr(caught.value, "__notes__")


def test_a_signal_while_the_store_is_completed_is_raised_after_it(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def hook(name: str) -> None:
        if name == "complete:begin":
            os.kill(os.getpid(), signal.SIGTERM)

    with create(tmp_path / "a.zarr", PLAN) as store, failpoints.installed(hook):
        with pytest.raises(Interrupted):
            run_scan(PLAN, ScriptedController(), store)
        assert store.state == "complete"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_slow_store_blanks_the_beam_between_segments(tmp_path: Path) -> None:
    controller = ScriptedController()
    waits: list[int] = []

    def slow(name: str) -> None:
        if name == "commit:begin" and threading.current_thread().name == "commit":
            waits.append(controller._stop - controller._at)
            time.sleep(0.1)

    with create(tmp_path / "a.zarr", PLAN) as store, failpoints.installed(slow):
        result = run_scan(PLAN, controller, store, batch_samples=2, commit_samples=4)
    assert result.pauses >= 3
    assert result.paused_seconds > 0.2
    assert controller.armed == [(at, at + 4) for at in range(0, TOTAL, 4)]  # a range is not longer than a commit
    np.testing.assert_array_equal(Acquisition.open(tmp_path / "a.zarr").counts(), expected_counts(0, TOTAL))


def test_another_detector_is_refused_before_anything_is_exposed(tmp_path: Path) -> None:
    controller = ScriptedController()
    controller.detector = DetectorInfo(unit="adu", gain=10.0)
    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(StoreMismatchError, match=r"expected the detector .*electron.* got .*gain=10\.0"):
            run_scan(PLAN, controller, store)
        assert (controller.armed, store.samples_armed) == ([], 0)


def test_what_can_be_refused_is_refused_before_there_is_a_store(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="stall timeout above 0 s and at most"):
            run_session(PLAN, ScriptedController(), path, stall_timeout=seconds)
        with pytest.raises(UsageError, match="stall timeout"):
            TimedController(ScriptedController(), seconds)
    with pytest.raises(UsageError, match="only runs whole scans; leave out the rules"):
        run_session(PLAN, ScriptedController(resumable=False), path, stop_rules=[lambda *_: None])
    with pytest.raises(ControllerError, match="batches of at least 1 sample"):
        run_session(PLAN, ScriptedController(max_batch=0), path)
    for name, value in (("capabilities", None), ("capabilities", {}), ("detector", "x"), ("provenance", 3)):
        controller = ScriptedController()
        setattr(controller, name, value)
        with pytest.raises(ControllerError, match=f"the {name} of .* as .*, got {type(value).__name__}; report it"):
            run_session(PLAN, controller, path)
    for wrong in ("virtual", ScriptedController, None):
        with pytest.raises(UsageError, match=r"a scan controller, got .* without .*; hand over one with"):
            run_session(PLAN, wrong, path)  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((0, [1, 2]), "a SampleBatch or None from scripted, got tuple"),
        (SampleBatch(0, [1, 2]), "counts in a numpy array, got list"),  # type: ignore[arg-type]
        (SampleBatch(None, np.ones(2, np.uint16)), "starts at sample 0, got None"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_batch_is_an_error_of_the_controller(tmp_path: Path, batch: Any, message: str) -> None:
    controller = ScriptedController()
    controller.read = lambda _: batch  # type: ignore[method-assign, assignment]
    with create(tmp_path / "a.zarr", PLAN) as store, pytest.raises(ControllerError, match=message):
        run_scan(PLAN, controller, store)
    assert controller.aborted == 1


class Reporting(ScriptedController):
    """Reports times of its beam, which cannot be."""

    def __init__(self, times: Any) -> None:
        super().__init__()
        self._times = times

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """What it was told to say, or an error."""
        if isinstance(self._times, Exception):
            raise self._times
        return self._times  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "times",
    [
        ZeroDivisionError("no times"),
        None,
        BeamTimes(dwell=BeamTime(-5, -5)),
        BeamTimes(settle=BeamTime(5, 6)),
        BeamTimes(dwell=BeamTime(5.0, 5.0)),  # type: ignore[arg-type]
    ],
)
def test_times_that_cannot_be_end_the_scan_and_lose_nothing(tmp_path: Path, times: Any) -> None:
    path = tmp_path / "a.zarr"
    controller = Reporting(times)
    with create(path, PLAN) as store:
        with pytest.raises(ControllerError, match="expected scripted to report the times of its beam"):
            run_scan(PLAN, controller, store, batch_samples=5, commit_samples=7)
        received = controller.exposed[-1][1]
        assert store.samples_committed == received
        assert store.record.ledger is not None
        assert store.record.ledger.dwell.time_ns == 1000 * received
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    with create(tmp_path / "b.zarr", PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == contents(tmp_path / "b.zarr")


def test_times_may_be_numbers_of_numpy(tmp_path: Path) -> None:
    times = BeamTimes(dwell=BeamTime(np.int64(70), np.int64(60)))  # type: ignore[arg-type]
    with create(tmp_path / "a.zarr", PLAN) as store:
        run_scan(PLAN, Reporting(times), store)
    ledger = Acquisition.open(tmp_path / "a.zarr").ledger
    assert ledger is not None
    assert (ledger["dwell"]["time_ns"], ledger["dwell"]["exposed_ns"]) == (70, 60)
