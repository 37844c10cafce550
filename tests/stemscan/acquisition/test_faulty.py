"""The faulty controller: every fault ends an acquisition, none spoils it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.acquisition.faulty import FAULTS, Fault, FaultyController
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.store.reader import Acquisition
from stemscan.testing import plans
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    memory_folder,
    resume,
)

pytestmark = pytest.mark.usefixtures("small_chunks")

PLAN = make_plan()
TOTAL = PLAN.total_samples


def silent() -> None:
    """A stall that the hardware's driver gives up."""
    raise TimeoutError("no samples came")


def check_committed(path: Path) -> int:
    """What is in a store is right, as far as it goes."""
    store = Acquisition.open(path)
    np.testing.assert_array_equal(store.counts(), expected_counts(0, store.samples_committed))
    return store.samples_committed


def until_complete(
    path: Path, plan: ScanPlan, controller: ScanController, *, batch_samples: int, commit_samples: int
) -> list[str]:
    """Acquire, and resume after every error; the messages of these."""
    errors: list[str] = []
    for _ in range(1000):
        try:
            with resume(path, plan) as store:
                run_scan(plan, controller, store, batch_samples=batch_samples, commit_samples=commit_samples)
            return errors
        except ControllerError as error:
            errors.append(str(error))
            check_committed(path)
    raise AssertionError("no end of errors")


@pytest.mark.parametrize("seed", range(100))
def test_nothing_is_lost_or_doubled(reference: dict[str, object], seed: int) -> None:
    inner = ScriptedController()
    controller = FaultyController(inner, seed=seed, every=8, stall=silent)
    batch, commit = 1 + seed % 7, 3 + seed % 11
    with memory_folder() as folder:
        path = folder / "a.zarr"
        until_complete(path, PLAN, controller, batch_samples=batch, commit_samples=commit)
        assert contents(path) == reference
    assert 1 <= len(controller.struck) <= 3


EXPOSED_AGAIN: tuple[Fault, ...] = ("drop", "short", "disorder", "duplicate", "lose", "add")


@pytest.mark.parametrize("fault", EXPOSED_AGAIN)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("batch", "commit"), [(5, 9), (1, 24), (100, 7)])
def test_what_cannot_be_told_apart_is_exposed_again(
    reference: dict[str, object], fault: Fault, seed: int, batch: int, commit: int
) -> None:
    inner = ScriptedController()
    controller = FaultyController(inner, seed=seed, faults=[fault], every=TOTAL)
    with memory_folder() as folder:
        path = folder / "a.zarr"
        with create(path, PLAN) as store:
            result = run_scan(PLAN, controller, store, batch_samples=batch, commit_samples=commit)
        assert [strike.fault for strike in controller.struck] == [fault]
        ledger = Acquisition.open(path).ledger
        assert ledger is not None
        assert result.unproven == inner.aborted == 1
        if fault != "duplicate":  # of which the first may be the last batch of a range
            assert ledger["times_exposed_again"] == 1
            assert ledger["samples_exposed_again_at_most"] >= 1
        assert contents(path) == reference


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_keeps_the_number_of_samples(reference: dict[str, object], seed: int) -> None:
    controller = FaultyController(ScriptedController(), seed=seed, faults=["shift"], every=TOTAL)
    counts = []
    for _ in range(2):
        controller.arm(ScanPath(PLAN), 0, TOTAL)
        controller.start()
        batches = []
        while (batch := controller.read(4)) is not None:
            batches.append(batch.counts)
        counts.append(np.concatenate(batches))
    at, right = controller.struck[0].sample, expected_counts(0, TOTAL)
    np.testing.assert_array_equal(counts[0], [*right[:at], *right[at + 1 :], right[-1]])
    np.testing.assert_array_equal(counts[1], right)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in EXPOSED_AGAIN])
@pytest.mark.parametrize("seed", range(5))
def test_each_fault_is_an_error_and_a_healthy_controller_goes_on(
    reference: dict[str, object], fault: Fault, seed: int
) -> None:
    controller = FaultyController(ScriptedController(), seed=seed, faults=[fault], every=TOTAL, stall=silent)
    with memory_folder() as folder:
        path = folder / "a.zarr"
        with create(path, PLAN) as store, pytest.raises(ControllerError, match="expected"):
            run_scan(PLAN, controller, store, batch_samples=5, commit_samples=9)
        assert [strike.fault for strike in controller.struck] == [fault]
        committed = check_committed(path)
        healthy = ScriptedController()
        with resume(path, PLAN) as store:
            run_scan(PLAN, healthy, store)
        assert healthy.exposed[:1] in ([], [(committed, TOTAL)])
        assert contents(path) == reference


@settings(max_examples=20)
@given(plans(max_side=12, max_passes=3), st.integers(0, 2**64 - 1), st.data())
def test_any_plan_is_completed(plan: ScanPlan, seed: int, data: st.DataObject) -> None:
    total = plan.total_samples
    every = data.draw(st.integers(max(1, total // 4), total + 1))
    sizes = {
        "batch_samples": data.draw(st.integers(max(1, total // 20), total)),
        "commit_samples": data.draw(st.integers(max(1, total // 5), total)),
    }
    controller = FaultyController(ScriptedController(), seed=seed, every=every, stall=silent)
    with memory_folder() as folder:
        until_complete(folder / "a.zarr", plan, controller, **sizes)
        assert check_committed(folder / "a.zarr") == total
        assert Acquisition.open(folder / "a.zarr").state == "complete"


def read_all(controller: ScanController, size: int = 4) -> list[Any]:
    """Starts of the batches of a whole scan, or the name of the error."""
    controller.arm(ScanPath(PLAN), 0, TOTAL)
    controller.start()
    seen: list[Any] = []
    try:
        while (batch := controller.read(size)) is not None:
            seen.append(batch.start)
    except (ConnectionError, ControllerError) as error:
        seen.append(type(error).__name__)
    return seen


def test_faults_follow_from_seed_and_sample_and_strike_once() -> None:
    struck = []
    for size in (1, 4, 24):
        controller = FaultyController(ScriptedController(), seed=5, faults=["nan", "dtype"], every=6)
        read_all(controller, size)
        while len(controller.struck) < 4:
            read_all(controller, size)
        assert read_all(controller, 24) == [0]
        struck.append(sorted(controller.struck, key=lambda strike: strike.sample))
    assert struck[0] == struck[1] == struck[2]
    assert [strike.sample // 6 for strike in struck[0]] == [0, 1, 2, 3]
    kinds = Counter(
        strike.fault
        for seed in range(300)
        for strike in [FaultyController(ScriptedController(), seed=seed, every=1)._strike(0, 1)]
        if strike is not None
    )
    assert set(kinds) == set(FAULTS)
    assert min(kinds.values()) > 300 / len(FAULTS) / 2


def test_a_lost_connection_stays_lost_until_armed_again() -> None:
    controller = FaultyController(ScriptedController(), seed=1, faults=["disconnect"], every=TOTAL)
    assert read_all(controller)[-1] == "ConnectionResetError"
    with pytest.raises(ConnectionError):
        controller.read(4)
    assert read_all(controller) == list(range(0, TOTAL, 4))


def test_a_stall_ends_after_its_time_and_harms_nothing() -> None:
    controller = FaultyController(ScriptedController(), seed=1, faults=["stall"], every=TOTAL, stall=0.05)
    began = time.monotonic()
    assert read_all(controller) == list(range(0, TOTAL, 4))
    assert time.monotonic() - began >= 0.05


def test_an_abort_ends_a_stall() -> None:
    controller = FaultyController(ScriptedController(), seed=1, faults=["stall"], every=TOTAL, stall=600.0)
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.extend(read_all(controller)))
    thread.start()
    while not controller.struck:
        time.sleep(0.001)
    controller.abort()
    thread.join(60)
    assert not thread.is_alive()
    assert seen[-1] == "ControllerError"
    assert read_all(controller) == list(range(0, TOTAL, 4))


def test_actual_positions_stay_with_their_samples() -> None:
    for fault in ("drop", "short"):
        controller = FaultyController(ScriptedController(actual=True), seed=2, faults=[fault], every=TOTAL)
        controller.arm(ScanPath(PLAN), 0, TOTAL)
        controller.start()
        batch = controller.read(TOTAL)
        assert batch is not None
        assert batch.actual is not None
        assert 0 < len(batch.counts) == len(batch.actual) == controller.struck[0].sample


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 1, "faults": ["smoke"]}, "faults of drop, .*got 'smoke'"),
        ({"seed": 1, "every": 0}, "at least 1 sample"),
        ({"seed": 1, "stall": -1.0}, "stall of 0 s"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FaultyController(ScriptedController(), **options)
