"""Samples that are there are never replaced unasked, links are never written through, readers meet no false damage."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import OutputExistsError, StoreError
from stemscan.runtime import failpoints
from stemscan.store.batch import SampleBatch
from stemscan.store.files import StoreLock
from stemscan.store.folders import folder_kind
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.stemscan.store_kit import ScriptedController, contents, create, expected_counts, make_plan, resume, specimen

PLAN = make_plan()


def begun(path: Path, samples: int = 13) -> Path:
    """A store with some samples, or all."""
    with create(path, PLAN) as store:
        if samples == PLAN.total_samples:
            run_scan(PLAN, ScriptedController(), store)
        else:
            store.arm(samples)
            store.append(SampleBatch(0, expected_counts(0, samples)))
            store.commit()
    return path


def files_of(path: Path) -> dict[str, bytes]:
    """All files and their bytes."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("samples", [13, PLAN.total_samples])
@pytest.mark.parametrize("lock", [True, False])
@pytest.mark.parametrize("lost", [("zarr.json",), ("zarr.json", "samples/zarr.json", "samples/counts/zarr.json")])
def test_samples_without_their_record_are_kept(tmp_path: Path, samples: int, lock: bool, lost: tuple[str, ...]) -> None:
    path = begun(tmp_path / "a.zarr", samples)
    record = (path / "zarr.json").read_bytes()
    for name in lost:
        (path / name).unlink()
    if not lock:
        (path / ".stemscan.lock").unlink()
    before = files_of(path)
    assert folder_kind(path) == "without-record"
    with pytest.raises(StoreError, match="got samples without their record, .*zarr.json.*; restore that file"):
        Acquisition.open(path)
    for make in (create, resume):
        for changes in (dict[str, Any](), {"specimen": specimen(sha256="another")}):
            with pytest.raises((OutputExistsError, StoreError), match="samples without their record"):
                make(path, PLAN, **changes)
    assert {**files_of(path), ".stemscan.lock": b""} == {**before, ".stemscan.lock": b""}
    if len(lost) == 1:
        (path / "zarr.json").write_bytes(record)
        np.testing.assert_array_equal(Acquisition.open(path).counts(), expected_counts(0, samples))
        (path / "zarr.json").unlink()
    create(path, PLAN, overwrite=True).close()
    assert Acquisition.open(path).samples_committed == 0


@pytest.mark.parametrize(
    "name", ["frames", "visits", "samples/counts", "samples/position", "truth", "truth_columns", "digests"]
)
def test_lost_metadata_of_an_array_stop_a_resumption(tmp_path: Path, name: str) -> None:
    path = begun(tmp_path / "a.zarr")
    (path / name / "zarr.json").unlink()
    before = {name: data for name, data in files_of(path).items() if name != "zarr.json"}
    with pytest.raises(StoreError, match=name), resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert {name: data for name, data in files_of(path).items() if name != "zarr.json"} == before
    with pytest.raises(OutputExistsError):
        create(path, PLAN)
    assert verify_store(path, repair=True).sound
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert Acquisition.open(path).state == "complete"


def test_a_lost_group_is_found_and_made_anew(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr")
    (path / "samples" / "zarr.json").unlink()
    assert [problem.file for problem in verify_store(path).problems] == [path / "samples" / "zarr.json"]
    assert verify_store(path, repair=True).sound


def test_an_older_record_does_not_replace_newer_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.store.schema.SAMPLE_CHUNK", 5)
    path = begun(tmp_path / "a.zarr", 8)
    older = (path / "zarr.json").read_bytes()
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    newer = (path / "zarr.json").read_bytes()
    (path / "zarr.json").write_bytes(older)
    before = files_of(path)
    with pytest.raises(StoreError, match="older than the samples in .*samples/counts/c/4/0.*; restore the newest"):
        resume(path, PLAN)
    assert files_of(path) == before
    assert [problem.file for problem in verify_store(path, repair=True).problems] == [path / "zarr.json"]
    (path / "zarr.json").write_bytes(newer)
    assert verify_store(path).sound


# ---------------------------------------------------------------------- links

LINKED = ["frames", "samples", "samples/counts", "samples/counts/c", "frames/c", "frames/c/0", "truth", "digests"]


@pytest.mark.parametrize("name", LINKED)
def test_links_inside_a_store_are_never_written_through(tmp_path: Path, name: str) -> None:
    path = begun(tmp_path / "a.zarr", PLAN.total_samples)
    outside = tmp_path / "outside"
    shutil.move(path / name, outside)
    (path / name).symlink_to(outside, target_is_directory=True)
    before = files_of(outside)
    assert before
    writes: list[Callable[[], object]] = [lambda: create(path, PLAN, overwrite=True)]
    (path / "frames" / "c" / "1" / "0" / "0" / "0").write_bytes(b"x")
    before = files_of(outside)
    writes.append(lambda: verify_store(path, repair=True))
    for write in writes:
        with pytest.raises(StoreError, match=f"the store itself at '{path / name}', got a link to '.*outside'"):
            write()
    assert files_of(outside) == before
    assert Acquisition.open(path).counts().size == PLAN.total_samples


@pytest.mark.parametrize("name", LINKED)
def test_links_stop_a_resumption(tmp_path: Path, name: str) -> None:
    path = begun(tmp_path / "a.zarr")
    if not (path / name).exists():
        (path / name).mkdir(parents=True)
    outside = tmp_path / "outside"
    shutil.move(path / name, outside)
    (path / name).symlink_to(outside, target_is_directory=True)
    before = files_of(outside)
    with pytest.raises(StoreError, match="got a link to"):
        resume(path, PLAN)
    assert files_of(outside) == before


def test_a_linked_lock_is_refused(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr")
    (path / ".stemscan.lock").unlink()
    (path / ".stemscan.lock").symlink_to(tmp_path / "new")
    with pytest.raises(StoreError, match="got a link to"):
        resume(path, PLAN)
    assert not (tmp_path / "new").exists()


def test_a_linked_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr")
    chunk = path / "samples" / "counts" / "c" / "0" / "0"
    shutil.move(chunk, tmp_path / "chunk")
    chunk.symlink_to(tmp_path / "chunk")
    before = (tmp_path / "chunk").read_bytes()
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert (tmp_path / "chunk").read_bytes() == before
    assert verify_store(path).sound


def test_a_store_may_be_reached_by_a_link(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr")
    (tmp_path / "link.zarr").symlink_to(path, target_is_directory=True)
    with resume(tmp_path / "link.zarr", PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    create(tmp_path / "link.zarr", PLAN, overwrite=True).close()
    assert (tmp_path / "link.zarr").is_symlink()
    assert Acquisition.open(path).samples_committed == 0


# ---------------------------------------------------------------------- readers


def stops_at(name: str) -> tuple[Callable[[str], None], threading.Event, threading.Event]:
    """A hook that waits at a failpoint, once; events: it is there, it may go on."""
    there, go_on = threading.Event(), threading.Event()

    def hook(point: str) -> None:
        if point == name and not there.is_set():
            there.set()
            assert go_on.wait(30)

    return hook, there, go_on


MAKING = ["create:locked", "create:arrays", "create:synced"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("point", [*MAKING, "remove:record", "remove:done"])
def test_a_reader_is_told_that_a_store_is_being_made(tmp_path: Path, point: str, overwrite: bool) -> None:
    path, old = tmp_path / "a.zarr", None
    if overwrite:
        old = Acquisition.open(begun(path, PLAN.total_samples))
    hook, there, go_on = stops_at(point)
    made = threading.Thread(target=lambda: create(path, PLAN, overwrite=overwrite).close())
    with failpoints.installed(hook):
        made.start()
        assert there.wait(30)
        try:
            if not (overwrite and point == "create:locked"):  # still the old one
                with pytest.raises(StoreError, match="another process is making or replacing; open it again"):
                    Acquisition.open(path)
            if old is not None and point.startswith("create:") and point != "create:locked":
                for read in (old.frames, old.counts, old.digest, old.visits):
                    with pytest.raises(StoreError, match=r"to stay while it was read.*open it again"):
                        read()
        finally:
            go_on.set()
            made.join()
    assert Acquisition.open(path).state == "acquiring"


def test_a_reader_of_a_store_that_was_replaced(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr", PLAN.total_samples)
    old = Acquisition.open(path)
    with create(path, PLAN, overwrite=True, seed=2) as store:
        store.arm(8)
        store.append(SampleBatch(0, expected_counts(3, 11)))
        store.commit()
    with pytest.raises(StoreError, match="to stay while it was read"):
        old.counts()


def test_real_damage_is_still_damage(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr", PLAN.total_samples)
    old = Acquisition.open(path)
    os.truncate(path / "samples" / "counts" / "c" / "0" / "0", 9)
    with pytest.raises(StoreError, match="samples/counts/c/0/0.*restore it from a copy"):
        old.counts()


def test_a_reader_that_asks_for_a_writer_is_in_no_ones_way(tmp_path: Path) -> None:
    path = begun(tmp_path / "a.zarr")
    assert not StoreLock.is_held(path)
    with resume(path, PLAN):
        assert StoreLock.is_held(path)
    assert not StoreLock.is_held(tmp_path / "nowhere")
    assert contents(path)
