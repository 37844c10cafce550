"""Stores in buckets: the bytes of those in folders, through failures of the server and kill -9 of their writers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from stemscan.acquisition.session import acquire
from stemscan.errors import InputNotFoundError, OutputExistsError, StoreError
from stemscan.objects import bucket
from stemscan.objects.path import ObjectPath, as_path
from stemscan.objects.problems import OvertakenError
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from tests.object_server import Fault, ObjectServer, object_server
from tests.stemscan.store_kit import ScriptedController, contents, create, expected_counts, make_plan, resume

pytest.importorskip("obstore", reason="stemscan[cloud] is not installed")

ROOT = Path(__file__).resolve().parents[3]
PLAN = make_plan()
KILLED = ("create:truth 1", "commit:digests 1", "commit:recorded 2", "draw:pass 1")
ALSO_KILLED = (
    *("create:locked 1", "create:done 1", "arm:recorded 1", "append:chunk 2", "complete:begin 1"),
    *("complete:recorded 1", *(f"file:{step} {number}" for step in ("written", "placed") for number in (1, 14, 25))),
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.store.schema.SAMPLE_CHUNK", 10)
    monkeypatch.setattr("stemscan.store.schema.FRAME_CHUNK", 8)


@pytest.fixture
def url() -> str:
    return f"memory://{uuid.uuid4().hex}/acq.zarr"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    with object_server() as known:
        for name, value in known.environment.items():
            monkeypatch.setenv(name, value)
        known.bucket("bucket")
        bucket._bucket.cache_clear()
        yield known
        bucket._bucket.cache_clear()


def test_objects_are_the_files_of_a_folder(url: str, tmp_path: Path) -> None:
    there = acquire(PLAN, ScriptedController(), url)
    here = acquire(PLAN, ScriptedController(), tmp_path / "acq.zarr")
    assert contents(there.path) == contents(here.path)
    assert (there.frames() == here.frames()).all()
    assert (there.positions() == here.positions()).all()
    assert there.digest() == here.digest()
    assert verify_store(url).sound
    with pytest.raises(OutputExistsError, match="which is a store"):
        acquire(PLAN, ScriptedController(), url)
    assert acquire(PLAN, ScriptedController(), url, overwrite=True).digest() == here.digest()
    assert contents(there.path) == contents(here.path)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        Acquisition.open(f"{url}.other")


def test_a_second_writer_is_refused(url: str) -> None:
    with create(as_path(url), PLAN) as writer:
        for make in (partial(create, overwrite=True), resume):
            with pytest.raises(StoreError, match="only writer"):
                make(as_path(url), PLAN)
        writer.arm(7)
    with resume(as_path(url), PLAN) as again:
        assert again.samples_armed == 7


def test_a_writer_whose_record_was_changed_stops(url: str) -> None:
    """As one that was suspended while another went on."""
    path = as_path(url)
    with create(path, PLAN) as writer:
        root = path / "zarr.json"
        assert isinstance(root, ObjectPath)
        root.bucket.put(root.key, root.read_bytes() + b" ", root.bucket.version(root.key))
        with pytest.raises(OvertakenError, match="only writer of 'memory://.*/zarr.json'"):
            writer.arm(7)


def test_damage_is_found_and_what_follows_from_samples_is_made_anew(url: str) -> None:
    store = acquire(PLAN, ScriptedController(), url)
    before = contents(store.path)
    assert isinstance(store.path, ObjectPath)
    keys = [(store.path / name).key for name in ("frames/c/0/0/0/0", "visits/zarr.json")]
    store.path.bucket.delete(keys[:1])
    with pytest.raises(StoreError, match=r"expected a chunk at 'memory://.*/frames/c/0/0/0/0', got none; redraw it"):
        Acquisition.open(url).frames()
    store.path.bucket.delete(keys[1:])
    report = verify_store(url)
    assert {str(one.file).removeprefix(f"{url}/") for one in report.problems} == {
        "frames/c/0/0/0/0",
        "visits/zarr.json",
    }
    assert verify_store(url, repair=True).sound
    after = contents(store.path)
    assert {name for name in before if after[name] != before[name]} <= {"zarr.json"}


def test_failures_of_the_server_change_nothing(server: ObjectServer, tmp_path: Path) -> None:
    faults: list[Fault] = ["500", "lost request", "lost answer", "503"]
    number = 0

    def faulty(method: str, path: str) -> Fault | None:
        nonlocal number
        number += 1
        return faults[number // 5 % 4] if number % 5 == 0 else None

    server.faulty, server.latency_s = faulty, 0.002
    there = acquire(PLAN, ScriptedController(), "s3://bucket/scans/acq.zarr")
    assert verify_store(there.path).sound
    assert contents(there.path) == contents(acquire(PLAN, ScriptedController(), tmp_path / "acq.zarr").path)
    assert number > 100


@pytest.mark.parametrize("points", [KILLED, pytest.param(ALSO_KILLED, marks=pytest.mark.long)])
def test_killed_writers_leave_a_readable_beginning(server: ObjectServer, points: tuple[str, ...]) -> None:
    """Which is gone on with to the bytes of a store that nobody interrupted."""
    below = f"s3://bucket/{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "tests.stemscan.store.object_crash_runner", below, *points]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [], done.stderr
    assert done.stderr.count("samples, acquiring") >= 3, done.stderr


def test_a_growing_store_is_read(server: ObjectServer) -> None:
    url = "s3://bucket/growing.zarr"
    from stemscan.recon.view.growing import GrowingScan
    from stemscan.store.batch import SampleBatch

    scan = GrowingScan(as_path(url))
    assert scan.look()
    assert "does not exist" in scan.problem
    with create(as_path(url), PLAN) as writer:
        for start in (0, 7):
            writer.arm(start + 7)
            writer.append(SampleBatch(start, expected_counts(start, start + 7), None))
            writer.commit()
            scan._failed_at = -1.0
            assert scan.look()
            assert (scan.problem, scan.samples) == ("", start + 7)
            assert not scan.look()
