"""Stage drift against what its equation says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.recon.drift.find import find_drift
from stemscan.simulators.instrument.stage_drift import StageDrift, random_walk
from stemscan.simulators.session import simulate
from tests.recon.drift.drift_kit import lattice
from tests.simulators.instrument.instrument_kit import make_plan, make_scan, microscope, scanned

MINUTE = 6e10


def moved(drift: StageDrift, minutes: np.ndarray) -> np.ndarray:
    """Offsets in pixels of 0.1 nm at times."""
    offsets = np.zeros((len(minutes), 2))
    drift.moves(make_scan())(0, minutes * MINUTE, offsets)
    return offsets


def test_polynomial_and_settling() -> None:
    drift = StageDrift(polynomial_nm=((1.0, -2.0), (0.0, 0.5)), settling_nm=(3.0, 0.0), settling_min=2.0)
    minutes = np.array([0.0, 1.0, 4.0])
    expected_row = minutes + 3 * (1 - np.exp(-minutes / 2))
    expected_column = -2 * minutes + 0.5 * minutes**2
    np.testing.assert_allclose(moved(drift, minutes) * 0.1, np.stack([expected_row, expected_column], 1), atol=1e-12)


def test_pixels_a_scan_are_those_of_any_scan() -> None:
    drift = StageDrift(scan_px=(4.0, -3.0))
    for changes in ({}, {"passes": 5, "dwell_ns": 20_000}, {"pixel_size_nm": None}):
        plan = make_plan(**changes)
        device = microscope({"stage_drift": {"scan_px": [4.0, -3.0]}}, plan)
        batch = scanned(device, plan)
        assert batch.truths is not None
        off = batch.truths["truth_trajectory"] - ScanPath(plan).positions(0, plan.total_samples)
        np.testing.assert_allclose(off.mean(axis=0), [2.0, -1.5], rtol=1e-3)
        np.testing.assert_allclose(off[-1] - off[0], [4.0, -3.0], rtol=0.01)
    assert not drift.is_off
    with pytest.raises(UsageError, match="pixel_size_nm"):
        microscope({"stage_drift": {"walk_nm": 1.0}}, make_plan(pixel_size_nm=None))


def test_the_preset_shows_at_any_size(tmp_path: Path) -> None:
    image = lattice(128)
    plan = make_plan(shape=[128, 128], passes=4, pattern={"kind": "block-random", "block": 8, "samples_per_block": 8})
    store = simulate(plan, image.astype(np.float32), tmp_path / "a.zarr", instrument="drifting")
    assert find_drift(store).verdict == "drift"


def walks(times: np.ndarray, count: int) -> np.ndarray:
    """Walks of variance 1 a nanosecond, (count, n, 2)."""
    found = np.zeros((count, len(times), 2))
    for seed in range(count):
        random_walk(np.uint64(seed), times, 1.0, found[seed])
    return found


def test_random_walk_has_independent_increments_of_the_right_variance() -> None:
    times = np.array([0.0, 2.0**16, 3e6, 1e9, 1.7e9, 1e12])
    found = walks(times, 2000)
    assert (found[:, 0] == 0).all()
    steps = np.diff(found, axis=1) / np.sqrt(np.diff(times))[:, np.newaxis]
    steps = steps.reshape(2000, -1)
    covariance = steps.T @ steps / 2000
    np.testing.assert_allclose(covariance, np.eye(10), atol=0.13)  # 4 standard deviations
    assert abs(steps.mean(axis=0)).max() < 0.1


def test_random_walk_at_a_time_does_not_depend_on_the_others() -> None:
    times = np.sort(np.random.default_rng(0).random(200) * 1e11)
    whole = walks(times, 1)[0]
    np.testing.assert_array_equal(walks(times[120:], 1)[0], whole[120:])
    np.testing.assert_array_equal(walks(times[::-1].copy(), 1)[0][::-1], whole)


def test_a_drifting_scan_counts_what_is_under_the_beam() -> None:
    """A specimen whose signal is its column, seen while it drifts over 8 columns in the scan."""
    plan = make_plan(dose={"electrons_per_sample": 1e6}, dwell_ns=10**8)
    minutes = plan.total_samples * 1e8 / MINUTE
    columns = np.broadcast_to(np.arange(48, dtype=np.float32) / 48, plan.shape)
    from stemscan.simulators.specimens.specimen import Specimen

    settings = {"stage_drift": {"polynomial_nm": [[0.0, 0.8 / minutes]]}}
    device = microscope(settings, plan, specimen=Specimen(np.ascontiguousarray(columns), "ramp"))
    batch = scanned(device, plan)
    assert batch.actual is None
    assert batch.truths is not None
    truth = batch.truths["truth_trajectory"]
    drift = (truth - make_scan(plan).path.positions(0, plan.total_samples)).astype(np.float64)
    line = 8 * (np.arange(plan.total_samples) + 0.5) / plan.total_samples
    np.testing.assert_allclose(drift[:, 1], line, atol=1e-5)
    np.testing.assert_allclose(drift[:, 0], 0, atol=1e-5)
    inside = truth[:, 1] < 46
    seen = batch.counts[inside] * 48 / 1e6
    np.testing.assert_allclose(seen, truth[inside, 1], atol=0.3)


def test_needs_a_pixel_size() -> None:
    with pytest.raises(UsageError, match="stage_drift: expected a plan with pixel_size_nm"):
        microscope({"stage_drift": {"walk_nm": 1.0}}, make_plan(pixel_size_nm=None))
