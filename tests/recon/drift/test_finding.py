"""Drift of scans of known drift: found, not invented, and not guessed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.recon.drift.find import drift_of
from stemscan.recon.drift.finding import Found, find_trajectory
from stemscan.recon.drift.using import moves
from stemscan.simulators.api import synthetic_specimen
from tests.recon.drift.drift_kit import flat, lattice, moving_scan

Floats = npt.NDArray[np.float64]
SIZE = 192


def error(found: Found, truth: Floats) -> float:
    """RMS error a direction, in pixels."""
    assert found.trajectory is not None
    off = found.trajectory.at(np.arange(len(truth))) - truth
    return float(np.sqrt(np.mean((off - off.mean(axis=0)) ** 2)))


@pytest.mark.parametrize("order", ["serpentine-blocks", "delocalised"])
def test_steady_drift_is_found_within_its_errors(order: str) -> None:
    samples, truth = moving_scan(lattice(SIZE), np.array([8.0, -5.0]), order=order)
    found = find_trajectory(samples)
    assert found.verdict == "drift"
    assert found.trajectory is not None
    assert found.trajectory.rms_std < 0.2
    assert error(found, truth) < 2 * found.trajectory.rms_std


def test_drift_that_slows_down_is_followed() -> None:
    time = np.linspace(0, 1, len(moving_scan(flat(SIZE))[1]))[:, np.newaxis]
    samples, truth = moving_scan(lattice(SIZE), 6 * np.exp(-time / 0.3) * np.array([1.0, 0.5]))
    assert error(find_trajectory(samples), truth) < 0.25


def test_a_still_scan_is_still() -> None:
    found = find_trajectory(moving_scan(lattice(SIZE))[0])
    assert found.verdict == "still"
    assert "would have shown" in found.reason


@pytest.mark.parametrize("index", [0, 1, 4])
def test_uneven_specimens_are_still_where_nothing_moves_and_found_where_it_does(index: int) -> None:
    # dark and bright areas: the samples' weights differ by more than ten
    image = synthetic_specimen((512, 512), seed=1, index=index).signal.astype(np.float64)
    still, _ = moving_scan(image, per_block=3, dose=10.0)
    assert not moves(still)
    assert find_trajectory(still).verdict == "still"
    moved, truth = moving_scan(image, np.array([8.0, 4.0]), per_block=3, dose=10.0)
    assert moves(moved)
    found = find_trajectory(moved)
    assert found.verdict == "drift"
    assert found.trajectory is not None
    assert error(found, truth) < max(0.06, 2 * found.trajectory.rms_std)


def test_a_beam_that_shakes_too_fast_is_said_to() -> None:
    image, row = lattice(512), 192
    random = np.random.default_rng(5)
    count = 4 * 64 * row
    rows = np.repeat(random.normal(0, 0.6, (count // row, 2)), row, axis=0)
    samples, _ = moving_scan(image, rows, per_block=3, dose=20.0)
    found = find_trajectory(samples)
    assert found.verdict == "still"
    assert "shakes by some" in found.reason


def test_a_specimen_without_contrast_tells_nothing() -> None:
    samples, _ = moving_scan(flat(SIZE), np.array([10.0, 0.0]))
    assert find_trajectory(samples).verdict in ("unknown", "still")


def test_vacuum_without_a_count_tells_nothing() -> None:
    assert find_trajectory(moving_scan(np.zeros((SIZE, SIZE)))[0]).verdict == "unknown"


def test_one_pass_that_visits_each_place_once_tells_nothing() -> None:
    samples, _ = moving_scan(lattice(SIZE), np.array([5.0, 5.0]), passes=1)
    drift = drift_of(samples)
    assert drift.verdict in ("unknown", "still")
    assert any("distorted specimen" in note for note in drift.notes)


def test_half_a_cell_a_pass_on_a_perfect_lattice_is_ambiguous() -> None:
    turn = np.deg2rad(5.0)
    step = 0.5 * 23.0 * np.array([np.cos(turn), -np.sin(turn)])
    samples, _ = moving_scan(lattice(SIZE, perfect=True), 4 * step)
    found = find_trajectory(samples)
    assert found.verdict == "ambiguous"
    assert found.trajectory is None
    assert "unit cell" in found.reason


def test_a_serpentine_order_is_said_to_hide_what_repeats() -> None:
    samples, _ = moving_scan(lattice(SIZE), np.array([4.0, 0.0]))
    assert any("delocalised" in note for note in drift_of(samples).notes)
    spread, _ = moving_scan(lattice(SIZE), np.array([4.0, 0.0]), order="delocalised", per_block=16)
    assert not any("delocalised" in note for note in drift_of(spread).notes)


def test_results_repeat() -> None:
    samples, _ = moving_scan(lattice(SIZE), np.array([3.0, 3.0]))
    first, second = (find_trajectory(samples).trajectory for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.offsets, second.offsets)
