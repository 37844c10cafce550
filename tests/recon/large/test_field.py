"""Parts of a store are those of the whole, and no more is read than they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stemscan as ss
from stemscan.errors import StoreError
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.large.field import LoadedField, StoreField, _drifts, open_field
from stemscan.simulators.api import Specimen
from stemscan.simulators.session import simulate
from stemscan.store import schema
from stemscan.store.reader import Acquisition
from tests.recon.sampling_kit import lattice

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


def test_a_store_that_is_not_complete_is_read_whole(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Acquisition, "state", "acquiring", raising=False)
    acquisition = Acquisition.open(store)
    acquisition.state = "acquiring"
    field = open_field(acquisition)
    assert isinstance(field, LoadedField)
    part = field.part(*PART)
    assert part is not None
    np.testing.assert_array_equal(part.frames, load_inputs(store).part(*PART).frames)


def test_motion_is_seen_in_a_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of columns that a scan passes at all times shows whether there is drift to undo."""
    monkeypatch.setattr("stemscan.recon.large.field._STRIP", (48, 96))
    pattern, dose = ss.BlockRandom(block=8, samples_per_block=6), ss.Dose(electrons_per_sample=40)
    shape = 192, 192
    plan = ss.ScanPlan(pattern=pattern, shape=shape, passes=4, dwell="1us", dose=dose, seed=4, pixel_size="0.01nm")
    specimen = "crystal:SrTiO3[001]"
    moving = tmp_path / "moving.yaml"
    moving.write_text("stage_drift: {scan_px: [6, -5]}\n")
    for instrument, kind in (("ideal", StoreField), (moving, LoadedField)):
        store = ss.simulate(plan, specimen, tmp_path / f"{kind.__name__}.zarr", instrument=instrument)
        assert isinstance(open_field(store), kind)
        assert _drifts(store, "auto") is (kind is LoadedField)
