"""The acquisition store: making, reading and resuming."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs

from stemscan.acquisition.scan import run_scan
from stemscan.errors import (
    StoreError,
    StoreMismatchError,
    UsageError,
)
from stemscan.path.scan_path import ScanPath
from stemscan.store import schema
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.record import record_digest
from stemscan.store.schema import counts_dtype
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import (
    ScriptedController,
    contents,
    create,
    expected_counts,
    make_plan,
    pictures,
    ramp,
    resume,
    specimen,
)

PLAN = make_plan()
TOTAL = PLAN.total_samples


def scanned(path: Path, plan: Any = PLAN, **changes: Any) -> Acquisition:
    """A complete store."""
    with create(path, plan, **changes) as store:
        run_scan(plan, ScriptedController(), store)
    return Acquisition.open(path)


def partly(path: Path, samples: int, *, abort: bool = False) -> None:
    """A store with some samples."""
    with create(path, PLAN) as store:
        if samples:
            store.arm(min(TOTAL, samples + 3))
            store.append(SampleBatch(0, expected_counts(0, samples)))
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


def test_shows_itself_in_a_few_lines_and_as_a_table(tmp_path: Path) -> None:
    store = scanned(tmp_path / "a<b.zarr")
    lines = repr(store).splitlines()
    assert lines[0] == f"Acquisition {str(store.path)!r}, complete"
    assert lines[1:] == [
        "  samples          24 of 24",
        "  grid             16 x 16 pixels, 2 passes",
        "  pixel size       0.01 nm",
        "  dose per sample  10 e- detected at signal 1",
        "  specimen         ramp",
    ]
    html = store._repr_html_()
    assert html.count("<tr>") == 5
    assert "a&lt;b.zarr" in html
    assert "<img" not in html


def test_is_an_ome_zarr_image(tmp_path: Path) -> None:
    for name, plan in {"a": PLAN, "b": make_plan(pixel_size_nm=None)}.items():
        scanned(tmp_path / f"{name}.zarr", plan)
        yaozarrs.validate_zarr_store(str(tmp_path / f"{name}.zarr"))
    ome = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    image = ome["multiscales"][0]
    assert [axis["name"] for axis in image["axes"]] == ["t", "c", "y", "x"]
    assert [axis.get("unit") for axis in image["axes"]] == ["second", None, "nanometer", "nanometer"]
    assert image["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [12e-6, 1, 0.01, 0.01]}]
    frames = json.loads((tmp_path / "a.zarr" / "frames" / "zarr.json").read_text())
    assert frames["dimension_names"] == ["t", "c", "y", "x"]
    assert [codec["name"] for codec in frames["codecs"]] == ["bytes", "blosc", "crc32c"]
    unknown = json.loads((tmp_path / "b.zarr" / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in unknown["axes"]] == ["second", None, None, None]
    assert unknown["datasets"][0]["coordinateTransformations"][0]["scale"][1:] == [1, 1, 1]


def test_dask_and_zarr_open_the_frames(tmp_path: Path) -> None:
    dask = pytest.importorskip("dask.array")
    store = scanned(tmp_path / "a.zarr")
    frames = dask.from_zarr(str(tmp_path / "a.zarr"), component="frames")
    np.testing.assert_array_equal(frames.compute()[:, 0], store.frames())


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
        store.append(SampleBatch(0, expected_counts(0, TOTAL, dtype)))
        store.complete()
    read = Acquisition.open(tmp_path / "a.zarr")
    assert (read.counts().dtype.name, read.frames().dtype.name) == (dtype, dtype)
    assert (read.detector, read.noise) == (detector, noise)
    np.testing.assert_array_equal(read.frames(), pictures(plan, TOTAL)[0])


def test_nothing_but_zeros_is_written_too(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBatch(0, np.zeros(TOTAL, np.uint16)))
        store.complete()
    read = Acquisition.open(tmp_path / "a.zarr")
    assert not read.frames().any()
    assert read.visits().sum() == TOTAL
    assert (tmp_path / "a.zarr" / "frames" / "c" / "1" / "0" / "0" / "0").is_file()


def test_no_truth_no_specimen(tmp_path: Path) -> None:
    with AcquisitionWriter.create(tmp_path / "a.zarr", PLAN, Provenance(session={"operator": "x"})) as writer:
        run_scan(PLAN, ScriptedController(), writer)
    store = Acquisition.open(tmp_path / "a.zarr")
    assert (store.truth, store.specimen, store.seed) == (None, None, None)
    assert not (tmp_path / "a.zarr" / "truth").exists()
    assert store.history[0]["session"] == {"operator": "x"}
    assert [entry["event"] for entry in store.history] == ["created", "completed"]
    assert set(store.history[0]["versions"]) == {"numpy", "zarr", "stemscan", "python"}


def test_digest_is_of_the_data(tmp_path: Path) -> None:
    first = scanned(tmp_path / "a.zarr")
    assert len(first.digest()) == 64
    assert first.digest() == scanned(tmp_path / "b.zarr", specimen=specimen(name="other")).digest()
    assert first.digest() != scanned(tmp_path / "c.zarr", make_plan(seed=8)).digest()
    with create(tmp_path / "d.zarr", PLAN) as store:
        store.arm(TOTAL)
        counts = expected_counts(0, TOTAL)
        counts[-1] += 1
        store.append(SampleBatch(0, counts))
        store.complete()
    assert first.digest() != Acquisition.open(tmp_path / "d.zarr").digest()
    partly(tmp_path / "e.zarr", 20)
    assert first.digest() != Acquisition.open(tmp_path / "e.zarr").digest()


def test_attributes_of_others_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    partly(path, 5)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["mine"] = {"note": "keep"}
    record = root["attributes"]["stemscan"]
    record["later"] = 3
    record["digest"] = record_digest(record)
    (path / "zarr.json").write_text(json.dumps(root))
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
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


def test_what_was_committed_is_read_while_it_is_written(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        for start in (0, 8, 16):
            store.append(SampleBatch(start, expected_counts(start, start + 8)))
            assert (store.samples_committed, store.samples_appended) == (start, start + 8)
            np.testing.assert_array_equal(Acquisition.open(store.path).frames(), pictures(PLAN, start)[0])
            store.commit()
            np.testing.assert_array_equal(Acquisition.open(store.path).frames(), pictures(PLAN, start + 8)[0])


def test_what_is_not_committed_is_dropped(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(TOTAL)
        store.append(SampleBatch(0, expected_counts(0, 8)))
    read = Acquisition.open(tmp_path / "a.zarr")
    assert (read.samples_committed, read.samples_armed) == (0, TOTAL)


def test_aborted_stores_go_on(tmp_path: Path) -> None:
    scanned(tmp_path / "reference.zarr")
    partly(tmp_path / "a.zarr", 7, abort=True)
    read = Acquisition.open(tmp_path / "a.zarr")
    assert read.state == "aborted"
    assert "(aborted): 7 of 24" in read.warnings[0]
    with resume(tmp_path / "a.zarr", PLAN, session={"kV": 300}) as writer:
        assert writer.state == "acquiring"
        run_scan(PLAN, ScriptedController(), writer)
    store = Acquisition.open(tmp_path / "a.zarr")
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "reference.zarr")
    assert [entry["event"] for entry in store.history] == ["created", "aborted", "resumed", "completed"]
    resumed = store.history[2]
    assert (resumed["samples_committed"], resumed["samples_armed"], resumed["session"]) == (7, 10, {"kV": 300})


def test_completing_needs_every_sample(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        store.arm(5)
        store.append(SampleBatch(0, expected_counts(0, 5)))
        with pytest.raises(StoreError, match="expected 24 committed samples before .* got 5; acquire the rest"):
            store.complete()
    assert Acquisition.open(tmp_path / "a.zarr").samples_committed == 5


def test_arming_needs_a_range_ahead(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        for stop in (0, TOTAL + 1, -1):
            with pytest.raises(UsageError, match="arm up to sample 1 .. 24, got"):
                store.arm(stop)
        store.arm(5)
        store.arm(3)
        assert store.samples_armed == 5


def test_a_closed_writer_writes_nothing(tmp_path: Path) -> None:
    scanned(tmp_path / "a.zarr")
    partly(tmp_path / "b.zarr", 5)
    closed = resume(tmp_path / "b.zarr", PLAN)
    closed.close()
    for writer in (closed, resume(tmp_path / "a.zarr", PLAN)):
        before = contents(writer.path)
        writes: list[Callable[[], None]] = [partial(writer.arm, 9), writer.commit, writer.complete, writer.abort]
        writes.append(partial(writer.append, SampleBatch(5, expected_counts(5, 6))))
        for write in writes:
            with pytest.raises(StoreError, match="expected a writer .* that is not closed, got one of .* that is"):
                write()
        assert contents(writer.path) == before


def test_readers_read_and_writers_write() -> None:
    reader, writer = (
        {name for name, member in vars(kind).items() if callable(getattr(kind, name)) and not name.startswith("_")}
        for kind in (Acquisition, AcquisitionWriter)
    )
    assert reader >= {"counts", "frames", "visits", "digest"}
    assert writer >= {"arm", "append", "commit", "complete", "abort"}
    assert not reader & writer


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
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == contents(tmp_path / "reference.zarr")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"seed": 2}, "seed"),
        ({"noise": "eq5"}, "noise"),
        ({"specimen": specimen(sha256="ffff")}, "specimen"),
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
    resume(path, PLAN, specimen=specimen(name="the same, elsewhere")).close()


def test_resuming_without_the_truth_is_refused(tmp_path: Path) -> None:
    partly(tmp_path / "a.zarr", 5)
    with pytest.raises(StoreMismatchError, match="expected the truth with which"):
        resume(tmp_path / "a.zarr", PLAN, truth=None)
