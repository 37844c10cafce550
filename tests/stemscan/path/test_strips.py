"""Strips, and orders and patterns that are made strip by strip: no more is made than is asked for."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.path.scan_path import ScanPath
from stemscan.path.sources.tile_choice import clean_cycle
from stemscan.path.sources.tile_kernels import shared_before
from stemscan.path.sources.tiles import TileSource
from stemscan.path.sources.uniform import UniformSource
from stemscan.path.sources.uniform_kernels import draw, pixels_between, starts_between
from stemscan.path.strips import Strips, point_at
from stemscan.plan.scan_plan import ScanPlan
from tests.stemscan.path.test_orders import SETTLE, ordered
from tests.stemscan.path.test_path import block, make, points_of, visits

SHORTEST = {"kind": "shortest"}
WHOLE = {"kind": "polygon", "points": [[-1, -1], [-1, 999], [999, 999], [999, -1]]}


def curve_of(strips: Strips, width: int) -> npt.NDArray[np.int64]:
    """Points of the whole grid, strip by strip along the curve."""
    parts = []
    for strip in range(len(strips)):
        pixels = np.arange(strips.rows[strip] * width, strips.rows[strip + 1] * width, dtype=np.uint32)
        parts.append(strips.along(pixels[::-1], strip))
    return np.stack(np.divmod(np.concatenate(parts).astype(np.int64), width), axis=1)


@given(st.integers(1, 120), st.integers(1, 120), st.integers(1, 20), st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_curve_goes_through_all_pixels_and_from_strip_to_strip_without_a_jump(
    rows: int, columns: int, tile_rows: int, density: float
) -> None:
    strips = Strips.of((rows, columns), tile_rows, density, fine=True)
    assert strips.rows[0] == 0
    assert strips.rows[-1] == rows
    assert (np.diff(strips.rows) > 0).all()
    assert (strips.rows[:-1] % tile_rows == 0).all()
    points = curve_of(strips, columns)
    assert len(np.unique(points, axis=0)) == rows * columns
    steps = np.abs(np.diff(points, axis=0))
    assert steps.max(initial=0) <= 1
    assert (steps.sum(axis=1) == 2).sum() <= len(strips) * (len(strips.columns) - 1)  # one diagonal a cell at most
    curve, first = strips.curve(len(strips) - 1), rows * columns - (rows - strips.rows[-2]) * columns
    for place in range(0, curve.starts[-1], -(-curve.starts[-1] // 20)):
        np.testing.assert_array_equal(point_at(curve, place, 0), points[first + place])


@pytest.mark.parametrize("shape", [(2, 18), (2, 25), (18, 2), (3, 2), (9, 2), (2, 3)])
def test_curve_of_cells_of_two_rows_or_columns_ends_in_their_corners(shape: tuple[int, int]) -> None:
    points = curve_of(Strips.of(shape, 1, 1.0, fine=True), shape[1])
    assert len(np.unique(points, axis=0)) == shape[0] * shape[1]
    assert np.abs(np.diff(points, axis=0)).max() == 1


def test_curve_of_a_sparse_pattern_goes_through_squares() -> None:
    strips = Strips.of((300, 500), 16, 1 / 40**2)
    assert strips.scale == 5
    assert len(strips) == 1
    points = curve_of(strips, 500)
    assert len(np.unique(points, axis=0)) == 300 * 500
    squares = points // 5
    assert np.abs(np.diff(squares, axis=0)).max() <= 1
    assert (np.diff(squares, axis=0).any(axis=1)).sum() < 300 * 500 / 20


def count_calls(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> list[int]:
    """Let a method of strips note which ones it was called for."""
    called: list[int] = []
    original: Callable[..., Any] = getattr(kind, name)

    def noted(self: Any, *arguments: int) -> Any:
        called.append(arguments[-1])
        return original(self, *arguments)

    monkeypatch.setattr(kind, name, noted)
    return called


@pytest.mark.parametrize("order", [SHORTEST, {"kind": "settle-aware", "settle": SETTLE}])
def test_a_stretch_of_a_way_makes_its_strips_alone(monkeypatch: pytest.MonkeyPatch, order: dict[str, Any]) -> None:
    plan = ordered(order, side=512)
    made = count_calls(monkeypatch, TileSource, "pixels")
    path = ScanPath(plan)
    stretch = path.positions(6000, 6100)
    assert 1 <= len(made) <= 3  # with the strip before, whose end the way begins at
    made.clear()
    whole = path.positions(0, len(path))
    assert len(made) == len(set(made)) > 10
    np.testing.assert_array_equal(stretch, whole[6000:6100])


@pytest.mark.parametrize(
    "plan",
    [
        ordered(SHORTEST, block(16, 1), 65536),
        ordered({"kind": "settle-aware", "settle": SETTLE}, block(16, 1), 65536),
        ordered({"kind": "delocalised"}, block(16, 1), 65536),
        ordered({"kind": "delocalised"}, {"kind": "line-hop", "height": 64}, 65535),
        ordered({"kind": "delocalised"}, {"kind": "raster"}, 65536),
        make({"kind": "blue-noise", "ratio": 0.05}, (65536, 65536)),
        make(block(4, 3), (8192, 8192), region=WHOLE | {"points": [[0, 0], [9, 8000], [8191, 4000]]}),
    ],
    ids=["shortest", "settle-aware", "delocalised", "line-hop", "raster", "blue noise", "region"],
)
def test_a_stretch_of_a_huge_pass_is_made_in_little_memory(plan: ScanPlan) -> None:
    path = ScanPath(plan)
    middle = plan.samples_per_pass // 2
    path.positions(0, 1)
    tracemalloc.start()
    try:
        points = path.positions(middle, middle + 1000)
        assert tracemalloc.get_traced_memory()[1] < plan.samples_per_pass
    finally:
        tracemalloc.stop()
    assert len(np.unique(points, axis=0)) == 1000
    np.testing.assert_array_equal(points[200:300], path.positions(middle + 200, middle + 300))


@pytest.mark.parametrize("kind", ["block-random", "uniform"])
@pytest.mark.parametrize("repeat", ["independent", "exclusive"])
def test_a_region_that_is_the_grid_changes_nothing(kind: str, repeat: str) -> None:
    pattern = block(8, 3) if kind == "block-random" else {"kind": "uniform", "ratio": 0.2}
    plan = make(pattern, (75, 90), 9, repeat=repeat)
    inside = make(pattern, (75, 90), 9, repeat=repeat, region=WHOLE)
    np.testing.assert_array_equal(visits(inside), visits(plan))


def test_a_walk_is_taken_up_where_it_was_left() -> None:
    plan = make({"kind": "random-walk", "ratio": 4.0}, (200, 300), 2)
    assert plan.samples_per_pass == 240_000
    whole = points_of(plan, 1)
    assert (np.abs(np.diff(whole, axis=0)).max(axis=1) == 1).all()
    path = ScanPath(plan)
    for start, stop in ((200_000, 200_005), (65_530, 65_540), (131_071, 240_000), (0, 3), (65_536, 65_536)):
        np.testing.assert_array_equal(path.positions(240_000 + start, 240_000 + stop), whole[start:stop])


def test_a_way_inside_a_region_is_cut_anywhere() -> None:
    pattern = {"kind": "spiral", "pitch": 1.0, "spacing": 1.0}
    region = {"kind": "polygon", "points": [[0, 0], [0, 400], [450, 200]]}
    free = make(pattern, (512, 512))
    points = points_of(free)
    assert len(points) > 3 * 65_536
    stated = make(pattern, (512, 512), region={**region, "samples": 1})
    assert stated.region is not None
    expected = points[stated.region.mask((512, 512))[points[:, 0], points[:, 1]]]
    plan = make(pattern, (512, 512), region={**region, "samples": len(expected)})
    path = ScanPath(plan)
    np.testing.assert_array_equal(points_of(plan), expected)
    for start in (0, 3333, len(expected) // 2, len(expected) - 7):
        np.testing.assert_array_equal(path.positions(start, start + 7), expected[start : start + 7])


@pytest.mark.parametrize(
    "plan",
    [
        make({"kind": "random-walk", "ratio": 4.0}, (200, 250), 4),
        make({"kind": "uniform", "ratio": 0.3}, (60, 60), 60, repeat="exclusive"),
        make({"kind": "blue-noise", "ratio": 0.05}, (200, 200), 4),
        ordered(SHORTEST, side=200, passes=4),
    ],
    ids=["walk", "exclusive", "blue noise", "shortest"],
)
def test_threads_that_share_a_path_do_not_disturb_one_another(plan: ScanPlan) -> None:
    whole = ScanPath(plan).positions(0, plan.total_samples)
    starts = np.random.default_rng(1).integers(0, plan.total_samples - 100, 48).tolist()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(8):
            with ThreadPoolExecutor(8) as threads:
                stretches = threads.map(ScanPath(plan).positions, starts, [start + 100 for start in starts])
                for start, points in zip(starts, stretches, strict=True):
                    np.testing.assert_array_equal(points, whole[start : start + 100])
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("region", [None, WHOLE | {"points": [[3, 5], [9, 80], [70, 88], [60, 0]]}])
@pytest.mark.parametrize("repeat", ["independent", "exclusive"])
@pytest.mark.parametrize("ratio", [1.0, 0.2, 1e-6])
def test_uniform_pixels_are_the_same_listed_and_searched(region: Any, repeat: str, ratio: float) -> None:
    plan = make({"kind": "uniform", "ratio": ratio}, (75, 90), 9, repeat=repeat, region=region)
    searched, listed = UniformSource(plan), UniformSource(plan)
    assert listed.listed
    searched.listed = False
    expected = visits(plan)
    for number in (0, 4, 8):
        np.testing.assert_array_equal(searched.starts(number), listed.starts(number))
        strips = range(len(listed.strips))
        pixels = [listed.pixels(number, strip) for strip in strips]
        np.testing.assert_array_equal(np.sort(np.concatenate(pixels)), np.flatnonzero(expected[number]))
        for strip in strips:
            np.testing.assert_array_equal(searched.pixels(number, strip), pixels[strip])


def test_uniform_pixels_of_lines_beyond_31_bits() -> None:
    """A region may have up to 2**32 pixels, which are drawn by number."""
    plan = make({"kind": "uniform", "ratio": 1e-6}, (65536, 65536))
    source, n = UniformSource(plan), 65536**2
    stretch, drawn = source.stretch(0), np.empty(plan.samples_per_pass, np.uint32)
    draw(n, stretch, 0, drawn)
    drawn.sort()
    assert len(drawn) == 4295
    assert (np.diff(drawn.astype(np.int64)) > 0).all()
    assert drawn[-1] > 2**32 - 2**24
    first = int(drawn[-2]) - 5
    np.testing.assert_array_equal(pixels_between(first, n, n, 2, stretch), drawn[-2:])
    starts = starts_between(np.array([0, 2**31, 2**31, first, n]), n, len(drawn), stretch)
    below = (drawn < 2**31).sum()
    assert starts.tolist() == [0, below, below, len(drawn) - 2, len(drawn)]


def test_few_uniform_pixels_are_found_without_a_search_of_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    monkeypatch.setattr("stemscan.path.sources.uniform.pixels_between", lambda *some: searched.append(1))
    for region in (None, WHOLE):
        plan = make({"kind": "uniform", "ratio": 1e-3}, (512, 512), order="delocalised", region=region)
        assert len(np.unique(points_of(plan), axis=0)) == 262
    assert not searched


@pytest.mark.parametrize("repeat", ["independent", "exclusive"])
@pytest.mark.parametrize("size", [1, 8, 13, 1024])
def test_strips_of_tiles_hold_the_pixels_that_other_orders_visit(repeat: str, size: int) -> None:
    plan = make(block(size, min(size**2, 7)), (61, 90), 20, repeat=repeat)
    source, expected = TileSource(plan), visits(plan)
    for number in (0, 11, 19):
        for strip in range(len(source.strips)):
            first, stop = source.strips.rows[strip : strip + 2]
            pixels = np.sort(source.pixels(number, strip)) - np.uint32(first * 90)
            np.testing.assert_array_equal(pixels, np.flatnonzero(expected[number, first:stop]))


def test_exclusive_passes_begin_with_the_last_permutation_that_a_pass_begins() -> None:
    for per_pass, area in ((40, 64), (64, 64), (63, 64), (3, 64), (5, 7)):
        offsets = per_pass * np.arange(258)
        for number in range(256):
            cycle = int(offsets[number]) // area
            begins = [c for c in range(cycle + 1) if c * area in offsets[: number + 1]]
            assert clean_cycle(offsets, number, area, cycle) == max(begins)


def test_shares_of_cut_tiles_do_not_overflow() -> None:
    area = 2**32 - 2**26
    for covered in (0, 1, 2**16 - 1, 2**31 + 7, area - 1, area):
        for start in (0, area // 3, area - 1):
            shared = shared_before(np.int64(covered), np.int64(start), area - 5, area)
            assert shared == ((area - 5) * covered + start) // area
    small = shared_before(np.arange(131), np.int64(99), 17, 130)
    assert small.tolist() == [(17 * at + 99) // 130 for at in range(131)]
