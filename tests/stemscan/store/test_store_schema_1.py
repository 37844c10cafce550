"""Stores of early releases: read, gone on with, checked as far as they can be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from stemscan.acquisition.scan import run_scan
from stemscan.errors import StoreError, StoreMismatchError
from stemscan.path.scan_path import ScanPath
from stemscan.store.batch import DetectorInfo
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.stemscan.store.schema_1 import write_schema_1
from tests.stemscan.store_kit import ScriptedController, contents, expected_counts, make_plan, pictures, resume

PLAN = make_plan()
TOTAL = PLAN.total_samples


@pytest.mark.parametrize("committed", [0, 7, 10, 13, TOTAL])
def test_is_read(tmp_path: Path, committed: int) -> None:
    write_schema_1(tmp_path / "a.zarr", PLAN, committed)
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.schema, store.samples_committed, store.doubt) == (1, committed, None)
    assert store.detector == DetectorInfo()
    assert [channel.name for channel in store.channels] == ["detector"]
    assert "of schema 1, which has no digests" in store.warnings[-1]
    np.testing.assert_array_equal(store.counts(), expected_counts(0, committed))
    np.testing.assert_array_equal(store.positions(), ScanPath(PLAN).positions(0, committed))
    for picture, expected in zip((store.frames(), store.visits()), pictures(PLAN, committed), strict=True):
        np.testing.assert_array_equal(picture, expected)
    assert len(store.digest()) == 64
    report = verify_store(tmp_path / "a.zarr")
    assert report.sound, report.problems
    assert "whether record, counts and truth are what was written: schema 1 has no digests" in report.unchecked


@pytest.mark.parametrize("committed", [0, 7, 10, 13])
def test_is_gone_on_with_as_it_is(tmp_path: Path, committed: int) -> None:
    write_schema_1(tmp_path / "a.zarr", PLAN, committed)
    write_schema_1(tmp_path / "whole.zarr", PLAN, TOTAL)
    controller = ScriptedController()
    with resume(tmp_path / "a.zarr", PLAN) as store:
        run_scan(PLAN, controller, store, commit_samples=4)
    assert controller.exposed[0][0] == committed
    assert verify_store(tmp_path / "a.zarr").sound
    made, whole = contents(tmp_path / "a.zarr"), contents(tmp_path / "whole.zarr")
    records = [json.loads(str(files.pop("zarr.json")))["attributes"]["stemscan"] for files in (made, whole)]
    assert records[0] == records[1]
    assert made == whole


def test_can_be_gone_back_in(tmp_path: Path) -> None:
    write_schema_1(tmp_path / "a.zarr", PLAN, 13)
    with resume(tmp_path / "a.zarr", PLAN) as store:
        store.mark_doubt(9, "they moved")
    with resume(tmp_path / "a.zarr", PLAN) as store:
        assert store.samples_committed == 9
        run_scan(PLAN, ScriptedController(), store)
    np.testing.assert_array_equal(Acquisition.open(tmp_path / "a.zarr").counts(), expected_counts(0, TOTAL))


def test_another_detector_is_refused(tmp_path: Path) -> None:
    write_schema_1(tmp_path / "a.zarr", PLAN, 7)
    with pytest.raises(StoreMismatchError, match="expected the detector"):
        resume(tmp_path / "a.zarr", PLAN, detector=DetectorInfo(unit="adu", gain=2.0))
    resume(tmp_path / "a.zarr", PLAN, detector=DetectorInfo(name="HAADF")).close()


def test_what_can_be_checked_is(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_schema_1(path, PLAN, TOTAL)
    for pair in (("samples/position/c/0/0", "samples/position/c/1/0"), ("frames/c/0/0/0", "frames/c/1/0/0")):
        first, second = (path / name for name in pair)
        moved = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(moved)
    report = verify_store(path)
    found = {str(problem.file.relative_to(path)) for problem in report.problems}
    assert {"samples/position/c/0/0", "samples/position/c/1/0"} <= found
    assert report.repairable == set()
    shutil.rmtree(path)
    write_schema_1(path, PLAN, TOTAL)
    whole = contents(path)
    first, second = path / "frames" / "c" / "0" / "0" / "0", path / "frames" / "c" / "1" / "0" / "0"
    first.write_bytes(second.read_bytes())
    (path / "visits" / "zarr.json").unlink()
    assert not verify_store(path).sound
    report = verify_store(path, repair=True)
    assert report.sound
    assert {str(file.relative_to(path)) for file in report.repaired} == {"frames/c/0/0/0", "visits/zarr.json"}
    assert contents(path)["frames/c/0/0/0"] == whole["frames/c/0/0/0"]


def test_positions_outside_the_grid_are_found(tmp_path: Path) -> None:
    write_schema_1(tmp_path / "a.zarr", PLAN, 13)
    positions = zarr.open_array(tmp_path / "a.zarr" / "samples" / "position", mode="r+")
    positions[3] = np.array([16, 0], np.int32)
    with pytest.raises(StoreError, match=r"expected positions inside the grid \(16, 16\), got rows"):
        Acquisition.open(tmp_path / "a.zarr").frames()
