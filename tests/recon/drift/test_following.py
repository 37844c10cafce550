"""Drift that is predicted between passes, and scans that follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.session import acquire
from stemscan.errors import ControllerError, UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.find import find_drift
from stemscan.recon.drift.following import FollowDrift, extrapolated
from stemscan.recon.drift.truth import true_offsets
from stemscan.recon.drift.using import drift_to_use
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.reader import Acquisition
from tests.recon.drift.drift_kit import Floats, flat, lattice

SIZE, PASSES = 192, 6


def plan_of(**changes: Any) -> ScanPlan:
    """Passes of 0.98 s each, of 6 of 8 x 8 pixels, with 20 electrons per sample, of 10 pm."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 6},
            "shape": [SIZE, SIZE],
            "passes": PASSES,
            "dwell_ns": 284_000,
            "dose": {"electrons_per_sample": 20},
            "pixel_size_nm": 0.01,
            "seed": 3,
        }
        | changes
    )


def microscope(plan: ScanPlan, image: Floats, px_a_pass: tuple[float, float], **effects: Any) -> VirtualMicroscope:
    """A microscope whose stage drifts so far in each pass."""
    minutes = plan.dwell_ns * plan.samples_per_pass / 6e10
    rates = [[part * 0.01 / minutes for part in px_a_pass]]
    instrument = Instrument.model_validate({"stage_drift": {"polynomial_nm": rates}, **effects})
    return VirtualMicroscope(Specimen(image.astype(np.float32), "lattice"), plan, seed=1, instrument=instrument)


def followed(
    path: Path,
    px_a_pass: tuple[float, float],
    image: Floats | None = None,
    plan: ScanPlan | None = None,
    largest: float | None = None,
) -> Acquisition:
    """A scan that follows such a drift."""
    plan = plan or plan_of()
    device = microscope(plan, lattice(SIZE) if image is None else image, px_a_pass)
    return acquire(plan, device, path, follower=FollowDrift(largest))


def held(store: Acquisition) -> list[str]:
    assert store.follow is not None
    return [move["held"] for move in store.follow["passes"]]


def test_passes_are_moved_against_the_drift(tmp_path: Path) -> None:
    store = followed(tmp_path / "a.zarr", (3.0, -2.0))
    drift = np.arange(PASSES)[:, np.newaxis] * np.array([3.0, -2.0])
    np.testing.assert_allclose((store.field_offsets + drift)[2:], 0.0, atol=0.8)
    assert not store.field_offsets[:2].any()
    assert store.follow is not None
    last = store.follow["passes"][-1]
    assert last["std_px"] < 0.4
    assert held(store)[2:] == [""] * (PASSES - 2)


def test_what_is_left_within_passes_is_found_and_undone(tmp_path: Path) -> None:
    store = followed(tmp_path / "a.zarr", (3.0, -2.0), plan=plan_of(passes=3))
    truth = true_offsets(store)
    assert truth is not None
    truth -= truth.mean(axis=0)
    used = drift_to_use(store)
    assert used.origin == "found"
    assert used.trajectory is not None
    off = used.trajectory.at(np.arange(len(truth))) - truth
    off -= off.mean(axis=0)
    assert np.sqrt(np.mean(truth**2)) > 0.7
    assert np.sqrt(np.mean(off**2)) < 0.25


def test_a_still_specimen_is_left_alone(tmp_path: Path) -> None:
    plan, image = plan_of(passes=3), lattice(SIZE)
    still = followed(tmp_path / "a.zarr", (0.0, 0.0), plan=plan)
    plain = acquire(plan, microscope(plan, image, (0.0, 0.0)), tmp_path / "b.zarr")
    assert not still.field_offsets.any()
    np.testing.assert_array_equal(still.counts(), plain.counts())
    assert find_drift(still).verdict == "still"


def test_nothing_is_followed_without_features(tmp_path: Path) -> None:
    store = followed(tmp_path / "a.zarr", (3.0, -2.0), flat(SIZE))
    assert not store.field_offsets.any()
    assert all("contrast" in reason for reason in held(store)[2:])


def test_an_ambiguous_lattice_is_not_guessed(tmp_path: Path) -> None:
    turn = np.deg2rad(5.0)
    half = 11.5 * np.array([np.cos(turn), np.sin(turn)])
    store = followed(tmp_path / "a.zarr", (half[0], half[1]), lattice(SIZE, perfect=True), plan_of(passes=3))
    assert not store.field_offsets.any()
    assert "unit cell" in held(store)[2]


def test_one_pass_tells_where_its_parts_cover_the_field(tmp_path: Path) -> None:
    dense = {"pattern": {"kind": "block-random", "block": 8, "samples_per_block": 16}, "passes": 2}
    serpentine = followed(tmp_path / "a.zarr", (3.0, -2.0), plan=plan_of(**dense))
    spread = followed(tmp_path / "b.zarr", (3.0, -2.0), plan=plan_of(**dense, order={"kind": "delocalised"}))
    assert held(serpentine) == ["", "one pass shows no motion"]
    np.testing.assert_allclose(spread.field_offsets[1], [-3.0, 2.0], atol=1.0)


def test_limits_clamp_and_the_record_says_what_was_wanted(tmp_path: Path) -> None:
    store = followed(tmp_path / "a.zarr", (3.0, -2.0), largest=5.0)
    assert np.abs(store.field_offsets).max() == 5.0
    assert store.follow is not None
    last = store.follow["passes"][-1]
    np.testing.assert_allclose(last["wanted_px"], [-15.0, 10.0], atol=1.0)  # known, although it is not done
    with pytest.raises(UsageError, match="largest offset"):
        FollowDrift(0.0)


def test_a_jump_is_followed_without_running_on() -> None:
    times = np.arange(8, dtype=np.float64) + 0.5
    drift = np.zeros((8, 2))
    drift[5:] = (12.0, -4.0)
    drift += np.random.default_rng(1).normal(0, 0.05, drift.shape)
    ahead, std = extrapolated(times, drift - drift[0], 0.05, 8.5)
    np.testing.assert_allclose(ahead, [12.0, -4.0], atol=2 * std)
    np.testing.assert_allclose(ahead, [12.0, -4.0], atol=2.0)


def test_predictions_err_as_they_say() -> None:
    random = np.random.default_rng(2)
    times = np.arange(9, dtype=np.float64) + 0.5
    scores = []
    for _ in range(60):
        speed = np.cumsum(random.normal(0, 0.3, (10, 2)), axis=0) + random.normal(0, 4, 2)
        drift = np.cumsum(speed, axis=0)
        seen = drift[:9] + random.normal(0, 0.1, (9, 2))
        ahead, std = extrapolated(times, seen - seen[0], 0.1, 9.5)
        scores.append((ahead + seen[0] - drift[9]) / std)
    assert 0.6 < np.sqrt(np.mean(np.square(scores))) < 1.5


REMEMBERS = {"damage": {"critical_e_per_A2": 2000.0}, "jitter": {"sample_px": [0.1, 0.1]}}


@pytest.mark.parametrize("effects", [{}, REMEMBERS])
def test_interrupted_and_resumed_it_ends_the_same(tmp_path: Path, effects: dict[str, Any]) -> None:
    plan, image = plan_of(passes=4), lattice(SIZE)

    class Breaks(VirtualMicroscope):
        def arm(self, path: ScanPath, start: int, stop: int) -> None:
            if start >= 2 * plan.samples_per_pass:
                raise OSError("gone")
            super().arm(path, start, stop)

    def device(kind: type[VirtualMicroscope]) -> VirtualMicroscope:
        made = microscope(plan, image, (3.0, -2.0), **effects)
        made.__class__ = kind
        return made

    whole = acquire(plan, device(VirtualMicroscope), tmp_path / "whole.zarr", follower=FollowDrift())
    with pytest.raises(ControllerError, match="gone"):
        acquire(plan, device(Breaks), tmp_path / "cut.zarr", follower=FollowDrift())
    cut = acquire(plan, device(VirtualMicroscope), tmp_path / "cut.zarr", follower=FollowDrift(), resume=True)
    assert whole.field_offsets[2:].any(axis=1).all()
    assert (cut.follow, cut.digest()) == (whole.follow, whole.digest())
    for name in whole.tracks:
        np.testing.assert_array_equal(cut.track(name), whole.track(name))


def test_a_microscope_that_is_moved_sees_what_lies_there(tmp_path: Path) -> None:
    plan = plan_of(passes=2)
    image = np.add.outer(np.linspace(0, 0.5, SIZE), np.linspace(0, 0.5, SIZE))
    device = VirtualMicroscope(specimen_from_array(image.astype(np.float32)), plan, seed=1)
    path, each = ScanPath(plan), plan.samples_per_pass
    here = _exposed(device, path, 0, 2 * each)
    assert device.move_field(path, 1, (20.001, 30.0)) == (20.0, 30.0)
    there = _exposed(device, path, 0, 2 * each)
    np.testing.assert_array_equal(here[:each], there[:each])
    gained = 20 * (20 + 30) * 0.5 / (SIZE - 1)
    assert float(there[each:].mean() - here[each:].mean()) == pytest.approx(gained, rel=0.15)


def _exposed(device: VirtualMicroscope, path: ScanPath, start: int, stop: int) -> Floats:
    device.arm(path, start, stop)
    device.start()
    counts = []
    while (batch := device.read(1 << 20)) is not None:
        counts.append(batch.counts)
    return np.concatenate(counts).astype(np.float64)
