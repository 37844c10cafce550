"""Blue noise: spread evenly, strip by strip without seams, and no more made than is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.path.scan_path import ScanPath
from stemscan.path.sources.blue_noise import BlueNoiseSource
from stemscan.plan.scan_plan import ScanPlan
from tests.stemscan.path.test_path import make, points_of, visits
from tests.stemscan.path.test_strips import WHOLE, count_calls


def test_a_stretch_of_blue_noise_makes_the_strips_around_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make({"kind": "blue-noise", "ratio": 0.05}, (512, 256))
    made = count_calls(monkeypatch, BlueNoiseSource, "_make_curve")
    path = ScanPath(plan)
    stretch = path.positions(3000, 3010)
    assert 5 <= len(set(made)) <= 8
    whole = ScanPath(plan).positions(0, len(path))
    np.testing.assert_array_equal(stretch, whole[3000:3010])
    backwards = ScanPath(plan)
    parts = [backwards.positions(start, start + 512) for start in range(0, 512 * (len(path) // 512), 512)][::-1]
    np.testing.assert_array_equal(np.concatenate(parts[::-1]), whole[: 512 * len(parts)])


def test_blue_noise_has_no_seams() -> None:
    """Rows at the seams of strips are as full, and samples there as far apart, as elsewhere."""
    plan = make({"kind": "blue-noise", "ratio": 0.05}, (512, 512), 4)
    seams = BlueNoiseSource(plan).strips.rows[1:-1]
    near = np.abs(np.arange(512)[:, None] - seams + 0.5).min(axis=1) < 3
    rows = visits(plan).sum(axis=(0, 2))
    error = rows.std() / np.sqrt(near.sum())
    assert rows[near].mean() == pytest.approx(rows[16:-16][~near[16:-16]].mean(), abs=4 * error)
    passes = ScanPath(plan).positions(0, plan.total_samples).reshape(4, -1, 2)
    distance = np.concatenate([cKDTree(points).query(points, 2)[0][:, 1] for points in passes])
    at_seam = near[passes.reshape(-1, 2)[:, 0]]
    assert distance[at_seam].mean() > 0.97 * distance[~at_seam].mean()


def test_sparse_blue_noise_lists_few_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.path.strips._MOST_PIXELS", 1 << 14)
    made = count_calls(monkeypatch, BlueNoiseSource, "_make_curve")
    inside = make({"kind": "blue-noise", "ratio": 0.001}, (512, 256), region=WHOLE)
    assert visits(inside).sum() == inside.samples_per_pass == 131
    assert len(set(made)) == 8  # strips as low as a list of their pixels may be
    plan = make({"kind": "blue-noise", "ratio": 0.001}, (512, 256))
    assert BlueNoiseSource(plan).strips.scale == 3
    assert len(BlueNoiseSource(plan).strips) == 2
    for sparse in (inside, plan):
        assert visits(sparse).max() == 1
        points = points_of(sparse).astype(float)
        distance = cKDTree(points).query(points, 2)[0][:, 1]
        assert distance.mean() > 0.75 * (512 * 256 / 131) ** 0.5
        assert distance.min() > 10


def test_blue_noise_handed_out_in_order_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = count_calls(monkeypatch, BlueNoiseSource, "_make_curve")
    sweeps = count_calls(monkeypatch, BlueNoiseSource, "_sweep")
    path = ScanPath(make({"kind": "blue-noise", "ratio": 0.05}, (1024, 200)))
    for _ in path.batches(100):
        pass
    assert len(curves) == len(set(curves)) > 20
    assert len(sweeps) <= 2 * len(curves) + 4  # with those beyond the first strip and the last


def low_frequencies(plan: ScanPlan) -> float:
    """Mean power of the pattern at low frequencies over that at all but zero, averaged over passes."""
    frames = visits(plan).astype(float)
    power = (np.abs(np.fft.fft2(frames - frames.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) for side in plan.shape), indexing="ij"))
    mean_distance = (plan.samples_per_pass / (plan.shape[0] * plan.shape[1])) ** -0.5
    return float(power[(radius > 0) & (radius < 0.3 / mean_distance)].mean() / power[radius > 0].mean())


def test_blue_noise_has_little_power_at_low_frequencies() -> None:
    blue = make({"kind": "blue-noise", "ratio": 0.05}, (128, 128), 4)
    random = make({"kind": "uniform", "ratio": 0.05}, (128, 128), 4)
    assert visits(blue).max() == 1
    assert low_frequencies(random) == pytest.approx(1, abs=0.2)
    assert low_frequencies(blue) < 0.15


def test_blue_noise_keeps_its_distance() -> None:
    points = points_of(make({"kind": "blue-noise", "ratio": 0.05}, (128, 128))).astype(float)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    assert distance.min() >= 2
    assert distance.min(axis=1).mean() > 3.2  # 4.5 is the mean distance of a square lattice
