"""Samples between pixels: what a deposit keeps, what it becomes without a lag, and that every method takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.acquisition.scan import run_scan
from stemscan.errors import ReconError
from stemscan.hardware.coil_lag import actual_positions
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.pictures.frames import frame_picture
from stemscan.recon.registry import ready_methods
from stemscan.recon.run import reconstruct
from stemscan.simulators.api import Specimen, VirtualMicroscope
from stemscan.simulators.session import simulate
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.testing import plans
from tests.recon.sampling_kit import lattice
from tests.stemscan.store_kit import ScriptedController, create, make_plan

places = st.tuples(st.floats(-3, 12, width=32), st.floats(-3, 12, width=32))


@given(
    st.lists(st.tuples(st.integers(0, 60000), places), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 9)
)
def test_no_count_and_no_visit_is_lost(samples: list[Any], rows: int, columns: int) -> None:
    counts = np.array([one for one, _ in samples])
    placed = PlacedSamples.of(
        counts, [place for _, place in samples], (0, len(samples) // 2, len(samples)), (rows, columns)
    )
    for frames, visits in (placed.bilinear(), placed.nearest()):
        assert visits.sum(dtype=np.float64) == len(samples)
        assert frames.sum(dtype=np.float64) == pytest.approx(counts.sum(), rel=1e-6)
        assert frames.shape == visits.shape == (2, rows, columns)
        assert (visits >= 0).all()
        assert not frames[visits == 0].any()


@given(places)
def test_a_sample_lies_where_its_shares_balance(place: tuple[float, float]) -> None:
    _, visits = PlacedSamples.of([1], [place], (0, 1), (10, 10)).bilinear()
    rows, columns = np.mgrid[:10, :10]
    centre = [float((axis * visits[0]).sum()) for axis in (rows, columns)]
    np.testing.assert_allclose(centre, np.clip(place, 0, 9), atol=1 / 128 + 1e-6)


@settings(max_examples=25, deadline=None)
@given(plan=plans(max_side=12, max_passes=3))
def test_without_a_lag_both_are_the_pictures_of_the_pixels(plan: ScanPlan) -> None:
    path = ScanPath(plan)
    counts = np.arange(len(path)) % 17
    starts = tuple(index * plan.samples_per_pass for index in range(plan.passes + 1))
    placed = PlacedSamples.of(counts, actual_positions(path, 0, len(path), 1e-4 * plan.dwell_ns), starts, plan.shape)
    frames = np.zeros((plan.passes, *plan.shape))
    visits = np.zeros(frames.shape)
    for index, (row, column) in enumerate(path.positions(0, len(path))):
        frames[index // plan.samples_per_pass, row, column] += counts[index]
        visits[index // plan.samples_per_pass, row, column] += 1
    for found in (placed.bilinear(), placed.nearest()):
        np.testing.assert_array_equal(found[0], frames)
        np.testing.assert_array_equal(found[1], visits)


def test_samples_outside_of_the_grid_are_left_out_and_said() -> None:
    places = [[0.0, 0.0], [-0.5, 1.0], [-0.51, 1.0], [3.0, 9.0], [1.0, 3.5], [2.0, 2.0], [-40.0, 2.0]]
    placed = PlacedSamples.of([1, 2, 4, 8, 16, 32, 64], places, (0, 3, 6, 9), (4, 4))
    kept = placed.inside()
    assert kept.electrons.tolist() == [1, 2, 16, 32]
    assert kept.pass_starts == (0, 2, 4, 4)
    assert kept.inside() is kept
    inputs = Inputs.from_samples(placed, 1.0)
    assert inputs.source["warnings"] == ["3 of 7 samples left out, outside of the grid"]
    assert (inputs.samples, inputs.S.sum(), inputs.whole.S.sum()) == (4, 51, 51)
    assert inputs.visits.sum(axis=(1, 2)).tolist() == [2, 2, 0]
    assert inputs.V[0].tolist() == [1, 1, 0, 0]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ReconError, match=r"positions of shape \(n, 2\), got \(2,\) and \(3, 2\)"):
        PlacedSamples.of([1, 2], np.zeros((3, 2)), (0, 2), (4, 4))
    with pytest.raises(ReconError, match="finite counts and positions"):
        PlacedSamples.of([1], [[np.nan, 0]], (0, 1), (4, 4))
    with pytest.raises(ReconError, match="at least one visited pixel"):
        Inputs.from_samples(PlacedSamples.of([], np.zeros((0, 2)), (0, 0), (4, 4)), 1.0)


# ---------------------------------------------------------------------- inputs of a store


def stored(folder: Path, **changes: Any) -> Path:
    """A store whose beam was a quarter of a pixel off."""
    plan = make_plan()
    with create(folder / "a.zarr", plan, actual_positions=True, **changes) as store:
        run_scan(plan, ScriptedController(actual=True), store)
    return folder / "a.zarr"


def test_a_store_s_actual_positions_are_used_unless_told(tmp_path: Path) -> None:
    path = stored(tmp_path)
    actual, commanded = load_inputs(path), load_inputs(path, "commanded")
    assert (actual.source["positions"], commanded.source["positions"]) == ("actual", "commanded")
    assert actual.visits.dtype == actual.V.dtype == np.float32
    assert commanded.visits.dtype == np.uint16
    assert actual.samples == commanded.samples == actual.whole.samples == 24
    assert actual.mean == pytest.approx(commanded.mean)
    assert actual.whole is actual.whole
    assert commanded.whole is commanded
    np.testing.assert_array_equal(actual.whole.visits, commanded.visits)
    np.testing.assert_array_equal(actual.whole.frames, commanded.frames)
    row, column = np.argwhere(commanded.visits[0, :-1, :-1])[0]
    assert actual.visits[0, row, column] >= 0.75**2
    assert load_inputs(path, "actual").S.tobytes() == actual.S.tobytes()


def test_positions_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    plan = make_plan()
    with create(tmp_path / "a.zarr", plan) as store:
        run_scan(plan, ScriptedController(), store)
    with pytest.raises(ReconError, match="a store with actual positions"):
        load_inputs(tmp_path / "a.zarr", "actual")
    with pytest.raises(ReconError, match="'actual' or 'commanded', got 'real'"):
        load_inputs(tmp_path / "a.zarr", "real")  # type: ignore[arg-type]


@pytest.mark.parametrize(("tau_ns", "warned"), [(500.0, False), (100e3, True)])
def test_a_beam_that_leaves_gaps_is_warned_of(tmp_path: Path, tau_ns: float, warned: bool) -> None:
    plan = make_plan(shape=[96, 96], order={"kind": "serpentine-blocks"})
    simulate(plan, Specimen(lattice(plan.shape), "lattice"), tmp_path / "a.zarr", coil_tau_ns=tau_ns)
    warnings = load_inputs(tmp_path / "a.zarr").source["warnings"]
    assert any("never reached" in warning for warning in warnings) == warned
    assert not load_inputs(tmp_path / "a.zarr", "commanded").source["warnings"]


def test_an_incomplete_store_of_raw_values(tmp_path: Path) -> None:
    plan = make_plan()
    detector = DetectorInfo("adu", gain=4.0, offset=100.0, dtype="uint16")
    raw = np.array([140, 140, 90, 140, 140], np.uint16)
    with create(tmp_path / "a.zarr", plan, detector=detector, actual_positions=True) as store:
        store.arm(5)
        store.append(SampleBatch(0, raw, ScanPath(plan).positions(0, 5).astype(np.float32)))
        store.commit()
    inputs = load_inputs(tmp_path / "a.zarr")
    assert inputs.samples == 5
    assert sorted(inputs.frames[inputs.visits > 0]) == [-2.5, 10, 10, 10, 10]
    assert sorted(inputs.whole.frames[inputs.visits > 0]) == [-2.5, 10, 10, 10, 10]
    assert not inputs.visits[1].any()
    assert "5 of 24 samples committed" in inputs.source["warnings"][0]
    assert len(inputs.source["warnings"]) == 1


# ---------------------------------------------------------------------- methods


def lagged(tau_ns: float, seed: int = 1) -> tuple[Inputs, Inputs, npt.NDArray[np.float32]]:
    """A scan of a lattice by a beam that lags: by its actual and by its commanded positions; and the lattice."""
    plan = make_plan(shape=[64, 64], passes=4, order={"kind": "serpentine-blocks"}, dose={"electrons_per_sample": 20})
    signal = lattice(plan.shape)
    microscope = VirtualMicroscope(Specimen(signal, "lattice"), plan, seed=seed, coil_tau_ns=tau_ns)
    path = ScanPath(plan)
    microscope.arm(path, 0, len(path))
    microscope.start()
    block = microscope.read(len(path))
    assert block is not None
    assert block.actual is not None
    starts = tuple(index * plan.samples_per_pass for index in range(plan.passes + 1))
    found = [
        Inputs.from_samples(PlacedSamples.of(block.counts, places, starts, plan.shape), 20.0)
        for places in (block.actual, path.positions(0, len(path)))
    ]
    return found[0], found[1], signal


FAST: dict[str, dict[str, Any]] = {"bpfa": {"sweeps": 12, "averaged": 6}}


@pytest.mark.parametrize("method", [name for name in ready_methods() if name != "constant"])
def test_every_method_gains_by_knowing_where_the_beam_was(method: str) -> None:
    actual, commanded, signal = lagged(2000.0)
    images = [reconstruct(inputs, method, **FAST.get(method, {})) for inputs in (actual, commanded)]
    assert all(np.isfinite(made.image).all() for made in images)
    assert all(made.std is None or np.isfinite(made.std).all() for made in images)
    gained = [compare(made.image, signal).psnr for made in images]
    assert gained[0] > gained[1] + 2


@pytest.mark.parametrize("method", ready_methods())
def test_whole_samples_give_the_same_image_from_either_kind_of_visits(method: str) -> None:
    _, commanded, _ = lagged(2000.0)
    assert commanded.visits.dtype == np.float32
    images = [reconstruct(inputs, method, **FAST.get(method, {})).image for inputs in (commanded, commanded.whole)]
    np.testing.assert_array_equal(images[0], images[1])


def test_pictures_show_whole_samples() -> None:
    actual, _, _ = lagged(2000.0)
    np.testing.assert_array_equal(frame_picture(actual, 1), frame_picture(actual.whole, 1))
