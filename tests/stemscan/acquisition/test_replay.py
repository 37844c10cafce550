"""The replay of a store: the same samples again, as far as it goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.acquisition import replay
from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.session import run_session
from stemscan.acquisition.stopping import AfterPasses
from stemscan.errors import ControllerError, InputNotFoundError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    resume,
)

PLAN = make_plan()
TOTAL = PLAN.total_samples


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces of a small store."""
    monkeypatch.setattr(replay, "_PIECE", 7)


def partial_store(path: Path, samples: int, *, aborted: bool) -> None:
    """A store that has its first samples only."""
    with create(path, PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBatch(0, expected_counts(0, samples)))
        store.commit()
        if aborted:
            store.abort()


@pytest.mark.parametrize("actual", [False, True])
def test_a_store_of_a_replay_is_the_same_store(tmp_path: Path, actual: bool) -> None:
    with create(tmp_path / "a.zarr", PLAN, actual_positions=actual) as store:
        run_scan(PLAN, ScriptedController(actual=actual), store)
    controller = ReplayController(tmp_path / "a.zarr")
    assert controller.capabilities.actual_positions == actual
    with create(tmp_path / "b.zarr", PLAN, actual_positions=actual) as store:
        run_scan(PLAN, controller, store, batch_samples=5, commit_samples=9)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


@pytest.mark.parametrize("aborted", [False, True])
@pytest.mark.parametrize("samples", [1, 7, 10, 23])
def test_a_store_that_is_not_complete_is_replayed_as_far_as_it_goes(
    tmp_path: Path, samples: int, aborted: bool
) -> None:
    partial_store(tmp_path / "a.zarr", samples, aborted=aborted)
    with create(tmp_path / "b.zarr", PLAN) as store:
        with pytest.raises(ControllerError, match=f"samples up to .* in .*a.zarr', got {samples} committed"):
            run_scan(PLAN, ReplayController(tmp_path / "a.zarr"), store, batch_samples=4)
        assert store.samples_committed == samples
    for name in ("a.zarr", "b.zarr"):
        with resume(tmp_path / name, PLAN) as store:
            run_scan(PLAN, ScriptedController(), store)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_another_plan_and_no_plan_are_refused(tmp_path: Path) -> None:
    partial_store(tmp_path / "a.zarr", 10, aborted=True)
    controller = ReplayController(Acquisition.open(tmp_path / "a.zarr"))
    with pytest.raises(ControllerError, match="replay a store of that plan"):
        controller.arm(ScanPath(make_plan(seed=8)), 0, 5)
    samples = Samples(np.ones(2, np.uint16), np.zeros((2, 2), np.int32), (2,), (4, 4))
    imported = import_samples(samples, tmp_path / "i.zarr", electrons_per_sample=1.0)
    with pytest.raises(ControllerError, match="a store with a plan to replay, got .*i.zarr', which was imported"):
        ReplayController(imported)
    with pytest.raises(InputNotFoundError):
        ReplayController(tmp_path / "nowhere.zarr")


def test_a_replay_tells_what_the_source_is(tmp_path: Path) -> None:
    detector = DetectorInfo(dtype="float32")
    with create(tmp_path / "a.zarr", PLAN, noise="eq5", detector=detector, coil_tau_ns=5.0) as store:
        store.arm(TOTAL)
        store.append(SampleBatch(0, expected_counts(0, TOTAL, "float32")))
        store.complete()
    run_session(PLAN, ReplayController(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_a_replay_ends_where_its_source_was_stopped(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        run_scan(PLAN, ScriptedController(), store, stop_rules=[AfterPasses(1, "enough")])
    result = run_session(PLAN, ReplayController(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    assert (result.samples, result.stopped) == (PLAN.samples_per_pass, "enough")
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


@pytest.mark.parametrize("options", [{"overwrite": True}, {"resume": True}, {}])
def test_a_store_is_not_replayed_into_itself(tmp_path: Path, options: dict[str, bool]) -> None:
    partial_store(tmp_path / "a.zarr", 10, aborted=True)
    before = contents(tmp_path / "a.zarr")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "a.zarr")
    for output in ("a.zarr", "link.zarr"):
        with pytest.raises(UsageError, match="another output than the store that is replayed"):
            run_session(PLAN, ReplayController(tmp_path / "a.zarr"), tmp_path / output, **options)  # type: ignore[arg-type]
    assert contents(tmp_path / "a.zarr") == before
