"""Moves of the field between passes: asked for, done, recorded before the pass is exposed, and made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.session import acquire
from stemscan.errors import ControllerError, StoreMismatchError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.runtime import failpoints
from stemscan.store.reader import Acquisition
from stemscan.store.record_parts import PassMoveRecord
from tests.stemscan.store_kit import ScriptedController, SumFollower, contents, create, make_plan

PLAN = make_plan(passes=3)
EACH = PLAN.samples_per_pass


def followed(path: Path, controller: ScriptedController, *, resume: bool = False) -> Acquisition:
    return acquire(PLAN, controller, path, follower=SumFollower(), resume=resume)


def test_each_pass_is_moved_and_recorded_before_it_is_exposed(tmp_path: Path) -> None:
    controller, seen = ScriptedController(moves_field=True), list[tuple[str, int, int]]()

    def watch(name: str) -> None:
        if name in ("move:recorded", "arm:recorded"):
            seen.append((name, len(controller.moved), sum(stop - start for start, stop in controller.exposed)))

    with failpoints.installed(watch):
        store = followed(tmp_path / "a.zarr", controller)
    moved = [one for one in seen if one[0] == "move:recorded"]
    assert moved == [("move:recorded", number + 1, number * EACH) for number in range(3)]
    assert [name for name, *_ in seen][:2] == ["move:recorded", "arm:recorded"]
    assert store.follow is not None
    assert store.ledger is not None
    wanted = [move["wanted_px"][0] for move in store.follow["passes"]]
    assert wanted == [0.0, store.counts(0, EACH).sum() / 4, store.counts(0, 2 * EACH).sum() / 4]
    assert store.field_offsets.tolist() == [[0.0, 0.0], [10.0, -1.0], [10.0, -1.0]]  # as far as it goes
    assert (store.ledger["field_moves"], store.follow["rule"]) == (1, dict(SumFollower.record))


def test_a_resumption_moves_the_field_as_recorded_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.zarr", tmp_path / "cut.zarr"
    followed(whole, ScriptedController(moves_field=True))

    class Breaks(ScriptedController):
        def arm(self, path: ScanPath, start: int, stop: int) -> None:
            if start >= 2 * EACH:
                raise OSError("gone")
            super().arm(path, start, stop)

    with pytest.raises(ControllerError, match="gone"):
        followed(cut, Breaks(moves_field=True))
    again = ScriptedController(moves_field=True)
    followed(cut, again, resume=True)
    assert [number for number, _ in again.moved] == [0, 1, 2]
    assert contents(cut) == contents(whole)


def test_a_controller_that_cannot_do_the_same_moves_does_not_resume(tmp_path: Path) -> None:
    class Coarse(ScriptedController):
        def move_field(self, path: ScanPath, number: int, offset: tuple[float, float]) -> tuple[float, float]:
            return 0.0, 0.0

    class Breaks(ScriptedController):
        def arm(self, path: ScanPath, start: int, stop: int) -> None:
            if start:
                raise OSError("gone")
            super().arm(path, start, stop)

    with pytest.raises(ControllerError):
        followed(tmp_path / "a.zarr", Breaks(moves_field=True))
    with pytest.raises(StoreMismatchError, match=r"move its field by \(10.00, -1.00\) px for pass 2"):
        followed(tmp_path / "a.zarr", Coarse(moves_field=True), resume=True)
    with pytest.raises(StoreMismatchError, match=r"following of drift .*name sum of counts.*another \(none\)"):
        acquire(PLAN, ScriptedController(moves_field=True), tmp_path / "a.zarr", resume=True)


def test_a_controller_that_cannot_move_is_refused_before_there_is_a_store(tmp_path: Path) -> None:
    for controller, why in (
        (ScriptedController(), "cannot move its field"),
        (ScriptedController(moves_field=True, resumable=False), "only runs whole scans"),
    ):
        with pytest.raises(UsageError, match=why):
            followed(tmp_path / "a.zarr", controller)
    assert not (tmp_path / "a.zarr").exists()


def test_what_a_controller_tells_is_checked(tmp_path: Path) -> None:
    class Odd(ScriptedController):
        def move_field(self, path: ScanPath, number: int, offset: tuple[float, float]) -> tuple[float, float]:
            return float("nan"), 0.0

    with pytest.raises(ControllerError, match="expected an offset"):
        followed(tmp_path / "a.zarr", Odd(moves_field=True))


def test_going_back_forgets_moves_that_follow_from_what_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN, follow=SumFollower.record) as store:
        run_scan(PLAN, ScriptedController(moves_field=True), store, follower=SumFollower(), stop_rules=[_after_two])
    read = Acquisition.open(path)
    assert read.follow is not None
    assert len(read.follow["passes"]) == 2  # a rule ends the scan before the third is moved
    with create(path, PLAN, overwrite=True, follow=SumFollower.record) as store:
        for number in range(2):
            assert store.record.follow is not None
            store.move(_move(float(number)))
            store.arm((number + 1) * EACH)
            controller = ScriptedController()
            controller.arm(ScanPath(PLAN), number * EACH, (number + 1) * EACH)
            batch = controller.read(EACH)
            assert batch is not None
            store.append(batch)
            store.commit()
        store.move(_move(2.0))
        for samples, kept in ((2 * EACH, 3), (2 * EACH - 1, 2), (EACH, 2), (EACH - 1, 1), (0, 1)):
            store.rewind(samples, "a test")
            assert store.record.follow is not None
            assert len(store.record.follow.passes) == kept, samples


def test_a_replay_lies_where_its_source_did(tmp_path: Path) -> None:
    source = followed(tmp_path / "a.zarr", ScriptedController(moves_field=True))
    again = acquire(PLAN, ReplayController(source), tmp_path / "b.zarr")
    assert (again.follow, again.digest()) == (source.follow, source.digest())
    assert acquire(PLAN, ScriptedController(), tmp_path / "c.zarr").digest() != source.digest()
    with pytest.raises(UsageError, match="in a replay"):
        acquire(PLAN, ReplayController(source), tmp_path / "d.zarr", follower=SumFollower())


def _after_two(acquisition: Acquisition, passes: int) -> str | None:
    return "enough" if passes == 2 else None


def _move(row: float) -> PassMoveRecord:
    return PassMoveRecord(offset_px=(row, 0.0), wanted_px=(row, 0.0))
