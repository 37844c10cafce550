"""The order `delocalised`: rounds over tiles, any sample alone, successive samples far apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.path.engine import expand, source_of
from stemscan.path.orders import delocalised
from stemscan.path.orders.far_apart import far_apart, step_between
from stemscan.path.parts import Parts
from stemscan.path.scan_path import ScanPath
from stemscan.path.sources.blue_noise import BlueNoiseSource
from stemscan.path.sources.tiles import TileSource
from stemscan.plan.scan_plan import ScanPlan
from tests.stemscan.path.test_orders import jumps, ordered
from tests.stemscan.path.test_path import block, make, points_of, visits
from tests.stemscan.path.test_strips import WHOLE, count_calls


@pytest.mark.parametrize("shape", [(18, 9), (12, 19), (40, 31)])
def test_cut_tiles_rest_or_have_more(shape: tuple[int, int]) -> None:
    more, resting = 0, 0
    for seed in range(12):
        for samples in (1, 2):
            plan = ordered({"kind": "delocalised"}, block(10, samples), passes=3, seed=seed)
            plan = ScanPlan.from_dict({**plan.to_dict(), "shape": list(shape)})
            raster = ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": "raster"}})
            np.testing.assert_array_equal(visits(plan), visits(raster))
            source = TileSource(plan)
            for number in range(3):
                turns, beyond = source.rests(number)
                assert (np.diff(turns) > 0).all()
                resting, more = resting + len(turns), more + len(beyond)
    assert resting > 0
    assert more > 0 or shape == (40, 31)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (7, 1), (6, 6), (16, 64), (31, 17), (4096, 4095)])
def test_steps_between_tiles_go_through_all(shape: tuple[int, int]) -> None:
    tiles = shape[0] * shape[1]
    step, multiplier = step_between(shape, (3, 5))
    assert step * multiplier % tiles == 1 % tiles
    if tiles > 100:
        assert min(step, tiles - step) > shape[1]


def test_delocalised_in_a_small_region_of_a_large_grid_keeps_samples_apart() -> None:
    region = WHOLE | {"points": [[100, 100], [100, 228], [228, 228], [228, 100]]}
    points = points_of(make({"kind": "raster"}, (8192, 8192), order="delocalised", region=region))
    assert len(np.unique(points, axis=0)) == 128 * 128
    assert jumps(points).min() > 30


def test_delocalised_in_a_scattered_region_takes_no_more_tiles_than_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tilings: list[tuple[int, int]] = []

    def noted(tiles: tuple[int, int], sides: tuple[int, int]) -> tuple[int, int]:
        tilings.append(tiles)
        return step_between(tiles, sides)

    monkeypatch.setattr("stemscan.path.orders.far_apart.step_between", noted)
    pixels = np.array([5, 2**31, 2**32 - 9], np.uint32)
    assert sorted(far_apart(pixels, (65536, 65536), 3).tolist()) == pixels.tolist()
    assert tilings[0][0] * tilings[0][1] <= 4


@pytest.mark.parametrize("kind", ["random", "delocalised"])
@pytest.mark.parametrize(("passes", "held"), [(1, False), (9, True)])
def test_exclusive_passes_that_shuffle_much_are_held(kind: str, passes: int, held: bool) -> None:
    plan = ordered({"kind": kind}, block(8, 40), side=75, passes=passes, repeat="exclusive")
    assert (source_of(plan).alone(kind) is None) is held
    raster = ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": "raster"}})
    np.testing.assert_array_equal(visits(plan), visits(raster))
    whole = ScanPath(plan).positions(0, plan.total_samples)
    first = plan.total_samples - plan.samples_per_pass - 3 if passes > 1 else 0
    np.testing.assert_array_equal(ScanPath(plan).positions(first, first + 50), whole[first : first + 50])


def nearest_before(points: npt.NDArray[np.int32], before: int) -> npt.NDArray[np.float64]:
    """Distance of each sample to the nearest of those before it."""
    places = points.astype(float)
    lags = [np.hypot(*(places[before:] - places[before - lag : len(places) - lag]).T) for lag in range(1, before + 1)]
    return np.asarray(np.min(lags, axis=0))


@pytest.mark.parametrize("pattern", [block(8, 3), {"kind": "blue-noise", "ratio": 0.05}, {"kind": "raster"}])
def test_delocalised_keeps_samples_apart_in_space_and_neighbours_in_time(pattern: dict[str, Any]) -> None:
    side = 256
    points = points_of(ordered({"kind": "delocalised"}, pattern, side))
    chance = points_of(ordered({"kind": "random"}, pattern, side))
    assert nearest_before(points, 8).min() > side / 20
    assert nearest_before(points, 8).min() > 2 * np.percentile(nearest_before(chance, 8), 1)
    time = np.full((side, side), -1)
    time[points[:, 0], points[:, 1]] = np.arange(len(points))
    for row, column in ((0, 1), (1, 0), (1, 1)):
        one, other = time[: side - row, : side - column], time[row:, column:]
        both = (one >= 0) & (other >= 0)
        assert np.abs(one - other)[both].min(initial=99) > 20


def test_delocalised_takes_any_number_of_pixels() -> None:
    for pixels in ([0], [5, 5, 5], [0, 63], list(range(64))):
        out = far_apart(np.array(pixels, np.uint32), (8, 8))
        assert sorted(out.tolist()) == pixels


@pytest.mark.parametrize(
    ("pattern", "more"),
    [
        ({"kind": "uniform", "ratio": 0.05}, {"repeat": "exclusive"}),
        ({"kind": "blue-noise", "ratio": 0.05}, {}),
        (block(8, 3), {"region": {"kind": "polygon", "points": [[0, 0], [60, 767], [767, 300]]}}),
        (block(32, 100), {}),
        ({"kind": "spiral", "pitch": 3, "spacing": 3}, {}),
    ],
    ids=["uniform", "blue-noise", "region", "large blocks", "spiral"],
)
def test_long_passes_go_in_groups_of_strips(
    monkeypatch: pytest.MonkeyPatch, pattern: dict[str, Any], more: dict[str, Any]
) -> None:
    monkeypatch.setattr(delocalised, "_SAMPLES_OF_GROUP", 5000)
    monkeypatch.setattr(BlueNoiseSource, "together", 1)
    plan = ordered({"kind": "delocalised"}, pattern, side=768, passes=2, **more)
    raster = ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": "raster"}})
    np.testing.assert_array_equal(visits(plan), visits(raster))
    whole = ScanPath(plan).positions(0, plan.total_samples)
    parts, source = expand(plan), source_of(plan)
    assert isinstance(parts, Parts)
    groups = np.diff(parts.starts(1))
    assert len(groups) >= 2
    made = count_calls(monkeypatch, type(source), "pixels")
    first = plan.samples_per_pass + int(groups[0]) + 20
    np.testing.assert_array_equal(ScanPath(plan).positions(first, first + 50), whole[first : first + 50])
    assert len(made) <= len(source.strips) / 2 + source.together  # those of one group
    assert np.ptp(whole[first : first + 50], axis=0).min() > 768 / 3
    chance = points_of(ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": "random"}}))
    apart = nearest_before(whole[: plan.samples_per_pass], 8)
    assert np.percentile(apart, 1) > 1.5 * np.percentile(nearest_before(chance, 8), 1)
