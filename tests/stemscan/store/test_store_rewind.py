"""Going back in a store: samples taken back or in doubt, told truthfully and exposed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.scan import run_scan
from stemscan.errors import ControllerError, StoreError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.store import schema
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import ScriptedController, contents, create, expected_counts, make_plan, pictures, resume

PLAN = make_plan()
TOTAL = PLAN.total_samples


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of samples."""
    monkeypatch.setattr(schema, "SAMPLE_CHUNK", 5)


def wrong_from(path: Path, proven: int, samples: int) -> AcquisitionWriter:
    """A store being written whose samples are wrong from `proven` on."""
    store = create(path, PLAN)
    counts = expected_counts(0, samples)
    counts[proven:] += 1
    store.arm(samples)
    store.append(SampleBatch(0, counts))
    store.commit()
    return store


def reference(path: Path) -> Path:
    """An undisturbed store."""
    with create(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    return path


def without_times(files: dict[str, object]) -> dict[str, object]:
    """The contents of a store without the ledger, to which samples add that were taken back."""
    import json

    root = json.loads(str(files["zarr.json"]))
    del root["attributes"]["stemscan"]["ledger"]
    return files | {"zarr.json": json.dumps(root)}


@pytest.mark.parametrize("kept", [0, 3, 5, 11, 12, 17, 18])
def test_goes_back_to_any_sample(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.zarr"
    with wrong_from(path, kept, 18) as store:
        store.rewind(kept, "they moved")
        again = Acquisition.open(path)
        assert (again.samples_committed, again.samples_armed, again.state) == (kept, 18, "acquiring")
        np.testing.assert_array_equal(again.counts(), expected_counts(0, kept))
        np.testing.assert_array_equal(again.positions(), ScanPath(PLAN).positions(0, kept))
        for picture, expected in zip((again.frames(), again.visits()), pictures(PLAN, kept), strict=True):
            np.testing.assert_array_equal(picture, expected)
        assert store.samples_committed == kept
        entry = again.history[-1]
        assert (entry["event"], entry["samples_committed"], entry["samples_kept"]) == ("rewound", 18, kept)
        assert entry["reason"] == "they moved"
        controller = ScriptedController()
        run_scan(PLAN, controller, store, commit_samples=4)
    assert controller.exposed[0][0] == kept
    assert without_times(contents(path)) == without_times(contents(reference(tmp_path / "b.zarr")))
    ledger = Acquisition.open(path).ledger
    assert ledger is not None
    assert ledger.get("samples_taken_back", 0) == 18 - kept
    assert ledger["samples_exposed_again_at_most"] == 18 - kept
    assert ledger["dwell"]["time_ns"] == (TOTAL + 18 - kept) * PLAN.dwell_ns


def test_what_was_not_committed_is_dropped_when_going_back(tmp_path: Path) -> None:
    with wrong_from(tmp_path / "a.zarr", 8, 8) as store:
        store.arm(12)
        store.append(SampleBatch(8, np.full(4, 99, np.uint16)))
        store.rewind(8, "a gap")
        assert store.samples_appended == 8
        with pytest.raises(Exception, match="samples up to 8, as armed"):
            store.append(SampleBatch(8, expected_counts(8, 9)))
        store.arm(9)
        store.append(SampleBatch(8, expected_counts(8, 9)))
        store.commit()
    np.testing.assert_array_equal(Acquisition.open(store.path).counts(), expected_counts(0, 9))


def test_only_committed_samples_can_be_kept(tmp_path: Path) -> None:
    with wrong_from(tmp_path / "a.zarr", 8, 8) as store:
        for samples in (-1, 9):
            with pytest.raises(UsageError, match=r"0 \.\. 8 committed samples"):
                store.rewind(samples, "x")
            with pytest.raises(UsageError, match=r"beyond doubt to be 0 \.\. 8, got"):
                store.mark_doubt(samples, "x")
    with pytest.raises(StoreError, match="not closed"):
        store.rewind(3, "x")
    with pytest.raises(StoreError, match="not closed"):
        store.mark_doubt(3, "x")


@pytest.mark.parametrize("proven", [0, 7, 10, 18])
def test_doubt_is_told_and_ends_by_resuming(tmp_path: Path, proven: int) -> None:
    path = tmp_path / "a.zarr"
    with wrong_from(path, proven, 18) as store:
        store.mark_doubt(proven, "one reading too many")
        store.mark_doubt(min(18, proven + 3), "later")
    read = Acquisition.open(path)
    assert read.doubt == {"proven": proven, "reason": "one reading too many"}
    assert read.samples_committed == 18
    assert any(f"from {proven} on are in doubt (one reading too many)" in warning for warning in read.warnings)
    controller = ScriptedController()
    with resume(path, PLAN) as going_on:
        assert (going_on.samples_committed, going_on.record.doubt) == (proven, None)
        run_scan(PLAN, controller, going_on)
    assert controller.exposed[0][0] == proven
    assert without_times(contents(path)) == without_times(contents(reference(tmp_path / "b.zarr")))
    events = [entry["event"] for entry in Acquisition.open(path).history]
    assert events == ["created", "doubted", "doubted", "rewound", "resumed", "completed"]


def test_a_store_in_doubt_is_never_complete(tmp_path: Path) -> None:
    with wrong_from(tmp_path / "a.zarr", 20, TOTAL) as store:
        store.mark_doubt(20, "one reading too many")
        with pytest.raises(StoreError, match=r"beyond doubt before .* got doubt from sample 20 on \(one reading"):
            store.complete()
    assert Acquisition.open(tmp_path / "a.zarr").state == "acquiring"


def test_what_is_kept_must_be_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    wrong_from(path, 18, 18).close()
    chunk = path / "samples" / "counts" / "c" / "1" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    before = contents(path)
    with resume(path, PLAN) as store, pytest.raises(StoreError, match="samples/counts/c/1/0"):
        store.rewind(7, "they moved")
    assert Acquisition.open(path).samples_committed == 18
    after = contents(path)
    assert {name for name in after if after[name] != before[name]} == set()


def test_a_replay_ends_where_doubt_begins(tmp_path: Path) -> None:
    with wrong_from(tmp_path / "a.zarr", 9, 18) as store:
        store.mark_doubt(9, "they moved")
    replay = ReplayController(tmp_path / "a.zarr")
    replay.arm(ScanPath(PLAN), 0, 18)
    replay.start()
    batch = replay.read(18)
    assert batch is not None
    np.testing.assert_array_equal(batch.counts, expected_counts(0, 9))
    with pytest.raises(ControllerError, match="got 9 committed beyond doubt"):
        replay.read(18)
