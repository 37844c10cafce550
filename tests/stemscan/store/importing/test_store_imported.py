"""Stores of data measured elsewhere, and the estimate of how large a store grows."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
from numpy.typing import NDArray

from stemscan.errors import OutputExistsError, StoreMismatchError, UsageError
from stemscan.runtime import failpoints
from stemscan.store.batch import DetectorInfo
from stemscan.store.folders import folder_kind, size_on_disk
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.schema import worst_case_bytes
from tests.stemscan.store_kit import contents, make_plan, resume

SHAPE = (20, 30)
PER_PASS = (50, 0, 70)
TOTAL = sum(PER_PASS)


def measured(**changes: Any) -> dict[str, Any]:
    """Arguments of an import, in which pixels are visited again."""
    chance = np.random.default_rng(3)
    positions = np.stack([chance.integers(0, side, TOTAL) for side in SHAPE], axis=1)
    given = {
        "counts": chance.poisson(5, TOTAL),
        "positions": positions,
        "samples_per_pass": PER_PASS,
        "shape": SHAPE,
        "electrons_per_sample": 5,
        "pixel_size_nm": 0.02,
        "record": {"file": "x.npy"},
    }
    return given | changes


def imported(path: Path, data: dict[str, Any], *, overwrite: bool = False) -> Acquisition:
    """A store of these arguments."""
    parts = [{field.name for field in fields(kind)} & set(data) for kind in (Samples, Provenance)]
    samples, provenance = ({name: data[name] for name in names} for names in parts)
    rest = {name: value for name, value in data.items() if name not in parts[0] | parts[1]}
    return import_samples(Samples(**samples), path, provenance=Provenance(**provenance), **rest, overwrite=overwrite)


def drawn(data: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Frames and visits, the slow way."""
    frames, visits = np.zeros((len(PER_PASS), *SHAPE)), np.zeros((len(PER_PASS), *SHAPE), int)
    passes = np.repeat(np.arange(len(PER_PASS)), PER_PASS)
    for index, (row, column) in enumerate(data["positions"]):
        frames[passes[index], row, column] += data["counts"][index]
        visits[passes[index], row, column] += 1
    return frames, visits


def test_reads_like_any_other(tmp_path: Path) -> None:
    data = measured()
    imported(tmp_path / "a.zarr", data)
    store = Acquisition.open(tmp_path / "a.zarr")
    frames, visits = drawn(data)
    assert visits.max() > 1
    assert (store.state, store.origin, store.warnings) == ("complete", "imported", [])
    assert (store.plan, store.plan_digest, store.truth, store.seed) == (None, None, None, None)
    assert (store.shape, store.passes, store.total_samples) == (SHAPE, 3, TOTAL)
    assert (store.electrons_per_sample, store.pixel_size_nm) == (5, 0.02)
    assert store.layout.samples_per_pass == PER_PASS
    assert store.imported is not None
    assert store.imported["record"] == {"file": "x.npy"}
    assert store.counts().dtype == np.uint16
    assert store.visits().dtype == np.uint8
    assert store.detector == DetectorInfo()
    np.testing.assert_array_equal(store.counts(), data["counts"])
    np.testing.assert_array_equal(store.positions(), data["positions"])
    np.testing.assert_array_equal(store.frames(), frames)
    np.testing.assert_array_equal(store.visits(), visits)
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))


def test_digest_covers_positions(tmp_path: Path) -> None:
    data = measured()
    first = imported(tmp_path / "a.zarr", data)
    again = imported(tmp_path / "b.zarr", data)
    assert first.digest() == again.digest()
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")
    moved = data["positions"].copy()
    moved[0] = (moved[0] + 1) % SHAPE
    other = imported(tmp_path / "c.zarr", data | {"positions": moved})
    assert first.digest() != other.digest()


@pytest.mark.parametrize(
    ("counts", "detector", "expected", "frames"),
    [
        (np.full(TOTAL, 65535), DetectorInfo(), "uint16", "uint32"),
        (np.full(TOTAL, 65536), DetectorInfo(), "uint32", "uint32"),
        (np.full(TOTAL, 1, np.int8), DetectorInfo(), "uint16", "uint16"),
        (np.full(TOTAL, 1.5), DetectorInfo(), "float32", "float32"),
        (np.full(TOTAL, 200), DetectorInfo(unit="adu", gain=30, offset=100), "uint16", "uint16"),
    ],
)
def test_types_hold_every_value_and_sum(
    tmp_path: Path, counts: NDArray[Any], detector: DetectorInfo, expected: str, frames: str
) -> None:
    data = measured(counts=counts, channels=(detector,))
    store = imported(tmp_path / "a.zarr", data)
    assert (store.counts().dtype.name, store.frames().dtype.name) == (expected, frames)
    assert store.detector.dtype == expected
    assert (store.detector.unit, store.detector.offset) == (detector.unit, detector.offset)
    np.testing.assert_array_equal(store.frames(), drawn(data)[0])


def test_many_visits_of_one_pixel(tmp_path: Path) -> None:
    many = {"positions": np.zeros((TOTAL * 4, 2), int), "counts": np.ones(TOTAL * 4, int)}
    data = measured(**many, samples_per_pass=[TOTAL * 4 - 100, 100])
    store = imported(tmp_path / "a.zarr", data)
    assert store.visits().dtype == np.uint16
    assert store.visits()[:, 0, 0].tolist() == [380, 100]


def test_a_truth_may_be_known(tmp_path: Path) -> None:
    truth = np.random.default_rng(1).random(SHAPE)
    store = imported(tmp_path / "a.zarr", measured(truth=truth))
    assert store.truth is not None
    np.testing.assert_array_equal(store.truth, truth.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.ones(3)}, r"counts of shape \(120,\)"),
        ({"counts": np.full(TOTAL, -1)}, "at least 0, got -1 at sample 0"),
        ({"counts": np.full(TOTAL, np.nan)}, "finite counts"),
        ({"counts": np.full(TOTAL, "x")}, "counts of real numbers"),
        ({"counts": np.full(TOTAL, 2**33)}, "at most 4294967295"),
        ({"positions": np.zeros((TOTAL, 3), int)}, "integer positions"),
        ({"positions": np.zeros((TOTAL, 2))}, "integer positions"),
        ({"positions": np.full((TOTAL, 2), 20)}, r"inside the grid \(20, 30\), got \[20, 20\] at sample 0"),
        ({"positions": np.full((TOTAL, 2), -1)}, "inside the grid"),
        ({"samples_per_pass": []}, "at least one"),
        ({"samples_per_pass": [-1, TOTAL + 1]}, "possible samples_per_pass"),
        ({"shape": (0, 30)}, "possible shape"),
        ({"electrons_per_sample": 0}, "possible electrons_per_sample of the measured data, got 0"),
        ({"electrons_per_sample": float("nan")}, "possible electrons_per_sample"),
        ({"pixel_size_nm": -1}, "possible pixel_size_nm"),
        ({"record": {"x": object()}}, "plain data"),
        ({"truth": np.zeros((3, 3))}, "truth of real numbers"),
        ({"noise": "gauss"}, "noise 'poisson' or 'eq5'"),
    ],
)
def test_impossible_data(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        imported(tmp_path / "a.zarr", measured(**changes))
    assert not (tmp_path / "a.zarr").exists()


def test_a_cut_import_lacks_its_record(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"

    def stop(name: str) -> None:
        if name == "draw:pass":
            raise KeyboardInterrupt

    with failpoints.installed(stop), pytest.raises(KeyboardInterrupt):
        imported(path, measured())
    assert folder_kind(path) == "without-record"
    with pytest.raises(OutputExistsError, match="samples without their record"):
        imported(path, measured())
    imported(path, measured(), overwrite=True)
    imported(tmp_path / "b.zarr", measured())
    assert contents(path) == contents(tmp_path / "b.zarr")


def test_imports_are_not_resumed(tmp_path: Path) -> None:
    imported(tmp_path / "a.zarr", measured())
    with pytest.raises(StoreMismatchError, match="expected the plan"):
        resume(tmp_path / "a.zarr", make_plan())


@pytest.mark.parametrize("ratio", [1e-4, 1e-3, 3 / 64, 0.5, 1.0])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_worst_case_is_one(tmp_path: Path, ratio: float, dtype: str) -> None:
    """Incompressible counts take no more than was checked for, and at low ratios far less than dense frames."""
    side = 512
    chance = np.random.default_rng(1)
    flat = chance.permutation(side * side)[: max(1, round(ratio * side * side))]
    if dtype == "uint16":
        counts: NDArray[Any] = chance.integers(0, 65536, flat.size)
    else:
        counts = chance.random(flat.size, np.float32)
    positions = np.stack(np.divmod(flat, side), axis=1)
    samples = Samples(counts, positions, (flat.size,), (side, side))
    store = import_samples(samples, tmp_path / "a.zarr", electrons_per_sample=30000)
    estimate = worst_case_bytes(store._store.specs.values(), store.layout)
    assert size_on_disk(tmp_path / "a.zarr") <= estimate
    if ratio < 0.01:
        assert estimate < side * side * 3


def test_sums_that_nothing_holds(tmp_path: Path) -> None:
    one = {"positions": np.zeros((70_000, 2), int), "counts": np.ones(70_000, int), "samples_per_pass": [70_000]}
    with pytest.raises(UsageError, match="at most 65535 visits of a pixel in a pass, got 70000; split the passes"):
        imported(tmp_path / "a.zarr", measured(**one))
    large = {"positions": np.zeros((3, 2), int), "counts": np.full(3, 2**31), "samples_per_pass": [3]}
    with pytest.raises(UsageError, match="sums of at most 4294967295 in a pixel, got 6442450944"):
        imported(tmp_path / "a.zarr", measured(**large))
