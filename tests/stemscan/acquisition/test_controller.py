"""The acquire loop: order of events, checks of batches, failures of controllers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import Capabilities, ScanController
from stemscan.errors import ControllerError, StoreMismatchError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.runtime import failpoints
from stemscan.store.batch import DetectorInfo, SampleBatch, check_batch
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    resume,
)

pytestmark = pytest.mark.usefixtures("small_chunks")

PLAN = make_plan()
TOTAL = PLAN.total_samples


class Faulty(ScriptedController):
    """Does something else at one of its reads."""

    def __init__(self, at: int, fault: Callable[[Faulty, SampleBatch | None], SampleBatch | None]) -> None:
        super().__init__()
        self.reads, self._fault_at, self._fault = 0, at, fault

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples, or the fault."""
        batch = super().read(max_samples)
        self.reads += 1
        return self._fault(self, batch) if self.reads == self._fault_at else batch


def changed(**fields: Any) -> Callable[[Faulty, SampleBatch | None], SampleBatch | None]:
    """A fault that changes fields of the batch; callables get the old batch."""

    def fault(_: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        assert batch is not None
        old: dict[str, Any] = {"start": batch.start, "counts": batch.counts, "actual": batch.actual}
        return SampleBatch(**(old | {name: value(batch) for name, value in fields.items()}))

    return fault


def test_scripted_controller_is_a_scan_controller() -> None:
    assert isinstance(ScriptedController(), ScanController)


def test_acquires_everything_and_tells(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    controller = ScriptedController()
    with create(tmp_path / "a.zarr", PLAN) as store:
        result = run_scan(
            PLAN, controller, store, progress=lambda *at: seen.append(at), batch_samples=5, commit_samples=16
        )
    assert (result.samples, result.resumed_from, result.exposed_twice_at_most) == (TOTAL, 0, 0)
    assert result.seconds > 0
    assert seen == [(5, TOTAL), (10, TOTAL), (15, TOTAL), (16, TOTAL), (21, TOTAL), (TOTAL, TOTAL)]
    assert controller.armed == [(0, 16), (16, TOTAL)]
    assert controller.aborted == 0
    assert store.state == "complete"
    np.testing.assert_array_equal(Acquisition.open(store.path).counts(), expected_counts(0, TOTAL))


@pytest.mark.parametrize(("batch", "commit", "most"), [(1, 1, 9), (7, 3, 9), (9, 10, 4), (24, 5, 24), (100, 1000, 100)])
def test_bytes_depend_on_no_size(
    tmp_path: Path, reference: dict[str, object], batch: int, commit: int, most: int
) -> None:
    with create(tmp_path / "b.zarr", PLAN) as store:
        run_scan(PLAN, ScriptedController(max_batch=most), store, batch_samples=batch, commit_samples=commit)
    assert contents(tmp_path / "b.zarr") == reference


def test_armed_is_recorded_before_the_beam_is_on(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    seen: list[tuple[int, int]] = []

    class Watching(ScriptedController):
        def arm(self, scan: ScanPath, start: int, stop: int) -> None:
            seen.append((Acquisition.open(path).samples_armed, stop))
            super().arm(scan, start, stop)

    with create(path, PLAN) as store:
        run_scan(PLAN, Watching(), store, commit_samples=9)
    assert seen == [(9, 9), (18, 18), (24, 24)]


def test_a_complete_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    before = (path / "zarr.json").read_bytes()
    controller = ScriptedController()
    with resume(path, PLAN) as store:
        result = run_scan(PLAN, controller, store)
    assert (result.samples, result.resumed_from, controller.armed) == (0, TOTAL, [])
    assert (path / "zarr.json").read_bytes() == before


def test_another_plan_is_refused(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store, pytest.raises(StoreMismatchError, match="expected the plan of"):
        run_scan(make_plan(seed=8), ScriptedController(), store)


def test_sizes_below_one_are_refused(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(UsageError, match="at least 1"):
            run_scan(PLAN, ScriptedController(), store, batch_samples=0)
        with pytest.raises(ControllerError, match="batches of at least 1 sample"):
            run_scan(PLAN, ScriptedController(max_batch=0), store)


BAD_BLOCKS: list[tuple[str, dict[str, Any], str]] = [
    ("negative", {"counts": lambda b: -b.counts.astype(np.int64) - 1}, "at least 0, got -"),
    ("too large", {"counts": lambda b: b.counts.astype(np.int64) + 65536}, "at most 65535 "),
    ("float", {"counts": lambda b: b.counts.astype(np.float32)}, "expected integer counts"),
    ("empty", {"counts": lambda b: b.counts[:0]}, "n >= 1"),
    ("two axes", {"counts": lambda b: b.counts[None]}, "shape"),
    ("too many", {"counts": lambda b: np.zeros(6, np.uint16)}, "at most 5 samples a batch"),
    ("positions", {"actual": lambda b: np.zeros((5, 2), np.float32)}, "without actual positions"),
]


@pytest.mark.parametrize(("changes", "message"), [bad[1:] for bad in BAD_BLOCKS], ids=[bad[0] for bad in BAD_BLOCKS])
def test_bad_batches_end_the_scan_and_keep_what_came(
    tmp_path: Path, reference: dict[str, object], changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a.zarr"
    controller = Faulty(2, changed(**changes))
    with create(path, PLAN) as store, pytest.raises(ControllerError, match=message):
        run_scan(PLAN, controller, store, batch_samples=5)
    assert controller.aborted == 1
    assert (store.state, store.samples_committed, store.samples_armed) == ("acquiring", 5, TOTAL)
    healthy = ScriptedController()
    with resume(path, PLAN) as store:
        result = run_scan(PLAN, healthy, store)
    assert (result.samples, result.resumed_from, result.exposed_twice_at_most) == (TOTAL - 5, 5, TOTAL - 5)
    assert healthy.exposed[0][0] == 5
    assert contents(path) == reference


def test_what_a_controller_raises_becomes_its_error(tmp_path: Path) -> None:
    def fault(controller: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        raise ConnectionResetError("the cable is out")

    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(ControllerError, match=r"got ConnectionResetError: .* out, line [0-9]+ of .*; resume to go"):
            run_scan(PLAN, Faulty(3, fault), store, batch_samples=5)
        assert store.samples_committed == 10
    whole = Faulty(3, fault)
    whole.capabilities = Capabilities("whole scans", resumable=False)
    words = "whole scans to work, got Conn.*; acquire into a new store"
    with create(tmp_path / "b.zarr", PLAN) as store, pytest.raises(ControllerError, match=words):
        run_scan(PLAN, whole, store, batch_samples=5)


def lost_cable(controller: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
    raise ConnectionResetError("the cable is out")


@pytest.mark.parametrize(("fault", "kept"), [(lost_cable, 5), (lambda *_: None, 0)])
def test_a_failing_abort_hides_nothing(tmp_path: Path, fault: Any, kept: int) -> None:
    class Broken(Faulty):
        def abort(self) -> None:
            raise RuntimeError("cannot abort either")

    with create(tmp_path / "a.zarr", PLAN) as store:
        with pytest.raises(ControllerError, match="the cable is out|an end after 5") as caught:
            run_scan(PLAN, Broken(2, fault), store, batch_samples=5)
        assert store.samples_committed == kept
    note = "expected scripted to blank and park the beam, got RuntimeError: cannot abort either; see that it is blanked"
    assert caught.value.__notes__ == [note]


def test_a_controller_that_only_runs_whole_scans(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"
    controller = ScriptedController(resumable=False)
    commits: list[str] = []
    with create(path, PLAN) as store, failpoints.installed(commits.append):
        run_scan(PLAN, controller, store, batch_samples=5, commit_samples=9)
    assert controller.armed == [(0, TOTAL)]
    assert commits.count("commit:recorded") == 3
    assert contents(path) == reference

    with create(path, PLAN, overwrite=True) as store:
        with pytest.raises(ControllerError, match="the cable is out"):
            run_scan(PLAN, Faulty(2, lost_cable), store, batch_samples=5)
        with pytest.raises(ControllerError, match="begin at sample 5, got scripted, which only runs whole scans"):
            run_scan(PLAN, controller, store)


def test_actual_positions_are_kept(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN, actual_positions=True) as store:
        run_scan(PLAN, ScriptedController(actual=True), store, batch_samples=7, commit_samples=11)
    read = Acquisition.open(tmp_path / "a.zarr")
    actual = read.actual()
    assert actual is not None
    np.testing.assert_array_equal(actual, read.positions() + 0.25)
    np.testing.assert_array_equal(read.actual(8, 15), actual[8:15])
    with create(tmp_path / "b.zarr", PLAN, actual_positions=True) as store:
        with pytest.raises(StoreMismatchError, match="begun with actual positions, got scripted, which gives none"):
            run_scan(PLAN, ScriptedController(), store)
        assert store.samples_armed == 0
        lying = ScriptedController(actual=True)
        lying.read = lambda max_samples: SampleBatch(0, expected_counts(0, max_samples))  # type: ignore[method-assign]
        with pytest.raises(ControllerError, match="with actual positions, got none"):
            run_scan(PLAN, lying, store, batch_samples=5)
        assert store.samples_committed == 0


def test_float_counts_are_checked() -> None:
    dtype = [np.dtype(np.float32)]
    good = np.array([0.5, 2], np.float32)
    check_batch(SampleBatch(3, good), 3, 5, dtype, actual=False)
    bad: list[tuple[Any, str]] = [
        (np.array([0.5, np.nan], np.float32), "finite counts of at least 0, got nan at sample 4"),
        (np.array([-1, np.inf], np.float32), "got -1.0 at sample 3"),
        (good.astype(np.float64), "dtype float32, got float64"),
    ]
    for counts, message in bad:
        with pytest.raises(ControllerError, match=message):
            check_batch(SampleBatch(3, counts), 3, 5, dtype, actual=False)
    wrong: list[Any] = [np.zeros((3, 2), np.float32), np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), np.int32)]
    wrong.append(np.full((2, 2), 1e39))  # more than the store's float32 holds
    for actual in wrong:
        with pytest.raises(ControllerError, match="finite actual positions of shape"):
            check_batch(SampleBatch(3, good, actual), 3, 5, dtype, actual=True)


def test_detector_info_refuses_nonsense() -> None:
    assert DetectorInfo(unit="adu", gain=12.5, offset=100).dtype == "uint16"
    bad: list[dict[str, Any]] = [
        {"unit": "volt"},
        {"dtype": "int16"},
        {"unit": "adu", "gain": 0},
        {"unit": "adu", "gain": float("nan")},
        {"unit": "adu", "gain": 1e-300},
        {"unit": "adu", "gain": 1e13},
        {"unit": "adu", "offset": float("inf")},
        {"unit": "adu", "offset": -1e13},
        {"gain": 2.0},
        {"offset": 1.0},
    ]
    for fields in bad:
        with pytest.raises(UsageError, match="expected"):
            DetectorInfo(**fields)


def test_capabilities_are_plain_values() -> None:
    assert Capabilities("x") == Capabilities("x", max_batch=1 << 18, actual_positions=False, resumable=True)


def test_a_silent_controller_is_an_error_in_time(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"
    silence = threading.Event()

    def fault(controller: Faulty, batch: SampleBatch | None) -> SampleBatch | None:
        silence.wait(30)
        return batch

    controller = Faulty(3, fault)
    with create(path, PLAN) as store:
        with pytest.raises(ControllerError, match=r"within 0\.2 s"):
            run_scan(PLAN, controller, store, batch_samples=5, stall_timeout=0.2)
        silence.set()
        assert controller.aborted == 1
        assert store.samples_committed == 10
    with pytest.raises(UsageError, match="above 0 s"), resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store, stall_timeout=0)
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store, stall_timeout=5)
    assert contents(path) == reference
