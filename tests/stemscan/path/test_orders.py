"""Orders that look at a whole pass: the same pixels, whatever the cut, cheaper or farther apart."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import PlanError, TooLittleMemoryError
from stemscan.path.orders.jump_costs import JumpCosts, cost_of, costs_for
from stemscan.path.orders.lines import LINES, in_lines
from stemscan.path.scan_path import ScanPath
from stemscan.path.summary import summarise
from stemscan.plan.order import Order
from stemscan.plan.scan_plan import ScanPlan
from stemscan.runtime import memory
from stemscan.testing import orders, plans
from tests.stemscan.path.test_path import block, make, points_of

SETTLE = {"time_constant_ns": 5000, "tolerance_px": 0.5}
TABLE = {"per_jump": [[3, 0], [10, 5000], [500, 100000]]}


def ordered(order: dict[str, Any], pattern: dict[str, Any] | None = None, side: int = 128, **more: Any) -> ScanPlan:
    plan = make(pattern or block(8, 3), (side, side), **more)
    return ScanPlan.from_dict({**plan.to_dict(), "order": order})


def settle_ns(points: npt.NDArray[np.int32], costs: JumpCosts) -> int:
    """Sum of the costs of the jumps between successive points."""
    down, across = (points[1:].astype(np.int64) - points[:-1]).T
    return sum(cost_of(square, costs) for square in down * down + across * across)


def jumps(points: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    return np.asarray(np.hypot(*np.diff(points.astype(float), axis=0).T))


@given(plans(max_side=30, max_passes=3), orders())
@settings(max_examples=60, deadline=None)
def test_an_order_is_a_permutation_of_each_pass(plan: ScanPlan, order: dict[str, Any]) -> None:
    other = ScanPlan.from_dict({**plan.to_dict(), "order": order})
    n, width = plan.samples_per_pass, plan.shape[1]
    for number in range(plan.passes):
        pixels = [
            np.sort(points[:, 0].astype(np.int64) * width + points[:, 1])
            for points in (ScanPath(p).positions(number * n, (number + 1) * n) for p in (plan, other))
        ]
        np.testing.assert_array_equal(pixels[0], pixels[1])


def lines(shape: tuple[int, int], tile: tuple[int, int], kind: str) -> Iterator[tuple[int, int]]:
    """All pixels of a grid in an order of lines."""
    tile = tile if kind == "serpentine-blocks" else (1, shape[1])
    for band, row in enumerate(range(0, shape[0], tile[0])):
        forward = band % 2 == 0 or kind == "raster"
        columns = list(range(0, shape[1], tile[1]))
        for number, column in enumerate(columns if forward else columns[::-1]):
            rows = range(row, min(shape[0], row + tile[0]))
            across = range(column, min(shape[1], column + tile[1]))
            for step, r in enumerate(rows if number % 2 == 0 else rows[::-1]):
                yield from ((r, c) for c in (across if forward == (step % 2 == 0) else across[::-1]))


@given(plans(max_side=30, max_passes=2), st.sampled_from(sorted(LINES)))
@settings(max_examples=30, deadline=None)
def test_orders_of_lines_go_over_the_grid_line_by_line(plan: ScanPlan, kind: str) -> None:
    walked = points_of(ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": kind}})).tolist()
    times = Counter(map(tuple, walked))
    expected = [list(pixel) for pixel in lines(plan.shape, plan.pattern.tile, kind) for _ in range(times[pixel])]
    assert walked == expected


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.sampled_from(sorted(LINES)))
@settings(max_examples=30, deadline=None)
def test_any_pixels_are_brought_into_an_order_of_lines(pixels: list[int], kind: str) -> None:
    shape, tile = (2**16, 2**16), (1000, 7)
    sorted_pixels = in_lines(np.array(pixels, np.uint32), shape, tile, LINES[kind])
    assert sorted(sorted_pixels.tolist()) == sorted(pixels)
    again = in_lines(sorted_pixels[::-1].copy(), shape, tile, LINES[kind])
    np.testing.assert_array_equal(again, sorted_pixels)


def test_shortest_is_short() -> None:
    """Near 0.7124 sqrt(n area), what the shortest tour through random points tends to."""
    plan = ordered({"kind": "shortest"}, {"kind": "uniform", "ratio": 0.05}, side=256)
    length = jumps(points_of(plan)).sum()
    assert length < 0.91 * (plan.samples_per_pass * 256 * 256) ** 0.5
    blocks = ordered({"kind": "serpentine-blocks"}, side=256)
    assert jumps(points_of(ordered({"kind": "shortest"}, side=256))).mean() < 0.85 * jumps(points_of(blocks)).mean()


def test_shortest_visits_a_full_grid_step_by_step() -> None:
    assert jumps(points_of(ordered({"kind": "shortest"}, {"kind": "raster"}, side=64))).max() == 1


def test_jump_limit_is_kept_but_for_exceptions_that_are_counted() -> None:
    free, limited = ordered({"kind": "shortest"}), ordered({"kind": "shortest", "max_jump_px": 12})
    over_free, over_limited = (int((jumps(points_of(plan)) > 12).sum()) for plan in (free, limited))
    assert over_limited <= 1 <= over_free
    assert summarise(limited).jumps_over_limit == over_limited
    assert summarise(free).jumps_over_limit is None
    apart = {"kind": "polygon", "points": [[0, 0], [0, 20], [20, 20], [20, 60], [0, 60], [0, 80], [40, 80], [40, 0]]}
    far = ordered({"kind": "shortest", "max_jump_px": 1}, block(16, 1), region=apart)
    over = int((jumps(points_of(far)) > 1).sum())
    assert over == far.samples_per_pass - 1  # single pixels of blocks of 16 x 16 are never neighbours here
    assert summarise(far).jumps_over_limit == over


def test_settle_aware_settles_least() -> None:
    for settle in (SETTLE, TABLE):
        costs = costs_for(Order.model_validate({"kind": "settle-aware", "settle": settle}, strict=False), (128, 128))
        others: list[dict[str, Any]] = [
            {"kind": kind} for kind in ("shortest", "serpentine-blocks", "serpentine", "random")
        ]
        tried = [{"kind": "settle-aware", "settle": settle}, *others]
        totals = {order["kind"]: settle_ns(points_of(ordered(order)), costs) for order in tried}
        assert min(totals, key=lambda kind: totals[kind]) == "settle-aware", totals
        assert totals["settle-aware"] < 0.95 * totals["serpentine-blocks"]


def test_settle_times() -> None:
    points = np.array([[0, 0], [0, 0], [0, 10], [0, 11], [0, 511]], np.int32)
    order = Order.model_validate({"kind": "settle-aware", "settle": SETTLE})
    expected = np.ceil(5000 * np.log(np.array([10, 1, 500]) / 0.5)).sum()
    assert settle_ns(points, costs_for(order, (1, 512))) == expected
    table = Order.model_validate(
        {"kind": "settle-aware", "settle": {"per_jump": ((3.0, 0), (10.0, 5000), (110.0, 15000))}}
    )
    assert settle_ns(points[1:4], costs_for(table, (1, 512))) == 5000
    assert settle_ns(np.array([[0, 0], [0, 60]], np.int32), costs_for(table, (1, 512))) == 10_000
    assert settle_ns(np.array([[0, 0], [0, 300]], np.int32), costs_for(table, (1, 512))) == 15_000


@pytest.mark.parametrize(
    "settle",
    [
        {},
        {"time_constant_ns": 5000},
        {**SETTLE, "per_jump": [[0, 0]]},
        {"per_jump": [[5, 0], [5, 10]]},
        {"per_jump": []},
        {"time_constant_ns": 5000, "tolerance_px": 0},
    ],
)
def test_impossible_settle_models(settle: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="settle"):
        ordered({"kind": "settle-aware", "settle": settle})


@pytest.mark.parametrize("order", [{"kind": "raster", "max_jump_px": 5}, {"kind": "random", "settle": SETTLE}])
def test_settings_of_other_orders_are_refused(order: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="order"):
        ordered(order)


def test_orders_of_passes_differ_with_their_pixels() -> None:
    plan = ordered({"kind": "shortest"}, passes=2)
    n = plan.samples_per_pass
    path = ScanPath(plan)
    assert not np.array_equal(path.positions(0, n), path.positions(n, 2 * n))
    np.testing.assert_array_equal(path.positions(n - 5, n + 5), path.positions(0, 2 * n)[n - 5 : n + 5])


def test_a_pass_that_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ordered({"kind": "random"}, {"kind": "blue-noise", "ratio": 768 / 128**2})
    monkeypatch.setattr(memory, "_SMALL", 0)
    monkeypatch.setattr(memory, "room", lambda: memory.Room(20 * plan.samples_per_pass - 1, "of the whole machine"))
    with pytest.raises(TooLittleMemoryError, match=r"a whole pass of 768 samples of blue-noise in the order random"):
        points_of(plan)
    monkeypatch.setattr(memory, "room", lambda: None)
    assert len(points_of(plan)) == 768


def test_uniform_random_pixels_in_a_short_way_need_no_list_of_all_pixels() -> None:
    plan = ordered({"kind": "shortest"}, {"kind": "uniform", "ratio": 1e-4}, side=2048)
    tracemalloc.start()
    try:
        points_of(plan)
        assert tracemalloc.get_traced_memory()[1] < 2048**2
    finally:
        tracemalloc.stop()


GOLDEN: dict[str, tuple[ScanPlan, str]] = {
    "shortest": (ordered({"kind": "shortest"}), "2feba44c1d837126"),
    "limited": (
        ordered({"kind": "shortest", "max_jump_px": 9.5}, {"kind": "blue-noise", "ratio": 0.05}),
        "72c6dd0a4e1066eb",
    ),
    "settle": (ordered({"kind": "settle-aware", "settle": SETTLE}), "a5d3012e60e32207"),
    "table": (
        ordered({"kind": "settle-aware", "settle": TABLE}, {"kind": "uniform", "ratio": 0.1}),
        "17f4c882e21c897f",
    ),
    "delocalised": (ordered({"kind": "delocalised"}, passes=2), "7b78629d3593075f"),
    "random walk at random": (ordered({"kind": "random"}, {"kind": "random-walk", "ratio": 0.2}), "978103a6a43e941f"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_path_is_pinned(name: str) -> None:
    """The same file gives the same path on every machine and release."""
    plan, digest = GOLDEN[name]
    data = ScanPath(plan).positions(0, plan.total_samples).astype("<i4").tobytes()
    assert hashlib.sha256(data).hexdigest()[:16] == digest


def test_digest_of_a_plan_with_settings_is_pinned() -> None:
    assert ordered({"kind": "settle-aware", "settle": SETTLE}).digest()[:16] == "01d47e85d0d3f71c"
    plan = ordered({"kind": "settle-aware", "settle": TABLE})
    assert ScanPlan.from_yaml(plan.to_yaml()) == plan
