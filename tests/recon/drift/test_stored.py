"""The drift of a store: written whole or not at all, beside a record that stays, and known to all that read it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import OutputExistsError, ReconError, StoreError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.find import Drift, find_drift, store_drift
from stemscan.simulators.session import simulate
from stemscan.store.drift import remove_drift
from stemscan.store.reader import Acquisition
from stemscan.store.trajectory import Trajectory
from stemscan.store.verify import verify_store
from tests.recon.drift.drift_kit import lattice


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": [64, 64],
            "passes": 2,
            "order": {"kind": "serpentine-blocks"},
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 10},
            "pixel_size_nm": 0.01,
            "seed": 3,
        }
    )
    path = tmp_path_factory.mktemp("drift") / "acq.zarr"
    simulate(plan, lattice(64).astype(np.float32).clip(0, 1), path)
    return path


@pytest.fixture
def store(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scanned, tmp_path / "acq.zarr"))


def moved(verdict: str = "drift") -> Drift:
    trajectory = Trajectory.of([0, 767], [[-1.0, 0.5], [1.0, -0.5]], np.full((2, 2), 0.1))
    return Drift(verdict, "as made up", trajectory, (), 768, 0.01, {"method": "none"})


def test_a_drift_is_read_as_it_was_written_and_leaves_the_record_alone(store: Path) -> None:
    before = Acquisition.open(store).digest()
    store_drift(store, moved())
    acquisition = Acquisition.open(store)
    assert acquisition.drift is not None
    assert acquisition.drift.current
    assert acquisition.drift.provenance["reason"] == "as made up"
    assert acquisition.drift.trajectory.at(np.array([0])).tolist() == [[-1.0, 0.5]]
    assert acquisition.digest() == before
    assert verify_store(store).sound


def test_undo_leaves_the_store_as_it_was(store: Path, scanned: Path) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}

    store_drift(store, moved())
    assert remove_drift(store)
    assert files(store) == files(scanned)
    assert not remove_drift(store)


def test_another_is_refused_unless_asked_for(store: Path) -> None:
    store_drift(store, moved())
    with pytest.raises(OutputExistsError, match="--undo"):
        store_drift(store, moved())
    store_drift(store, moved(), overwrite=True)


def test_only_what_was_found_is_stored(store: Path) -> None:
    with pytest.raises(ReconError, match="still"):
        store_drift(store, moved("still"))


@pytest.mark.parametrize("point", ["drift:array", "drift:filled", "drift:removed", "drift:done"])
def test_whatever_stops_a_write_there_is_a_whole_drift_or_none(
    store: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_drift(store, moved())

    def stop(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    monkeypatch.setattr("stemscan.store.drift.failpoint", stop)
    with pytest.raises(KeyboardInterrupt):
        store_drift(store, moved(), overwrite=True)
    monkeypatch.undo()
    drift = Acquisition.open(store).drift
    assert drift is None or drift.current
    assert verify_store(store).sound
    store_drift(store, moved(), overwrite=True)
    assert not list(store.glob("*.partial"))


def test_a_changed_drift_is_noticed(store: Path) -> None:
    store_drift(store, moved())
    root = store / "drift" / "zarr.json"
    root.write_text(root.read_text().replace("as made up", "otherwise"))
    with pytest.raises(StoreError, match="--undo"):
        _ = Acquisition.open(store).drift
    report = verify_store(store)
    assert not report.sound
    assert "drift" in str(report.problems[0].file)
    remove_drift(store)
    assert verify_store(store).sound


def test_overwriting_the_store_removes_it(store: Path, scanned: Path) -> None:
    store_drift(store, moved())
    acquisition = Acquisition.open(scanned)
    assert acquisition.plan is not None
    simulate(acquisition.plan, lattice(64).astype(np.float32).clip(0, 1), store, overwrite=True)
    assert not (store / "drift").exists()


def test_finding_changes_nothing(store: Path) -> None:
    assert find_drift(store).samples == 384
    assert not (store / "drift").exists()
