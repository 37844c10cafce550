"""Parts of a store are those of the whole, and no more is read than they need."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stemscan as ss
from stemscan.errors import ReconError, StoreError
from stemscan.recon.drift import find, truth, using
from stemscan.recon.drift.find import Drift, store_drift
from stemscan.recon.drift.timed import TimedSamples
from stemscan.recon.inputs import reading
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.large import samples_field
from stemscan.recon.large.field import Field, LoadedField, StoreField
from stemscan.recon.large.opening import open_field
from stemscan.recon.large.samples_field import SamplesField
from stemscan.simulators.api import Specimen
from stemscan.simulators.session import simulate
from stemscan.store import schema
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from stemscan.store.trajectory import Trajectory
from tests.recon.sampling_kit import lattice
from tests.stemscan.store_kit import create, expected_counts, make_plan

PART = slice(20, 75), slice(31, 64)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of 96 x 80 pixels in chunks of 32 x 32."""
    monkeypatch.setattr(schema, "FRAME_CHUNK", 32)
    pattern, dose = ss.BlockRandom(block=8, samples_per_block=3), ss.Dose(electrons_per_sample=9)
    plan = ss.ScanPlan(pattern=pattern, shape=(96, 80), passes=3, dwell="1us", dose=dose, seed=4)
    simulate(plan, Specimen(lattice((96, 80)), "lattice"), tmp_path / "acq.zarr")
    return tmp_path / "acq.zarr"


def test_parts_are_those_of_the_inputs(store: Path) -> None:
    field, whole = open_field(store), load_inputs(store)
    assert isinstance(field, StoreField)
    assert dict(field.source) == dict(whole.source)
    for part in (PART, (slice(0, 96), slice(0, 80)), (slice(64, 96), slice(79, 80))):
        found, known = field.part(*part), whole.part(*part)
        assert found is not None
        np.testing.assert_array_equal(found.frames, known.frames)
        np.testing.assert_array_equal(found.visits, known.visits)
        assert whole.truth is not None
        np.testing.assert_array_equal(field.truth(*part), whole.truth[part])


def test_chunks_beside_a_part_are_not_read(store: Path) -> None:
    (store / "frames" / "c" / "1" / "0" / "0" / "0").write_bytes(b"damaged")
    field = open_field(store)
    assert field.part(slice(32, 96), slice(0, 80)) is not None
    with pytest.raises(StoreError, match="frames"):
        field.part(slice(0, 33), slice(0, 10))


def test_a_part_without_samples_is_none(store: Path) -> None:
    inputs = load_inputs(store)
    row, column = np.argwhere(inputs.V == 0)[0]
    part = slice(row, row + 1), slice(column, column + 1)
    assert open_field(store).part(*part) is None
    assert LoadedField(inputs).part(*part) is None


def made(folder: Path, instrument: dict[str, Any], dose: float = 30) -> Path:
    """A store of 96 x 80 pixels by an instrument."""
    (folder / "instrument.yaml").write_text(json.dumps({"version": 1, "name": "of a test", **instrument}))
    pattern = ss.BlockRandom(block=8, samples_per_block=6)
    plan = ss.ScanPlan(
        pattern=pattern, shape=(96, 80), passes=3, dwell="1us", dose=ss.Dose(electrons_per_sample=dose), seed=4
    )
    specimen = Specimen(lattice((96, 80)), "lattice")
    simulate(plan, specimen, folder / "acq.zarr", instrument=folder / "instrument.yaml")
    return folder / "acq.zarr"


def hold_parts(field: Field, whole: Inputs) -> None:
    """Hold parts of a field, sent to another process, against those of the inputs."""
    assert not isinstance(field, LoadedField)
    field = pickle.loads(pickle.dumps(field))
    assert dict(field.source) == dict(whole.source)
    for part in (PART, (slice(0, 96), slice(0, 80)), (slice(48, 96), slice(60, 80))):
        found, known = field.part(*part), whole.part(*part)
        assert found is not None
        np.testing.assert_allclose(found.frames, known.frames, rtol=1e-6, atol=1e-5)
        np.testing.assert_array_equal(found.visits, known.visits)
        np.testing.assert_array_equal(found.whole.visits, known.whole.visits)
        if known.placed is None or found.placed is None:
            assert found.placed is known.placed
        else:
            assert found.placed.pass_starts == known.placed.pass_starts
            np.testing.assert_array_equal(found.placed.positions, known.placed.positions)
            np.testing.assert_array_equal(found.placed.electrons, known.placed.electrons)
        assert whole.truth is not None
        np.testing.assert_allclose(field.truth(*part), whole.truth[part], atol=2e-6)


@pytest.fixture
def _batches_of_a_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_field, "_BATCH", 100)
    monkeypatch.setattr(truth, "_BATCH", 90)
    monkeypatch.setattr(reading, "_BATCH", 110)


@pytest.mark.usefixtures("_batches_of_a_few_rows")
@pytest.mark.parametrize(
    "instrument",
    [
        {"coils": {"tau_us": 2.0}},
        {"coils": {"tau_us": 0.2}, "stage_drift": {"scan_px": [3.0, -2.0]}},
        {"detectors": [{"name": "a", "dead_time": {"ns": 30.0}}]},
        {"stage_drift": {"scan_px": [3.0, -2.0]}},
    ],
)
def test_parts_of_samples_one_by_one(tmp_path: Path, instrument: dict[str, Any]) -> None:
    """Between pixels, of a lagging beam that leaves gaps; with dead time; with a drift that is not undone."""
    store = made(tmp_path, instrument)
    hold_parts(open_field(store, drift="off"), load_inputs(store, drift="off"))
    hold_parts(open_field(store, positions="commanded"), load_inputs(store, "commanded"))


@pytest.mark.usefixtures("_batches_of_a_few_rows")
@pytest.mark.parametrize("coils", [0.0, 0.2])
def test_parts_of_a_specimen_that_drifted(tmp_path: Path, coils: float) -> None:
    store = made(tmp_path, {"coils": {"tau_us": coils}, "stage_drift": {"scan_px": [6.0, -5.0]}})
    number = Acquisition.open(store).total_samples
    path = Trajectory.of([0, number - 1], [[-3.0, 2.5], [3.0, -2.5]], np.full((2, 2), 0.1))
    store_drift(store, Drift("drift", "for a test", path, (), number, None, {}))
    whole = load_inputs(store)
    assert whole.source["drift"]["origin"] == "stored"
    assert any("left out" in warning for warning in whole.source["warnings"])
    hold_parts(open_field(store), whole)


@pytest.mark.usefixtures("_batches_of_a_few_rows")
def test_parts_of_a_scan_that_is_not_complete(tmp_path: Path) -> None:
    plan = make_plan(shape=[96, 80], passes=3)
    with create(tmp_path / "acq.zarr", plan) as writer:
        writer.arm(500)
        writer.append(SampleBatch(0, expected_counts(0, 500)))
        writer.commit()
    hold_parts(open_field(tmp_path / "acq.zarr"), load_inputs(tmp_path / "acq.zarr"))
    with create(tmp_path / "none.zarr", plan):
        pass
    with pytest.raises(ReconError, match="at least one visited pixel"):
        open_field(tmp_path / "none.zarr")


def test_drift_is_sought_in_a_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of columns that a scan passes at all times shows a drift as the whole frame does."""
    pattern, dose = ss.BlockRandom(block=8, samples_per_block=6), ss.Dose(electrons_per_sample=40)
    shape = 192, 384
    plan = ss.ScanPlan(pattern=pattern, shape=shape, passes=4, dwell="1us", dose=dose, seed=4, pixel_size="0.01nm")
    moving = tmp_path / "moving.yaml"
    moving.write_text("stage_drift: {scan_px: [6, -5]}\n")
    instruments: list[str | Path] = ["ideal", moving]
    stores = [
        ss.simulate(plan, "crystal:SrTiO3[001]", tmp_path / f"{number}.zarr", instrument=instrument)
        for number, instrument in enumerate(instruments)
    ]
    whole = ss.find_drift(stores[1]).trajectory
    monkeypatch.setattr(find, "_WHOLE", 192 * 200)
    monkeypatch.setattr(find, "_STRIP", 192 * 192)
    monkeypatch.setattr(using, "_PIXELS", 192 * 192)
    assert isinstance(open_field(stores[0]), StoreField)
    field = open_field(stores[1])
    assert isinstance(field, SamplesField)
    assert field.source["drift"]["origin"] == "found"
    found = ss.find_drift(stores[1])
    assert found.samples == TimedSamples.of_strip(stores[1], slice(96, 288)).count
    assert found.trajectory is not None
    assert whole is not None
    at = np.linspace(0, stores[1].total_samples - 1, 50)
    assert found.trajectory.samples[-1] > 0.99 * stores[1].total_samples  # numbers of the whole scan
    away = found.trajectory.at(at) - whole.at(at)
    assert np.sqrt(np.mean(away**2)) < 3 * found.trajectory.rms_std
