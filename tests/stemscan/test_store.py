"""The acquisition store: making, reading, resuming and refusing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaozarrs

from stemscan import store as store_module
from stemscan.controller import acquire
from stemscan.errors import (
    DiskSpaceError,
    InputNotFoundError,
    OutputExistsError,
    StoreError,
    StoreMismatchError,
    UsageError,
)
from stemscan.path import ScanPath
from stemscan.sample_block import DetectorInfo, SampleBlock
from stemscan.store import Acquisition, schema
from stemscan.store.files import StoreLock
from stemscan.store.schema import counts_dtype
from tests.stemscan.store_kit import (
    IDENTITY,
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    pictures,
    ramp,
    resume,
)

PLAN = make_plan()
TOTAL = PLAN.total_samples


def scanned(path: Path, plan: Any = PLAN, **changes: Any) -> Acquisition:
    """A complete store."""
    with create(path, plan, **changes) as store:
        acquire(plan, ScriptedController(), store)
    return Acquisition.open(path)


def partly(path: Path, samples: int, *, abort: bool = False) -> None:
    """A store with some samples."""
    with create(path, PLAN) as store:
        if samples:
            store.arm(min(TOTAL, samples + 3))
            store.append(SampleBlock(0, expected_counts(0, samples)))
            store.commit()
        if abort:
            store.abort()


# ---------------------------------------------------------------------- a complete store


def test_holds_what_was_scanned(tmp_path: Path) -> None:
    store = scanned(tmp_path / "a.zarr")
    frames, visits = pictures(PLAN, TOTAL)
    assert (store.state, store.samples_committed, store.samples_armed, store.warnings) == ("complete", TOTAL, TOTAL, [])
    assert store.plan == PLAN
    assert store.plan_digest == PLAN.digest()
    assert (store.shape, store.passes, store.total_samples) == ((16, 16), 2, 24)
    assert (store.electrons_per_sample, store.pixel_size_nm) == (10, 0.01)
    assert (store.noise, store.seed, store.origin, store.imported) == ("poisson", 1, "acquired", None)
    assert store.detector == DetectorInfo()
    assert store.specimen == {"name": "ramp", "sha256": "0123456789abcdef", "record": {"fit": "error"}}
    assert store.counts().dtype == np.uint16
    assert store.positions().dtype == np.int32
    assert store.visits().dtype == np.uint8
    np.testing.assert_array_equal(store.counts(), expected_counts(0, TOTAL))
    np.testing.assert_array_equal(store.counts(5, 9), expected_counts(5, 9))
    np.testing.assert_array_equal(store.positions(), ScanPath(PLAN).positions(0, TOTAL))
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)
    assert store.truth is not None
    np.testing.assert_array_equal(store.truth, ramp(PLAN))
    assert store.actual() is None
    assert store.counts(4, 4).shape == (0,)
    assert store.positions(4, 4).shape == (0, 2)


def test_is_an_ome_zarr_image(tmp_path: Path) -> None:
    for name, plan in {"a": PLAN, "b": make_plan(pixel_size_nm=None)}.items():
        scanned(tmp_path / f"{name}.zarr", plan)
        yaozarrs.validate_zarr_store(str(tmp_path / f"{name}.zarr"))
    ome = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    image = ome["multiscales"][0]
    assert [axis["unit"] for axis in image["axes"]] == ["second", "nanometer", "nanometer"]
    assert image["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [12e-6, 0.01, 0.01]}]
    frames = json.loads((tmp_path / "a.zarr" / "frames" / "zarr.json").read_text())
    assert frames["dimension_names"] == ["t", "y", "x"]
    assert [codec["name"] for codec in frames["codecs"]] == ["bytes", "blosc", "crc32c"]
    unknown = json.loads((tmp_path / "b.zarr" / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in unknown["axes"]] == ["second", None, None]
    assert unknown["datasets"][0]["coordinateTransformations"][0]["scale"][1:] == [1, 1]


def test_dask_and_zarr_open_the_frames(tmp_path: Path) -> None:
    dask = pytest.importorskip("dask.array")
    store = scanned(tmp_path / "a.zarr")
    frames = dask.from_zarr(str(tmp_path / "a.zarr"), component="frames")
    np.testing.assert_array_equal(frames.compute(), store.frames())


@pytest.mark.parametrize("shape", [[413, 469], [1, 7], [1030, 5]])
def test_any_grid(tmp_path: Path, shape: list[int]) -> None:
    plan = make_plan(shape=shape, passes=3)
    store = scanned(tmp_path / "a.zarr", plan)
    frames, visits = pictures(plan, plan.total_samples)
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)


def test_frames_are_drawn_band_by_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "SAMPLE_CHUNK", 17)
    monkeypatch.setattr(schema, "FRAME_CHUNK", 8)
    plans = [make_plan(shape=[61, 33], order={"kind": kind}) for kind in ("serpentine-blocks", "random")]
    for index, plan in enumerate(plans):
        scanned(tmp_path / f"whole-{index}.zarr", plan)
        monkeypatch.setattr("stemscan.store.pictures.BAND_BYTES", 8 * 33 * 17)
        banded = scanned(tmp_path / f"bands-{index}.zarr", plan)
        assert contents(tmp_path / f"whole-{index}.zarr") == contents(tmp_path / f"bands-{index}.zarr")
        np.testing.assert_array_equal(banded.frames(), pictures(plan, plan.total_samples)[0])
        monkeypatch.undo()
        monkeypatch.setattr(schema, "SAMPLE_CHUNK", 17)
        monkeypatch.setattr(schema, "FRAME_CHUNK", 8)


def test_many_short_passes(tmp_path: Path) -> None:
    plan = make_plan(shape=[8, 8], passes=256)
    store = scanned(tmp_path / "a.zarr", plan)
    np.testing.assert_array_equal(store.frames(), pictures(plan, plan.total_samples)[0])


@pytest.mark.parametrize(
    ("dose", "noise", "detector", "dtype"),
    [
        (60000, "poisson", DetectorInfo(), "uint16"),
        (60001, "poisson", DetectorInfo(), "uint32"),
        (10, "eq5", DetectorInfo(), "float32"),
        (10, "poisson", DetectorInfo(dtype="float32"), "float32"),
        (10, "poisson", DetectorInfo(unit="adu", gain=9, offset=3, dtype="uint32"), "uint32"),
        (90000, "poisson", DetectorInfo(unit="adu", gain=9, offset=3), "uint16"),
    ],
)
def test_types_of_counts(tmp_path: Path, dose: float, noise: Any, detector: DetectorInfo, dtype: str) -> None:
    plan = make_plan(dose={"electrons_per_sample": dose})
    assert counts_dtype(detector, noise, dose) == dtype
    with create(tmp_path / "a.zarr", plan, noise=noise, detector=detector) as store:
        store.arm(TOTAL)
        store.append(SampleBlock(0, expected_counts(0, TOTAL, dtype)))
        store.complete()
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.counts().dtype.name, store.frames().dtype.name) == (dtype, dtype)
    assert (store.detector, store.noise) == (detector, noise)
    np.testing.assert_array_equal(store.frames(), pictures(plan, TOTAL)[0])


def test_nothing_but_zeros_is_written_too(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBlock(0, np.zeros(TOTAL, np.uint16)))
        store.complete()
    assert not store.frames().any()
    assert store.visits().sum() == TOTAL
    assert (tmp_path / "a.zarr" / "frames" / "c" / "1" / "0" / "0").is_file()


def test_no_truth_no_specimen(tmp_path: Path) -> None:
    with Acquisition.create(tmp_path / "a.zarr", PLAN, detector=DetectorInfo(), session={"operator": "x"}) as store:
        acquire(PLAN, ScriptedController(), store)
    assert (store.truth, store.specimen, store.seed) == (None, None, None)
    assert not (tmp_path / "a.zarr" / "truth").exists()
    assert store.history[0]["session"] == {"operator": "x"}
    assert [entry["event"] for entry in store.history] == ["created", "completed"]
    assert set(store.history[0]["versions"]) == {"numpy", "zarr", "stemscan", "python"}


def test_digest_is_of_the_data(tmp_path: Path) -> None:
    first = scanned(tmp_path / "a.zarr")
    assert len(first.digest()) == 64
    assert first.digest() == scanned(tmp_path / "b.zarr", specimen_name="other").digest()
    assert first.digest() != scanned(tmp_path / "c.zarr", make_plan(seed=8)).digest()
    with create(tmp_path / "d.zarr", PLAN) as store:
        store.arm(TOTAL)
        counts = expected_counts(0, TOTAL)
        counts[-1] += 1
        store.append(SampleBlock(0, counts))
        store.complete()
    assert first.digest() != store.digest()
    partly(tmp_path / "e.zarr", 20)
    assert first.digest() != Acquisition.open(tmp_path / "e.zarr").digest()


def test_attributes_of_others_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    partly(path, 5)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["mine"] = {"note": "keep"}
    root["attributes"]["stemscan"]["later"] = 3
    (path / "zarr.json").write_text(json.dumps(root))
    with resume(path, PLAN) as store:
        acquire(PLAN, ScriptedController(), store)
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    assert attributes["mine"] == {"note": "keep"}
    assert attributes["stemscan"]["later"] == 3


# ---------------------------------------------------------------------- stores that are not complete


@pytest.mark.parametrize("samples", [0, 5, 12, 20])
def test_reads_what_was_committed(tmp_path: Path, samples: int) -> None:
    partly(tmp_path / "a.zarr", samples)
    store = Acquisition.open(tmp_path / "a.zarr")
    frames, visits = pictures(PLAN, samples)
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)
    np.testing.assert_array_equal(store.counts(), expected_counts(0, samples))
    assert len(store.warnings) == 1
    assert f"not complete (acquiring): {samples} of 24 samples" in store.warnings[0]
    with pytest.raises(ValueError, match="read-only"):
        store.frames()[0, 0, 0] = 1
    with pytest.raises(UsageError, match=f"stop <= {samples} "):
        store.counts(0, samples + 1)
    with pytest.raises(UsageError, match="got start -1"):
        store.positions(-1)


def test_a_writer_reads_what_it_committed(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        for start in (0, 8, 16):
            store.append(SampleBlock(start, expected_counts(start, start + 8)))
            assert (store.samples_committed, store.samples_appended) == (start, start + 8)
            np.testing.assert_array_equal(store.frames(), pictures(PLAN, start)[0])
            store.commit()
            np.testing.assert_array_equal(store.frames(), pictures(PLAN, start + 8)[0])


def test_what_is_not_committed_is_dropped(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBlock(0, expected_counts(0, 8)))
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.samples_committed, store.samples_armed) == (0, TOTAL)


def test_aborted_stores_go_on(tmp_path: Path) -> None:
    scanned(tmp_path / "reference.zarr")
    partly(tmp_path / "a.zarr", 7, abort=True)
    store = Acquisition.open(tmp_path / "a.zarr")
    assert store.state == "aborted"
    assert "(aborted): 7 of 24" in store.warnings[0]
    with resume(tmp_path / "a.zarr", PLAN, session={"kV": 300}) as store:
        assert store.state == "acquiring"
        acquire(PLAN, ScriptedController(), store)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "reference.zarr")
    assert [entry["event"] for entry in store.history] == ["created", "aborted", "resumed", "completed"]
    resumed = store.history[2]
    assert (resumed["samples_committed"], resumed["samples_armed"], resumed["session"]) == (7, 10, {"kV": 300})


def test_completing_needs_every_sample(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(5)
        store.append(SampleBlock(0, expected_counts(0, 5)))
        with pytest.raises(StoreError, match="expected 24 committed samples before .* got 5; acquire the rest"):
            store.complete()
    assert Acquisition.open(tmp_path / "a.zarr").samples_committed == 5


def test_arming_needs_a_range_ahead(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        for stop in (0, TOTAL + 1, -1):
            with pytest.raises(UsageError, match="arm up to 1 .. 24 samples"):
                store.arm(stop)
        store.arm(5)
        store.arm(3)
        assert store.samples_armed == 5


def test_readers_cannot_write(tmp_path: Path) -> None:
    partly(tmp_path / "a.zarr", 5)
    store = Acquisition.open(tmp_path / "a.zarr")
    writes = [lambda: store.arm(9), store.commit, store.complete, store.abort]
    writes.append(lambda: store.append(SampleBlock(5, expected_counts(5, 6))))
    for write in writes:
        with pytest.raises(StoreError, match="opened by create or resume and not closed"):
            write()


# ---------------------------------------------------------------------- resuming


@pytest.mark.parametrize("before", ["missing", "empty", "half-made", "with-partials"])
def test_resuming_begins_what_is_not_there(tmp_path: Path, before: str) -> None:
    scanned(tmp_path / "reference.zarr")
    path = tmp_path / "a.zarr"
    if before != "missing":
        path.mkdir()
    if before in ("half-made", "with-partials"):
        (path / ".stemscan.lock").touch()
        (path / "frames" / "c" / "0").mkdir(parents=True)
        (path / "frames" / "c" / "0" / "9").write_bytes(b"x")
    if before == "with-partials":
        for name in ("zarr.json.0a.partial", "frames/zarr.json.0b.partial", "frames/c/0/0.0c.partial"):
            (path / name).write_bytes(b"x")
    with resume(path, PLAN) as store:
        acquire(PLAN, ScriptedController(), store)
    assert contents(path) == contents(tmp_path / "reference.zarr")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 2}, "seed"),
        ({"noise": "eq5"}, "noise"),
        ({"specimen_sha256": "ffff"}, "specimen"),
        ({"detector": DetectorInfo(unit="adu", gain=2)}, "detector"),
        ({"actual_positions": True}, "actual positions"),
    ],
)
@pytest.mark.parametrize("complete", [False, True])
def test_resuming_with_something_else_is_refused(
    tmp_path: Path, changes: dict[str, Any], name: str, complete: bool
) -> None:
    path = tmp_path / "a.zarr"
    if complete:
        scanned(path)
    else:
        partly(path, 5)
    before = contents(path)
    with pytest.raises(StoreMismatchError, match=f"expected the {name} with which .* was begun"):
        resume(path, PLAN, **changes)
    with pytest.raises(StoreMismatchError, match="expected the plan with which"):
        resume(path, make_plan(seed=9))
    assert contents(path) == before
    resume(path, PLAN, specimen_name="the same, elsewhere").close()


def test_resuming_without_the_truth_is_refused(tmp_path: Path) -> None:
    partly(tmp_path / "a.zarr", 5)
    with pytest.raises(StoreMismatchError, match="expected the truth with which"):
        Acquisition.resume(tmp_path / "a.zarr", PLAN, **IDENTITY)


# ---------------------------------------------------------------------- places


def test_a_missing_parent_is_an_error(tmp_path: Path) -> None:
    for make in (create, resume):
        with pytest.raises(InputNotFoundError, match=r"got '.*nowhere', which does not exist; create it first"):
            make(tmp_path / "nowhere" / "a.zarr", PLAN)
    assert not (tmp_path / "nowhere").exists()


def test_opening_what_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="which does not exist"):
        Acquisition.open(tmp_path / "a.zarr")
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "zarr.json").write_text('{"attributes": {}, "zarr_format": 3, "node_type": "group"}')
    for name in ("file", "folder", "other"):
        with pytest.raises(StoreError, match="got something else; check the path"):
            Acquisition.open(tmp_path / name)
    (tmp_path / "folder" / ".stemscan.lock").touch()
    with pytest.raises(StoreError, match="creation was cut short, without samples; resume it"):
        Acquisition.open(tmp_path / "folder")


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_store_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("x")
    (tmp_path / "zarr").mkdir()
    (tmp_path / "zarr" / "zarr.json").write_text('{"attributes": {"ome": {}}}')
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "zarr.json").write_text('{"attributes": {"stemscan": {"kind": "reconstruction"}}}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "zarr.json").write_text('{"attributes": {"stemscan"')
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "zarr", "image", "broken", "link"):
        with pytest.raises(OutputExistsError, match="which is something else; choose another name"):
            create(tmp_path / name, PLAN, overwrite=overwrite)
        with pytest.raises((OutputExistsError, StoreError)):
            resume(tmp_path / name, PLAN)
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "x"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["thesis.txt"]
    assert (tmp_path / "broken" / "zarr.json").exists()


def test_stores_are_overwritten_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    scanned(path, make_plan(shape=[40, 40], passes=3))
    (path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="which is a store; choose another name, resume or overwrite"):
        create(path, PLAN)
    scanned(path, overwrite=True)
    scanned(tmp_path / "reference.zarr")
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    assert contents(path) == contents(tmp_path / "reference.zarr")


def test_half_made_stores_need_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / ".stemscan.lock").touch()
    with pytest.raises(OutputExistsError, match="creation was cut short; resume or overwrite it"):
        create(path, PLAN)
    create(path, PLAN, overwrite=True).close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    busy = pytest.raises(StoreError, match="only writer of .* got one at work already")
    with create(path, PLAN) as store:
        with busy:
            resume(path, PLAN)
        with busy:
            create(path, PLAN, overwrite=True)
        script = (
            "import sys; from tests.stemscan.store_kit import *\n"
            "try: resume(Path(sys.argv[1]), make_plan())\nexcept Exception as error: print(type(error).__name__, error)"
        )
        root = Path(__file__).resolve().parents[2]
        other = subprocess.run(
            [sys.executable, "-c", script, str(path)], cwd=root, capture_output=True, text=True, check=False
        )
        assert other.stdout.startswith("StoreError expected to be the only writer"), other.stderr
        assert Acquisition.open(path).state == "acquiring"
        acquire(PLAN, ScriptedController(), store)
    assert Acquisition.open(path).state == "complete"


def test_a_forgotten_writer_gives_its_lock_back(tmp_path: Path) -> None:
    store = create(tmp_path / "a.zarr", PLAN)
    del store
    resume(tmp_path / "a.zarr", PLAN).close()


def test_two_threads_create_one_store(tmp_path: Path) -> None:
    made, refused = list[Acquisition](), list[Exception]()

    def work() -> None:
        try:
            made.append(create(tmp_path / "a.zarr", PLAN))
        except (StoreError, OutputExistsError) as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    acquire(PLAN, ScriptedController(), made[0])
    assert Acquisition.open(tmp_path / "a.zarr").state == "complete"


def test_a_small_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zarr"
    partly(tmp_path / "old.zarr", 5)
    before = contents(tmp_path / "old.zarr")
    monkeypatch.setattr("stemscan.store.files.shutil.disk_usage", lambda _: SimpleNamespace(free=5000))
    for make, where in ((create, path), (resume, path), (resume, tmp_path / "old.zarr")):
        with pytest.raises(DiskSpaceError, match=r"expected 0\.\d\d MB free .* got 0.01 MB; free some space"):
            make(where, PLAN)
    with pytest.raises(DiskSpaceError):
        create(tmp_path / "old.zarr", PLAN, overwrite=True)
    assert not path.exists()
    assert contents(tmp_path / "old.zarr") == before


def test_a_read_only_place_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StoreError, match="expected to write .*Permission denied"):
        create(tmp_path / "a.zarr", PLAN)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("stemscan.store.files.fcntl.flock", unable)
    with pytest.raises(StoreError, match="expected a file system with locks .* write to a local disk"):
        create(tmp_path / "a.zarr", PLAN)


# ---------------------------------------------------------------------- arguments


def test_impossible_arguments(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"truth": np.zeros((4, 4), np.float32)}, r"truth of real numbers of shape \(16, 16\), got float32"),
        ({"truth": np.zeros((16, 16), complex)}, "got complex128"),
        ({"truth": np.full((16, 16), np.nan)}, "finite numbers"),
        ({"noise": "gauss"}, "noise 'poisson' or 'eq5', got 'gauss'"),
        ({"specimen_name": "x", "specimen_sha256": None}, "name and sha256 together"),
        ({"specimen_record": {"x": np.zeros(3)}}, "a specimen record of plain data for JSON"),
        ({"specimen_record": {"x": float("nan")}}, "plain data for JSON"),
        ({"session": {"x": object()}}, "a session of plain data for JSON"),
    ]
    for changes, message in bad:
        with pytest.raises(UsageError, match=message):
            Acquisition.create(path, PLAN, **(IDENTITY | changes))
        assert not path.exists()


def test_truths_of_other_types_become_float32(tmp_path: Path) -> None:
    truth = np.arange(256, dtype=np.float64).reshape(16, 16)[::-1]
    with Acquisition.create(tmp_path / "a.zarr", PLAN, truth=truth, **IDENTITY) as store:
        assert store.truth is not None
        assert store.truth.dtype == np.float32
        np.testing.assert_array_equal(store.truth, truth)


def test_opening_imports_no_zarr(tmp_path: Path) -> None:
    scanned(tmp_path / "a.zarr")
    script = (
        "import sys; from stemscan.store import Acquisition; a = Acquisition.open(sys.argv[1]); a.warnings;"
        "print(sorted({'zarr', 'numba', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.zarr")], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_store_completed_before_the_lock_was_had_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        store.arm(PLAN.total_samples)

    def lock_after_another(folder: Path) -> StoreLock:
        monkeypatch.setattr(store_module, "StoreLock", StoreLock)
        with resume(folder, PLAN) as other:
            acquire(PLAN, ScriptedController(), other)
        return StoreLock(folder)

    monkeypatch.setattr(store_module, "StoreLock", lock_after_another)
    with resume(path, PLAN) as late:
        assert late.state == "complete"
        before = (path / "zarr.json").read_bytes()
        assert acquire(PLAN, ScriptedController(), late).samples == 0
    assert (path / "zarr.json").read_bytes() == before
    StoreLock(path).release()
