"""Inputs: what they hold, what they refuse, and how they come from a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stemscan.acquisition.scan import run_scan
from stemscan.errors import InputNotFoundError, ReconError, StoreError
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import ScriptedController, create, make_plan, ramp

FRAMES = np.array([[[4.0, 0.0], [0.0, 2.0]], [[6.0, 1.0], [0.0, 0.0]]])
VISITS = np.array([[[1, 0], [1, 1]], [[2, 1], [0, 0]]])


def test_sums_are_on_the_absolute_scale() -> None:
    inputs = Inputs.from_arrays(FRAMES, VISITS, 10.0)
    np.testing.assert_allclose(inputs.S, [[1.0, 0.1], [0.0, 0.2]], rtol=1e-6)
    np.testing.assert_array_equal(inputs.V, [[3, 1], [1, 1]])
    assert inputs.S.dtype == inputs.V.dtype == inputs.frames.dtype == np.float32
    assert inputs.visits.dtype == np.uint16
    assert (inputs.T, inputs.shape, inputs.samples) == (2, (2, 2), 6)
    assert inputs.mean == pytest.approx(13 / 60)
    assert inputs.noise == "poisson"
    assert inputs.truth is None
    assert dict(inputs.source) == {}


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 5)
    ),
    st.floats(0.1, 1000),
)
def test_sums_add_up(visits: npt.NDArray[np.uint8], dose: float) -> None:
    visits[0, 0, 0] += 1
    inputs = Inputs.from_arrays(visits * 3.0, visits, dose)
    assert inputs.samples == visits.sum() == inputs.V.sum()
    assert inputs.mean == pytest.approx(3 / dose)
    np.testing.assert_allclose(inputs.S, 3 * inputs.V / dose, rtol=1e-5)


def changed(array: npt.NDArray[Any], value: float, dtype: Any = float) -> npt.NDArray[Any]:
    """A copy whose first element is another."""
    copy = array.astype(dtype)
    copy[0, 0, 0] = value
    return copy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": changed(FRAMES, np.nan)}, r"frames to be finite, got nan at index \(0, 0, 0\)"),
        ({"frames": changed(FRAMES, np.inf)}, "frames to be finite, got inf"),
        ({"frames": changed(FRAMES, 1e300)}, "frames to be finite, got inf"),
        ({"frames": changed(FRAMES, -1)}, r"at least 0 electrons, got -1.0 at index \(0, 0, 0\)"),
        ({"frames": FRAMES[0]}, r"frames of shape \(passes, rows, columns\), got shape \(2, 2\)"),
        ({"frames": FRAMES[:, :, :0]}, r"got shape \(2, 2, 0\)"),
        ({"frames": FRAMES.astype(complex)}, "real numbers, got dtype complex128"),
        ({"visits": VISITS[:1]}, r"visits of the frames' shape \(2, 2, 2\), got \(1, 2, 2\)"),
        ({"visits": VISITS.astype(float)}, "visits as integers, got dtype float64"),
        ({"visits": changed(VISITS, -1, int)}, "visits of 0 to 65535, got -1 to 2"),
        ({"visits": changed(VISITS, 65536, int)}, "visits of 0 to 65535, got 0 to 65536"),
        ({"frames": 0 * FRAMES, "visits": 0 * VISITS}, "at least one visited pixel, got none"),
        ({"visits": changed(VISITS, 0, int)}, "nothing was visited, got 4.0 in pass 0 at row 0, column 0"),
        ({"electrons_per_sample": 0.0}, "electrons per sample to be a finite number above 0, got 0.0"),
        ({"electrons_per_sample": np.nan}, "electrons per sample"),
        ({"noise": "gauss"}, "'poisson' or 'eq5', got 'gauss'"),
        ({"pixel_size_nm": -1.0}, "pixel size in nm to be a finite number above 0, got -1.0"),
        ({"truth": np.zeros((2, 3))}, r"truth of shape \(2, 2\), got \(2, 3\)"),
        ({"truth": np.full((2, 2), np.nan)}, "truth to be finite"),
    ],
)
def test_refuses_in_one_sentence(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"frames": FRAMES, "visits": VISITS, "electrons_per_sample": 10.0}
    with pytest.raises(ReconError, match=message) as caught:
        Inputs.from_arrays(**(good | arguments))
    assert "\n" not in str(caught.value)


def test_nothing_counted_is_allowed() -> None:
    inputs = Inputs.from_arrays(0 * FRAMES, VISITS, 10.0)
    assert inputs.mean == 0
    assert not inputs.S.any()


# ---------------------------------------------------------------------- from a store


def test_reads_a_store(tmp_path: Path) -> None:
    plan = make_plan()
    with create(tmp_path / "a.zarr", plan) as store:
        run_scan(plan, ScriptedController(), store)
    read = Acquisition.open(tmp_path / "a.zarr")
    frames, visits, digest = read.frames(), read.visits(), read.digest()
    inputs = load_inputs(tmp_path / "a.zarr")
    np.testing.assert_array_equal(inputs.frames, frames)
    np.testing.assert_array_equal(inputs.visits, visits)
    assert inputs.truth is not None
    np.testing.assert_array_equal(inputs.truth, ramp(plan))
    assert (inputs.electrons_per_sample, inputs.pixel_size_nm, inputs.noise) == (10.0, 0.01, "poisson")
    assert inputs.source == {
        "path": str(tmp_path / "a.zarr"),
        "store_digest": digest,
        "plan_digest": plan.digest(),
        "state": "complete",
        "positions": "commanded",
        "warnings": [],
    }


def test_an_incomplete_store_says_so(tmp_path: Path) -> None:
    plan = make_plan()
    with create(tmp_path / "a.zarr", plan) as store:
        store.arm(5)
        store.append(SampleBatch(0, np.arange(5, dtype=np.uint16), None))
        store.commit()
    inputs = load_inputs(tmp_path / "a.zarr")
    assert inputs.samples == 5
    assert inputs.frames.sum() == 10
    assert inputs.source["state"] == "acquiring"
    assert "5 of 24 samples committed" in inputs.source["warnings"][0]


def test_raw_values_become_electrons(tmp_path: Path) -> None:
    plan = make_plan(passes=1)
    detector = DetectorInfo("adu", gain=4.0, offset=100.0, dtype="uint16")
    raw = np.full(plan.samples_per_pass, 140, dtype=np.uint16)
    raw[3] = 90
    with create(tmp_path / "a.zarr", plan, detector=detector) as store:
        store.arm(len(raw))
        store.append(SampleBatch(0, raw, None))
        store.commit()
        store.complete()
    inputs = load_inputs(tmp_path / "a.zarr")
    electrons = inputs.frames[inputs.visits > 0]
    assert sorted(electrons) == [-2.5] + [10.0] * (len(raw) - 1)
    assert inputs.frames.sum() == 10 * (len(raw) - 1) - 2.5
    assert inputs.source["warnings"] == []


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        load_inputs(tmp_path / "none.zarr")
    (tmp_path / "other").mkdir()
    with pytest.raises(StoreError):
        load_inputs(tmp_path / "other")
