"""Damaged stores: one sentence that names the file, never a traceback of zarr, never silent zeros."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import DiskSpaceError, OutputExistsError, StoreError
from stemscan.path.scan_path import ScanPath
from stemscan.store import zarr_stores
from stemscan.store.arrays import ArrayWriter, create_array
from stemscan.store.reader import Acquisition
from stemscan.store.record import record_digest
from stemscan.store.schema import ArraySpec
from tests.stemscan.store_kit import ScriptedController, contents, create, make_plan, memory_folder, resume

PLAN = make_plan()


@pytest.fixture(scope="module")
def sound() -> Iterator[Path]:
    """A complete store."""
    with memory_folder() as folder:
        with create(folder / "a.zarr", PLAN, actual_positions=True) as store:
            run_scan(PLAN, ScriptedController(actual=True), store)
        yield folder / "a.zarr"


@pytest.fixture
def store(sound: Path) -> Iterator[Path]:
    """A copy to damage."""
    with memory_folder() as folder:
        shutil.copytree(sound, folder / "a.zarr")
        yield folder / "a.zarr"


def read(path: Path) -> None:
    """Read everything."""
    store = Acquisition.open(path)
    for part in (store.frames, store.visits, store.counts, store.positions, store.actual, store.digest):
        part()
    assert store.truth is not None
    assert store.truth_columns is not None


def one_sentence(path: Path) -> str:
    """The error of reading a damaged store."""
    with pytest.raises(StoreError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith("expected ")
    assert "\n" not in message
    return message


def record(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = True) -> None:
    """Change the record of a store, and its digest too."""
    root = json.loads((path / "zarr.json").read_text())
    stored = root["attributes"]["stemscan"]
    change(stored)
    if seal:
        stored["digest"] = record_digest(stored)
    (path / "zarr.json").write_text(json.dumps(root))


CHUNKS = [
    "frames/c/1/0/0/0",
    "visits/c/0/0/0",
    "samples/counts/c/0/0",
    "digests/c/0/0",
    "samples/position/c/0/0",
    "truth/c/0/0",
    "truth_columns/c/0/0",
]
ARRAYS = ["frames", "visits", "samples/counts", "samples/position", "samples/actual", "truth", "truth_columns"]


@pytest.mark.parametrize("chunk", [*CHUNKS, "samples/actual/c/0/0"])
@pytest.mark.parametrize("where", [0, 5, 17, -5, -1])
def test_a_flipped_bit_is_found(store: Path, chunk: str, where: int) -> None:
    data = bytearray((store / chunk).read_bytes())
    data[where] ^= 4
    (store / chunk).write_bytes(data)
    message = one_sentence(store)
    array = chunk.split("/c/")[0]
    assert array in message
    drawn = array in ("frames", "visits")
    assert message.endswith("redraw it by stemscan verify --repair" if drawn else "restore it from a copy")


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("size", [0, 3, 20])
def test_a_truncated_chunk_is_found(store: Path, chunk: str, size: int) -> None:
    (store / chunk).write_bytes((store / chunk).read_bytes()[:size])
    one_sentence(store)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_missing_chunk_is_not_zeros(store: Path, chunk: str) -> None:
    (store / chunk).unlink()
    assert f"{chunk}', got none" in one_sentence(store)


@pytest.mark.parametrize("array", ARRAYS)
def test_a_missing_array_is_found_on_opening(store: Path, array: str) -> None:
    shutil.rmtree(store / array)
    with pytest.raises(StoreError, match=f"expected an array at '.*{array}', got none"):
        Acquisition.open(store)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r'"shape": \[\s*\d+', '"shape": [ 3'),
        (r'"data_type": "\w+"', '"data_type": "int8"'),
        (r'"chunk_shape": \[\s*\d+', '"chunk_shape": [ 0'),
        (r'"shape"', '"form"'),
        (r'"bitshuffle"', '"bitschuffel"'),
        (r'"crc32c"', '"crc31c"'),
        (r'"node_type": "array"', '"node_type": "tree"'),
    ],
)
def test_damaged_metadata_of_an_array(store: Path, array: str, old: str, new: str) -> None:
    file = store / array / "zarr.json"
    text = file.read_text()
    assert re.search(old, text)
    file.write_text(re.sub(old, new, text, count=1))
    assert array in one_sentence(store)


@pytest.mark.parametrize("name", ["zarr.json", "frames/zarr.json", "samples/counts/zarr.json"])
@pytest.mark.parametrize("data", [b"", b'{"attributes": {"stemscan": {', b"\xff\xfe\x00", b"[1, 2]", b"[" * 100_000])
def test_truncated_json(store: Path, name: str, data: bytes) -> None:
    (store / name).write_bytes(data)
    one_sentence(store)


def test_another_schema(store: Path) -> None:
    for schema in (3, "2", None):

        def change(stored: dict[str, Any], schema: object = schema) -> None:
            stored.update(schema=schema)

        record(store, change)
        assert f"schema 1 or 2 in '{store}/zarr.json', got schema {schema!r}" in one_sentence(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda stored: stored.pop("noise"), "got 'noise' damaged"),
        (lambda stored: stored.update(state="finished"), "got 'state' damaged"),
        (lambda stored: stored.update(samples_committed=-1), "got 'samples_committed' damaged"),
        (lambda stored: stored.update(samples_committed="24"), "got 'samples_committed' damaged"),
        (lambda stored: stored.update(samples_committed=23), "state complete with 23 committed and 24 armed of 24"),
        (lambda stored: stored.update(samples_armed=99), "24 committed and 99 armed of 24"),
        (lambda stored: stored.update(state="acquiring", samples_armed=3), "24 committed and 3 armed"),
        (lambda stored: stored["plan"].update(seed=8), "a plan that does not have its digest"),
        (lambda stored: stored["plan"].update(shape=[0, 1]), "got a damaged plan"),
        (lambda stored: stored.update(plan=None), "got a damaged plan"),
        (lambda stored: stored.update(origin="imported"), "imported data without its record"),
        (lambda stored: stored["channels"][0].update(gain=None), "got 'channels.0.gain' damaged"),
        (lambda stored: stored["channels"][0].update(gain=-1.0, unit="adu"), "detector gain of 1e-12 to 1e+12"),
    ],
)
def test_a_damaged_record(store: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    record(store, change)
    assert message in one_sentence(store)


def test_damaged_stores_are_not_resumed_but_may_be_overwritten(store: Path) -> None:
    (store / "zarr.json").write_bytes(b'{"attributes": {"stem')
    with pytest.raises(StoreError, match="expected JSON in"):
        resume(store, PLAN)
    with pytest.raises(OutputExistsError, match="which is a store"):
        create(store, PLAN)
    create(store, PLAN, overwrite=True).close()
    assert Acquisition.open(store).samples_committed == 0


def test_damage_found_while_resuming(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        store.arm(9)
        controller = ScriptedController()
        controller.arm(ScanPath(PLAN), 0, 9)
        batch = controller.read(9)
        assert batch is not None
        store.append(batch)
        store.commit()
    chunk = path / "samples" / "counts" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    before = contents(path)
    with resume(path, PLAN) as store, pytest.raises(StoreError, match="samples/counts.*restore it from a copy"):
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == before
    with resume(path, PLAN) as again:
        assert again.samples_committed == 9


def test_failed_write_leaves_no_other_chunk_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ArraySpec("truth", (64, 8), (1, 8), np.dtype("float32"), ("y", "x"))
    create_array(tmp_path, spec)
    writer = ArrayWriter(tmp_path, spec)
    began, ended = [], []

    def slow_or_refused(path: Path, data: bytes) -> None:
        began.append(path)
        if path.parent.name == "3":
            raise DiskSpaceError("full")
        time.sleep(0.05)
        ended.append(path)

    monkeypatch.setattr(zarr_stores, "write_durably", slow_or_refused)
    with pytest.raises(DiskSpaceError, match="full"):
        writer.write((0, 0), np.ones((64, 8), np.float32))
    assert len(began) == len(ended) + 1


def test_a_failed_read_leaves_nothing_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else asyncio complains of its tasks at the end of the process."""
    monkeypatch.setattr("stemscan.store.schema.FRAME_CHUNK", 4)
    plan = make_plan(shape=[64, 64])
    with create(tmp_path / "a.zarr", plan) as store:
        run_scan(plan, ScriptedController(), store)
    for chunk in list((tmp_path / "a.zarr" / "frames" / "c").rglob("*"))[::3]:
        if chunk.is_file():
            chunk.write_bytes(b"x")
    script = "import sys; from stemscan.store.reader import Acquisition; Acquisition.open(sys.argv[1]).frames()"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.zarr")], capture_output=True, text=True)
    assert "frames/c/" in done.stderr.splitlines()[-1]
    assert "Task" not in done.stderr
