"""The virtual microscope as a scan controller, and frames without a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError, ProfileError, SpecimenError, StoreMismatchError, UsageError
from stemscan.hardware.coil_lag import actual_positions
from stemscan.hardware.profile import load_profile, profile_text
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import (
    Specimen,
    VirtualMicroscope,
    poisson,
    render_crystal,
    sampled_frames,
)
from stemscan.simulators.session import simulate, virtual_microscope
from stemscan.store.ledger import BeamTimes
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from stemscan.testing import plans
from tests.stemscan.store_kit import contents


def make_plan(shape: tuple[int, int] = (32, 40), passes: int = 3, dose: float = 10, **more: Any) -> ScanPlan:
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": list(shape),
            "passes": passes,
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": dose},
            "seed": 7,
            **more,
        }
    )


PLAN = make_plan()
SPECIMEN = render_crystal("SrTiO3", (32, 40), pixel_size_nm=0.03)


def read_all(microscope: VirtualMicroscope, path: ScanPath, start: int, stop: int, size: int) -> NDArray[Any]:
    microscope.arm(path, start, stop)
    microscope.start()
    counts = []
    at = start
    while (batch := microscope.read(size)) is not None:
        assert batch.start == at
        assert 1 <= batch.counts.size <= size
        assert (batch.actual is None) != microscope.capabilities.actual_positions
        at += batch.counts.size
        counts.append(batch.counts)
    assert at == stop
    return np.concatenate(counts) if counts else np.empty(0)


def test_it_is_a_scan_controller() -> None:
    microscope = VirtualMicroscope(SPECIMEN, PLAN, seed=1)
    assert isinstance(microscope, ScanController)
    assert microscope.capabilities.resumable
    assert not microscope.capabilities.actual_positions


@pytest.mark.parametrize(
    ("noise", "dose", "dtype"), [("poisson", 10, "uint16"), ("poisson", 70000, "uint32"), ("eq5", 10, "float32")]
)
def test_the_detector_says_what_its_numbers_are(noise: Any, dose: float, dtype: str) -> None:
    plan = make_plan(dose=dose)
    microscope = VirtualMicroscope(SPECIMEN, plan, noise=noise, seed=1)
    detector = microscope.detector
    assert (detector.unit, detector.gain, detector.offset, detector.dtype) == ("electron", 1, 0, dtype)
    assert read_all(microscope, ScanPath(plan), 0, 10, 10).dtype == dtype


def test_counts_are_poisson_of_dose_times_the_signal_under_the_beam() -> None:
    path = ScanPath(PLAN)
    counts = read_all(VirtualMicroscope(SPECIMEN, PLAN, seed=5), path, 0, len(path), 1000)
    rows, columns = path.positions(0, len(path)).T
    np.testing.assert_array_equal(counts, poisson(10.0 * SPECIMEN.signal[rows, columns].astype(np.float64), seed=5))


def test_the_mean_over_many_passes_is_the_specimen() -> None:
    plan = make_plan(shape=(16, 16), passes=250, pattern={"kind": "raster"})
    signal = render_crystal("Au", (16, 16), pixel_size_nm=0.02).signal
    for noise, variance in (("poisson", signal * 10), ("eq5", signal**2 * 10)):
        frames, visits = sampled_frames(signal, plan, noise=noise, seed=3)  # type: ignore[arg-type]
        assert (visits == 1).all()
        off = (frames.mean(axis=0) - 10 * signal) / np.sqrt(variance / 250)
        assert np.abs(off).max() < 5
        assert 0.8 < float((off**2).mean()) < 1.2


@settings(max_examples=25, deadline=None)
@given(plan=plans(max_side=16, max_passes=3), size=st.integers(1, 50), data=st.data())
def test_any_range_in_any_batches_gives_the_same_counts(plan: ScanPlan, size: int, data: st.DataObject) -> None:
    signal = np.linspace(1, 0, plan.shape[0] * plan.shape[1], dtype=np.float32).reshape(plan.shape)
    specimen = Specimen(signal, "ramp")
    if plan.electrons_per_sample * float(signal.max()) >= 2**25:
        with pytest.raises(UsageError, match="electrons in each sample"):
            VirtualMicroscope(specimen, plan, seed=1)
        return
    microscope = VirtualMicroscope(specimen, plan, seed=plan.seed)
    path = ScanPath(plan)
    whole = read_all(microscope, path, 0, len(path), len(path))
    start = data.draw(st.integers(0, len(path)))
    stop = data.draw(st.integers(start, len(path)))
    np.testing.assert_array_equal(read_all(microscope, path, start, stop, size), whole[start:stop])


def test_armed_again_or_aborted_it_forgets_what_was_armed() -> None:
    microscope = VirtualMicroscope(SPECIMEN, PLAN, seed=1)
    path = ScanPath(PLAN)
    microscope.arm(path, 0, 100)
    microscope.start()
    microscope.read(10)
    np.testing.assert_array_equal(read_all(microscope, path, 50, 60, 4), read_all(microscope, path, 50, 60, 10))
    microscope.arm(path, 0, 10)
    microscope.abort()
    with pytest.raises(ControllerError, match="call arm"):
        microscope.start()
    with pytest.raises(ControllerError, match="call arm"):
        microscope.read(1)
    microscope.abort()
    microscope.close()


def test_misuse_is_refused() -> None:
    microscope = VirtualMicroscope(SPECIMEN, PLAN, seed=1)
    path = ScanPath(PLAN)
    with pytest.raises(ControllerError, match="call arm"):
        microscope.start()
    microscope.arm(path, 0, 10)
    with pytest.raises(ControllerError, match="start first"):
        microscope.read(1)
    microscope.start()
    with pytest.raises(ControllerError, match="at least 1"):
        microscope.read(0)
    for start, stop in ((-1, 5), (5, 4), (0, len(path) + 1)):
        with pytest.raises(ControllerError, match="range inside"):
            microscope.arm(path, start, stop)
    with pytest.raises(ControllerError, match="another|expected a path of plan"):
        microscope.arm(ScanPath(make_plan(dose=11)), 0, 1)
    for wrong in ({"seed": -1}, {"seed": 2**64}, {"seed": 1, "noise": "gauss"}):
        with pytest.raises(UsageError, match="expected (a seed|noise)"):
            VirtualMicroscope(SPECIMEN, PLAN, **wrong)
    with pytest.raises(SpecimenError, match=r"32 x 41 pixels, got 32 x 40 \('crystal:SrTiO3\[001\]'\)"):
        VirtualMicroscope(SPECIMEN, make_plan(shape=(32, 41)), seed=1)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
def test_frames_without_a_store_are_those_of_a_store(tmp_path: Path, noise: Any) -> None:
    microscope = VirtualMicroscope(SPECIMEN, PLAN, noise=noise, seed=9)
    store = AcquisitionWriter.create(tmp_path / "a.zarr", PLAN, provenance_of(microscope))
    run_scan(PLAN, microscope, store, batch_samples=17, commit_samples=50)
    frames, visits = sampled_frames(SPECIMEN.signal, PLAN, noise=noise, seed=9)
    opened = Acquisition.open(tmp_path / "a.zarr")
    np.testing.assert_array_equal(frames, opened.frames())
    np.testing.assert_array_equal(visits, opened.visits())
    assert (str(frames.dtype), str(visits.dtype)) == ("float32", "uint16")


@settings(max_examples=25, deadline=None)
@given(plan=plans(max_side=20, max_passes=4))
def test_frames_hold_every_sample_once(plan: ScanPlan) -> None:
    signal = np.full(plan.shape, 1e-6, np.float32)
    frames, visits = sampled_frames(signal, plan, seed=2)
    assert frames.shape == visits.shape == (plan.passes, *plan.shape)
    assert (visits.sum(axis=(1, 2)) == plan.samples_per_pass).all()
    assert not frames[visits == 0].any()


def test_signals_off_the_grid_or_below_zero_are_refused() -> None:
    with pytest.raises(SpecimenError, match=r"\(32, 40\), got \(40, 32\)"):
        sampled_frames(SPECIMEN.signal.T, PLAN, seed=1)
    for wrong in (-1.0, np.nan):
        with pytest.raises(UsageError, match="electrons in each sample"):
            sampled_frames(np.full(PLAN.shape, wrong), PLAN, seed=1)


# ---------------------------------------------------------------------- coils that lag


def test_without_a_lag_everything_is_as_it_was() -> None:
    path = ScanPath(PLAN)
    plain = read_all(VirtualMicroscope(SPECIMEN, PLAN, seed=4), path, 0, len(path), 100)
    for tau in (None, 0, 0.0):
        microscope = VirtualMicroscope(SPECIMEN, PLAN, seed=4, coil_tau_ns=tau)
        np.testing.assert_array_equal(read_all(microscope, path, 0, len(path), 64), plain)
    faint = VirtualMicroscope(SPECIMEN, PLAN, seed=4, coil_tau_ns=1e-3)
    assert faint.capabilities.actual_positions
    off = read_all(faint, path, 0, len(path), 64).astype(int) - plain
    assert np.count_nonzero(off) <= 1  # positions are 1e-5 pixels off


def test_a_lagging_beam_counts_what_is_under_it() -> None:
    plan = make_plan(passes=60)
    path, columns = ScanPath(plan), np.arange(40, dtype=np.float32) / 40
    ramp = Specimen(np.tile(columns, (32, 1)), "ramp")
    microscope = VirtualMicroscope(ramp, plan, seed=3, coil_tau_ns=2000.0)
    microscope.arm(path, 0, len(path))
    microscope.start()
    batch = microscope.read(len(path))
    assert batch is not None
    assert batch.actual is not None
    assert batch.actual.dtype == np.float32
    np.testing.assert_array_equal(batch.actual, actual_positions(path, 0, len(path), 2000.0))
    expected = 10 * batch.actual[:, 1].astype(np.float64) / 40
    off = (batch.counts - expected) / np.sqrt(np.maximum(expected, 0.1))
    assert 0.9 < float((off[expected > 1] ** 2).mean()) < 1.1
    assert abs(float((batch.counts - expected).mean())) < 5 * float(np.sqrt(expected.mean() / len(path)))


@settings(max_examples=15, deadline=None)
@given(plan=plans(max_side=16, max_passes=2), tau=st.floats(1, 1e5), size=st.integers(1, 50), data=st.data())
def test_a_lagging_beam_s_samples_do_not_depend_on_batches(
    plan: ScanPlan, tau: float, size: int, data: st.DataObject
) -> None:
    signal = np.linspace(1, 0, plan.shape[0] * plan.shape[1], dtype=np.float32).reshape(plan.shape)
    assume(plan.electrons_per_sample < 2**24)
    path = ScanPath(plan)
    threads = data.draw(st.integers(1, 3))
    counts, places = [], []
    one = VirtualMicroscope(Specimen(signal, "ramp"), plan, seed=1, coil_tau_ns=tau)
    whole = read_all(one, path, 0, len(path), len(path))
    start = data.draw(st.integers(0, len(path)))
    other = VirtualMicroscope(Specimen(signal, "ramp"), plan, seed=1, coil_tau_ns=tau, threads=threads)
    other.arm(path, start, len(path))
    other.start()
    while (batch := other.read(size)) is not None:
        assert batch.actual is not None
        counts.append(batch.counts)
        places.append(batch.actual)
    if counts:
        np.testing.assert_array_equal(np.concatenate(counts), whole[start:])
        found = np.concatenate(places)
        np.testing.assert_array_equal(found, actual_positions(path, start, len(path), tau))
        assert (found >= 0).all()
        assert (found <= np.array(plan.shape) - 1).all()


def test_a_beam_that_waits_is_nearer_to_its_pixels_and_says_so_in_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(profile_text("ideal") + "settle: {per_jump: [[0, 0], [1, 4000]]}\nflyback_ns: 20000\n")
    profile = load_profile(path)
    program, scan = Program(PLAN, profile), ScanPath(PLAN)
    waiting = VirtualMicroscope(SPECIMEN, PLAN, seed=4, coil_tau_ns=2000.0, profile=profile)
    waiting.arm(scan, 0, len(scan))
    waiting.start()
    batch = waiting.read(len(scan))
    assert batch is not None
    assert batch.actual is not None
    found, commanded = batch.actual, scan.positions(0, len(scan))
    np.testing.assert_array_equal(found, actual_positions(scan, 0, len(scan), 2000.0, program.waits_ns))
    hasty = actual_positions(scan, 0, len(scan), 2000.0)
    assert np.square(found - commanded).sum() < 0.05 * np.square(hasty - commanded).sum()
    assert waiting.beam_times(scan, 0, 50) == program.beam_times(0, 50)
    plain = VirtualMicroscope(SPECIMEN, PLAN, seed=4)
    assert plain.beam_times(scan, 0, 50) == BeamTimes.dwells(50, PLAN.dwell_ns)


def test_other_waits_are_another_store(tmp_path: Path) -> None:
    for name, tau in (("a.zarr", 5000.0), ("b.zarr", None)):
        acquired = simulate(PLAN, SPECIMEN, tmp_path / name, seed=2, coil_tau_ns=tau, profile="obi")
        assert acquired.samples_committed == len(ScanPath(PLAN))
    with pytest.raises(StoreMismatchError, match="waits of the beam before its dwells"):
        simulate(PLAN, SPECIMEN, tmp_path / "a.zarr", seed=2, coil_tau_ns=5000.0, resume=True)
    simulate(PLAN, SPECIMEN, tmp_path / "a.zarr", seed=2, coil_tau_ns=5000.0, profile="obi", resume=True)
    stores = [Acquisition.open(tmp_path / name) for name in ("a.zarr", "b.zarr")]
    assert [store.coil_waits for store in stores] == [load_profile("obi").waits_digest(), None]
    assert all(store.ledger is not None and store.ledger["settle"]["time_ns"] > 0 for store in stores)
    with pytest.raises(ProfileError, match="dwell of at least"):
        simulate(make_plan(dwell_ns=1), SPECIMEN, tmp_path / "c.zarr", profile="fei-stream")


def test_a_time_constant_below_zero_is_refused() -> None:
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match="coil time constant"):
            VirtualMicroscope(SPECIMEN, PLAN, seed=1, coil_tau_ns=wrong)


def test_a_lagging_beam_s_store_is_the_same_however_it_was_interrupted(tmp_path: Path) -> None:
    simulate(PLAN, SPECIMEN, tmp_path / "a.zarr", seed=2, coil_tau_ns=5000.0)
    microscope, path = virtual_microscope(PLAN, SPECIMEN, seed=2, coil_tau_ns=5000.0), ScanPath(PLAN)
    with AcquisitionWriter.create(tmp_path / "b.zarr", PLAN, provenance_of(microscope)) as store:
        store.arm(70)
        microscope.arm(path, 0, 70)
        microscope.start()
        batch = microscope.read(33)
        assert batch is not None
        store.append(batch)
        store.commit()
    with pytest.raises(StoreMismatchError, match="coil lag in ns"):
        simulate(PLAN, SPECIMEN, tmp_path / "b.zarr", seed=2, coil_tau_ns=4000.0, resume=True)
    resumed = simulate(PLAN, SPECIMEN, tmp_path / "b.zarr", seed=2, coil_tau_ns=5000.0, resume=True)
    assert resumed.history[1]["samples_committed"] == 33
    assert contents(tmp_path / "a.zarr") == contents(tmp_path / "b.zarr")
