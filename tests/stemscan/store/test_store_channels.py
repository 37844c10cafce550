"""Stores of several channels: written, read, resumed, verified, replayed and imported like those of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from stemscan.acquisition.faulty import FaultyController
from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.reports import channels_of, provenance_of
from stemscan.acquisition.session import acquire
from stemscan.errors import ControllerError, StoreMismatchError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.store.batch import DetectorInfo, SampleBatch, check_batch
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.verify import verify_store
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import ScriptedController, contents, expected_counts, make_plan

pytestmark = pytest.mark.usefixtures("small_chunks")

PLAN = make_plan()
CHANNELS = (
    DetectorInfo(name="haadf"),
    DetectorInfo(unit="adu", gain=2.0, offset=3.0, dtype="float32", name="bf"),
    DetectorInfo(unit="adu", gain=1.5, name="abf"),
)


class ThreeDetectors(ScriptedController):
    """Counts that depend on sample and channel alone."""

    channels = CHANNELS

    def read(self, max_samples: int) -> SampleBatch | None:
        batch = super().read(max_samples)
        if batch is None:
            return None
        return SampleBatch(batch.start, counts_of(batch.start, batch.start + len(batch.counts)))


def counts_of(start: int, stop: int) -> Any:
    """Counts of three channels, halves in the second."""
    one = expected_counts(start, stop).astype(np.float32)
    return np.stack([one, one + np.float32(0.5), 2 * one], axis=1)


def test_channels_come_back_as_they_were_given(tmp_path: Path) -> None:
    store = acquire(PLAN, ThreeDetectors(), tmp_path / "a.zarr")
    counts, total = counts_of(0, PLAN.total_samples), PLAN.total_samples
    assert [one.name for one in store.channels] == ["haadf", "bf", "abf"]
    for number, dtype in enumerate(("uint16", "float32", "uint16")):
        got = store.counts(channel=number)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, counts[:, number].astype(dtype))
        frames = np.zeros((PLAN.passes, *PLAN.shape))
        positions, passes = ScanPath(PLAN).positions(0, total), np.arange(total) // PLAN.samples_per_pass
        np.add.at(frames, (passes, positions[:, 0], positions[:, 1]), counts[:, number])
        np.testing.assert_array_equal(store.frames(channel=number), frames)
    assert zarr.open_array(tmp_path / "a.zarr" / "frames").shape == (PLAN.passes, 3, *PLAN.shape)
    labels = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]["omero"]["channels"]
    assert [one["label"] for one in labels] == ["haadf", "bf", "abf"]
    assert verify_store(tmp_path / "a.zarr").sound
    assert (store.channel_number("BF"), store.channel_number(2), store.channel_number("0")) == (1, 2, 0)
    with pytest.raises(UsageError, match="0 haadf, 1 bf, 2 abf"):
        store.channel_number("df")


def test_an_interrupted_store_ends_in_the_same_bytes_and_reads_meanwhile(tmp_path: Path) -> None:
    acquire(PLAN, ThreeDetectors(), tmp_path / "a.zarr")
    faulty = FaultyController(ThreeDetectors(), seed=1, faults=["disconnect"], every=20)
    assert channels_of(faulty) == CHANNELS
    with pytest.raises(ControllerError):
        acquire(PLAN, faulty, tmp_path / "b.zarr")
    cut = Acquisition.open(tmp_path / "b.zarr")
    assert cut.frames(channel=1).sum() == cut.counts(channel=1).sum()
    acquire(PLAN, ThreeDetectors(), tmp_path / "b.zarr", resume=True)
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")


def test_other_channels_are_another_detector(tmp_path: Path) -> None:
    provenance = provenance_of(ThreeDetectors())
    AcquisitionWriter.create(tmp_path / "a.zarr", PLAN, provenance).close()
    others = Provenance((CHANNELS[0], CHANNELS[2], CHANNELS[1]))
    with pytest.raises(StoreMismatchError, match="detector"):
        AcquisitionWriter.resume(tmp_path / "a.zarr", PLAN, others)
    with pytest.raises(UsageError, match="name of its own"):
        AcquisitionWriter.create(tmp_path / "b.zarr", PLAN, Provenance((DetectorInfo(), DetectorInfo())))
    with pytest.raises(UsageError, match="are not 'all'"):
        AcquisitionWriter.create(tmp_path / "b.zarr", PLAN, Provenance((DetectorInfo(), DetectorInfo(name="all"))))
    with pytest.raises(UsageError, match="truth of real numbers of shape"):
        AcquisitionWriter.create(tmp_path / "b.zarr", PLAN, Provenance(CHANNELS, truth=np.zeros(PLAN.shape)))


def test_replays_keep_channels_and_truths(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).random((3, *PLAN.shape)).astype(np.float32)
    with AcquisitionWriter.create(tmp_path / "a.zarr", PLAN, Provenance(CHANNELS, truth=truth)) as writer:
        writer.arm(PLAN.total_samples)
        writer.append(SampleBatch(0, counts_of(0, PLAN.total_samples)))
        writer.complete()
    acquire(PLAN, ReplayController(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    again = Acquisition.open(tmp_path / "b.zarr")
    assert again.digest() == Acquisition.open(tmp_path / "a.zarr").digest()
    np.testing.assert_array_equal(again.truths, truth)
    np.testing.assert_array_equal(again.truth, truth[0])


def test_a_changed_channel_is_found_and_redrawn(tmp_path: Path) -> None:
    acquire(PLAN, ThreeDetectors(), tmp_path / "a.zarr")
    frames = zarr.open_array(tmp_path / "a.zarr" / "frames", mode="r+")
    frames[0, 2] = 7
    problems = verify_store(tmp_path / "a.zarr").problems
    assert {problem.file.parts[-4:-2] for problem in problems} == {("0", "2")}
    assert all(problem.repairable for problem in problems)
    assert verify_store(tmp_path / "a.zarr", repair=True).sound


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda counts: counts[:, :2], r"shape \(n, 3\)"),
        (lambda counts: counts[:, 0], r"shape \(n, 3\)"),
        (lambda counts: counts + np.float32(0.5), "whole counts"),
        (lambda counts: counts * np.float32(1e5), "at most 65535"),
        (lambda counts: counts - np.float32(30), "at least 0"),
        (lambda counts: counts * np.float32(np.nan), "whole counts"),
        (lambda counts: counts.astype(np.int32), "dtype float32"),
    ],
)
def test_each_channel_is_checked_by_its_own_type(change: Any, message: str) -> None:
    dtypes = [np.dtype(one.dtype) for one in CHANNELS]
    check_batch(SampleBatch(0, counts_of(0, 9)), 0, 9, dtypes, actual=False)
    with pytest.raises(ControllerError, match=message):
        check_batch(SampleBatch(0, change(counts_of(0, 9))), 0, 9, dtypes, actual=False)


def test_imported_channels_keep_their_types(tmp_path: Path) -> None:
    positions = np.array([[0, 0], [1, 2], [1, 2]])
    counts = np.array([[1, 0.5], [2, -1], [3, 2]])
    channels = (DetectorInfo(name="a"), DetectorInfo(unit="adu", gain=2, name="b"))
    made = import_samples(
        Samples(counts, positions, (3,), (2, 3)), tmp_path / "a.zarr", electrons_per_sample=5,
        provenance=Provenance(channels),
    )  # fmt: skip
    np.testing.assert_array_equal(made.counts(channel=1), counts[:, 1])
    np.testing.assert_array_equal(made.frames(channel=0)[0], [[1, 0, 0], [0, 0, 5]])
    with pytest.raises(UsageError, match=r"shape \(3, 2\)"):
        import_samples(
            Samples(counts[:, 0], positions, (3,), (2, 3)), tmp_path / "b.zarr", electrons_per_sample=5,
            provenance=Provenance(channels),
        )  # fmt: skip
