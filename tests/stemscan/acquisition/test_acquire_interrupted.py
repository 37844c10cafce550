"""Signals and full disks in the acquire loop: the beam goes off, what came is kept, and the scan goes on later."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import DiskSpaceError, StoreError
from stemscan.runtime import failpoints
from stemscan.runtime.interrupts import Interrupted
from stemscan.store.batch import SampleBatch
from tests.stemscan.acquisition.test_controller import PLAN, TOTAL, Faulty
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    resume,
)

pytestmark = pytest.mark.usefixtures("small_chunks", "usual_signals")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_waiting_for_the_hardware(tmp_path: Path, reference: dict[str, object], signum: int) -> None:
    path = tmp_path / "a.zarr"

    def fault(controller: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        os.kill(os.getpid(), signum)
        raise AssertionError("the signal came too late")

    controller = Faulty(3, fault)
    outside = signal.signal(signum, signal.default_int_handler)  # nohup has SIGHUP ignored, and so would the loop
    try:
        with create(path, PLAN) as store:
            with pytest.raises(Interrupted) as caught:
                run_scan(PLAN, controller, store, batch_samples=5)
            assert caught.value.signum == signum
            assert isinstance(caught.value, KeyboardInterrupt)
        assert signal.getsignal(signum) is signal.default_int_handler
    finally:
        signal.signal(signum, outside)
    assert controller.aborted == 1
    assert (store.state, store.samples_committed) == ("aborted", 10)
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == reference


@pytest.mark.parametrize("at", ["commit:begin", "file:written", "commit:recorded", "draw:pass"])
def test_a_signal_while_committing_waits_for_the_commit(tmp_path: Path, reference: dict[str, object], at: str) -> None:
    path = tmp_path / "a.zarr"
    sent: list[str] = []

    def hook(name: str) -> None:
        exposing.append(name == "arm:recorded")
        if name == at and not sent and any(exposing):
            sent.append(name)
            os.kill(os.getpid(), signal.SIGINT)

    exposing: list[bool] = []
    controller = ScriptedController()
    with create(path, PLAN) as store, failpoints.installed(hook), pytest.raises(Interrupted):
        run_scan(PLAN, controller, store, commit_samples=12)
    assert sent
    assert controller.aborted == 1
    assert store.state == "aborted"
    assert store.samples_committed in (12, TOTAL)  # the next segment may have come while this one was committed
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == reference


def test_a_signal_in_the_last_commit_is_not_lost(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"

    def hook(name: str) -> None:
        if name == "commit:recorded":
            os.kill(os.getpid(), signal.SIGINT)

    with create(path, PLAN) as store, failpoints.installed(hook), pytest.raises(Interrupted):
        run_scan(PLAN, ScriptedController(), store)
    assert (store.state, store.samples_committed) == ("aborted", TOTAL)
    with resume(path, PLAN) as store:
        assert run_scan(PLAN, ScriptedController(), store).samples == 0
    assert contents(path) == reference


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    def send(controller: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        os.kill(os.getpid(), signal.SIGINT)
        return batch

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with create(tmp_path / "a.zarr", PLAN) as store:
            run_scan(PLAN, Faulty(1, send), store)
    finally:
        signal.signal(signal.SIGINT, before)
    assert store.state == "complete"


def test_acquires_in_another_thread(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with create(path, PLAN) as store:
                run_scan(PLAN, ScriptedController(), store)
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
    assert contents(path) == reference


@pytest.mark.parametrize("at", range(4))
def test_a_full_disk_ends_the_scan_and_leaves_it_resumable(
    tmp_path: Path, reference: dict[str, object], at: int
) -> None:
    path = tmp_path / "a.zarr"
    left = [at * 7]

    def hook(name: str) -> None:
        if name == "file:written":
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")

    controller = ScriptedController()
    full = pytest.raises(DiskSpaceError, match="free some space and resume")
    with create(path, PLAN) as store, failpoints.installed(hook), full:
        run_scan(PLAN, controller, store, commit_samples=9)
    assert not list(path.rglob("*.partial"))
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == reference


def test_a_commit_can_be_tried_again_after_a_full_disk(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"

    def full(name: str) -> None:
        if name == "file:written":
            raise OSError(28, "No space left on device")

    with create(path, PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBatch(0, expected_counts(0, 10)))
        with failpoints.installed(full), pytest.raises(DiskSpaceError):
            store.commit()
        store.append(SampleBatch(10, expected_counts(10, TOTAL)))
        for name in ("file:written", "draw:pass"):
            hits = iter([name] * 1)

            def once(point: str, name: str = name, hits: Any = hits) -> None:
                if point == name and next(hits, None):
                    raise OSError(28, "No space left on device")

            with failpoints.installed(once), pytest.raises((DiskSpaceError, OSError)):
                store.complete()
        store.complete()
    assert contents(path) == reference


def test_a_refused_write_is_a_store_error(tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        if name == "file:written":
            raise PermissionError(13, "Permission denied")

    denied = pytest.raises(StoreError, match="expected to write .*Permission denied")
    with create(tmp_path / "a.zarr", PLAN) as store, failpoints.installed(refuse), denied:
        run_scan(PLAN, ScriptedController(), store)
