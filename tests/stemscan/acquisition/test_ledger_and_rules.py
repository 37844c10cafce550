"""Ledger of an acquisition's beam, and rules that end it between passes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.session import run_session
from stemscan.acquisition.stopping import MaxDose
from stemscan.errors import UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.runtime import failpoints
from stemscan.store.ledger import BeamTime, BeamTimes, electrons_per_ns
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import ScriptedController, create, make_plan, resume

PLAN = make_plan()
TOTAL = PLAN.total_samples


def test_the_ledger_counts_what_the_beam_did(tmp_path: Path) -> None:
    class Moving(ScriptedController):
        def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
            number = stop - start
            return BeamTimes.dwells(number, 1000) + BeamTimes(settle=BeamTime(500 * number, 200 * number))

    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        run_scan(PLAN, Moving(), store, batch_samples=5, commit_samples=7)
    ledger = Acquisition.open(path).ledger
    assert ledger is not None
    rate = electrons_per_ns(PLAN)
    assert ledger["settle"]["time_ns"] == 500 * TOTAL
    assert ledger["settle"]["exposed_ns"] == 200 * TOTAL
    assert ledger["settle"]["electrons"] == pytest.approx(200 * TOTAL * rate)
    assert ledger["dwell"]["electrons"] == pytest.approx(1000 * TOTAL * rate)
    assert ledger["samples_exposed_again_at_most"] == 0


def test_a_rule_ends_the_scan_between_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    asked: list[tuple[int, int]] = []

    def rule(acquisition: Acquisition, passes: int) -> str | None:
        asked.append((passes, acquisition.samples_committed))
        return "enough" if passes == 2 else None

    plan = make_plan(passes=4)
    each = plan.samples_per_pass
    with create(path, plan) as store:
        result = run_scan(plan, ScriptedController(), store, commit_samples=5, stop_rules=[rule])
    assert asked == [(1, each), (2, 2 * each)]
    assert (result.samples, result.stopped) == (2 * each, "enough")
    read = Acquisition.open(path)
    assert (read.state, read.stopped) == ("complete", {"passes": 2, "samples": 2 * each, "reason": "enough"})
    assert read.visits()[2:].sum() == 0
    with resume(path, plan) as store:
        assert run_scan(plan, ScriptedController(), store).samples == 0


def test_a_largest_dose(tmp_path: Path) -> None:
    plan = make_plan(passes=4, pixel_size_nm=0.1)
    one = plan.dose_e_per_A2
    assert one is not None
    rule = MaxDose(one / 4 * 2.5)
    rule.check(plan)
    with create(tmp_path / "a.zarr", plan) as store:
        result = run_scan(plan, ScriptedController(), store, stop_rules=[rule])
    assert result.stopped is not None
    assert result.samples == 2 * plan.samples_per_pass
    with pytest.raises(UsageError, match="at least one pass"):
        MaxDose(one / 8).check(plan)
    with pytest.raises(UsageError, match="pixel size"):
        MaxDose(1.0).check(make_plan(pixel_size_nm=None))
    for wrong in (0.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="above 0"):
            MaxDose(wrong)


def test_a_largest_dose_is_that_of_the_region(tmp_path: Path) -> None:
    corner = {"kind": "polygon", "points": [[0, 0], [0, 7], [7, 7], [7, 0]]}
    plan = make_plan(passes=4, pixel_size_nm=0.1, region=corner)
    dose = plan.dose_e_per_A2
    assert dose is not None
    assert dose > 2 * make_plan(passes=4, pixel_size_nm=0.1).total_electrons / (16 * 16) / 4  # not over the whole grid
    with create(tmp_path / "a.zarr", plan) as store:
        result = run_scan(plan, ScriptedController(), store, stop_rules=[MaxDose(dose / 4 * 2.5)])
    assert result.samples == 2 * plan.samples_per_pass


def test_a_largest_dose_counts_what_the_first_pass_really_costs(tmp_path: Path) -> None:
    class Settling(ScriptedController):
        def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
            settled = 3000 * (stop - start)
            return BeamTimes.dwells(stop - start, 1000) + BeamTimes(settle=BeamTime(settled, settled))

    plan = make_plan(passes=4, pixel_size_nm=0.1)
    assert plan.dose_e_per_A2 is not None
    one = plan.dose_e_per_A2 / 4
    with pytest.raises(UsageError, match=f"at least one pass .{4 * one:.6g} e-/A"):
        run_session(plan, Settling(), tmp_path / "a.zarr", stop_rules=[MaxDose(3.9 * one)])
    assert not (tmp_path / "a.zarr").exists()
    result = run_session(plan, Settling(), tmp_path / "a.zarr", stop_rules=[MaxDose(4 * one)])
    assert result.samples == plan.samples_per_pass
    assert run_session(plan, ScriptedController(), tmp_path / "b.zarr", stop_rules=[MaxDose(4 * one)]).stopped is None


def test_arming_and_committing_at_once_lose_nothing_of_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        store.arm(TOTAL)
    writing, synced = threading.Event(), threading.Event()
    armings: list[str] = []

    def hook(name: str) -> None:
        if name == "arm:begin":
            armings.append(name)
        if name == "commit:begin" and threading.current_thread().name == "commit":
            writing.wait(60)  # until the record is written that tells of the second segment
        if name == "commit:synced":
            synced.set()
        if name == "file:written" and threading.current_thread() is threading.main_thread() and len(armings) == 2:
            writing.set()
            synced.wait(60)  # until the first one is there,
            time.sleep(0.1)  # and what it took is added up

    with resume(path, PLAN) as store, failpoints.installed(hook):
        run_scan(PLAN, ScriptedController(), store, commit_samples=12)
    ledger = Acquisition.open(path).ledger
    assert ledger is not None
    assert (ledger["dwell"]["time_ns"], ledger["samples_exposed_again_at_most"]) == (1000 * TOTAL, TOTAL)
