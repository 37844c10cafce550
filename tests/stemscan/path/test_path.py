"""Paths: exact counts, uniformity, exclusivity, random access, order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from stemscan.errors import UsageError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans


def make(pattern: dict[str, Any], shape: tuple[int, int], passes: int = 1, **more: Any) -> ScanPlan:
    order = more.pop("order", None)
    data = {
        "pattern": pattern,
        "shape": list(shape),
        "passes": passes,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 7,
        **more,
    }
    return ScanPlan.from_dict(data if order is None else {**data, "order": {"kind": order}})


def block(size: int, samples: int) -> dict[str, Any]:
    return {"kind": "block-random", "block": size, "samples_per_block": samples}


def points_of(plan: ScanPlan, number: int = 0) -> npt.NDArray[np.int32]:
    """Points of a pass."""
    n = plan.samples_per_pass
    return ScanPath(plan).positions(number * n, (number + 1) * n)


def visits(plan: ScanPlan) -> npt.NDArray[np.int64]:
    """Visits of each pass, (T, H, W), from the full expansion."""
    positions = ScanPath(plan).positions(0, plan.total_samples).reshape(plan.passes, -1, 2)
    counts = np.zeros((plan.passes, *plan.shape), np.int64)
    for frame, points in zip(counts, positions, strict=True):
        np.add.at(frame, (points[:, 0], points[:, 1]), 1)
    return counts


@given(plans(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_pass_never_repeats_and_random_access_is_expansion(plan: ScanPlan, data: st.DataObject) -> None:
    path = ScanPath(plan)
    full = path.positions(0, len(path))
    assert full.dtype == np.int32
    assert full.shape == (plan.total_samples, 2)
    assert plan.repeats_pixels or visits(plan).max() == 1
    start = data.draw(st.integers(0, len(path)))
    stop = data.draw(st.integers(start, len(path)))
    np.testing.assert_array_equal(path.positions(start, stop), full[start:stop])
    size = data.draw(st.integers(1, len(path)))
    if len(path) / size < 50:
        batches = list(path.batches(size))
        np.testing.assert_array_equal(np.concatenate([points for _, points in batches]), full)
        assert [first for first, _ in batches] == list(range(0, len(path), size))


@given(plans(max_passes=12))
@settings(max_examples=60, deadline=None)
def test_order_does_not_change_what_is_visited(plan: ScanPlan) -> None:
    raster = ScanPlan.from_dict({**plan.to_dict(), "order": {"kind": "raster"}})
    np.testing.assert_array_equal(visits(plan), visits(raster))


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.data())
@settings(max_examples=60, deadline=None)
def test_whole_blocks_get_exactly_n_and_the_pass_the_rest(
    size: int, rows: int, columns: int, data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, size**2))
    repeat = data.draw(st.sampled_from(["independent", "exclusive"]))
    plan = make(block(size, n), (rows, columns), 3, repeat=repeat)
    expected = max(1, round(n * rows * columns / size**2))
    for frame in visits(plan):
        whole = frame[: rows // size * size, : columns // size * size]
        per_block = whole.reshape(rows // size, size, columns // size, size).sum(axis=(1, 3))
        assert (per_block == n).all()
        assert frame.sum() == expected


@pytest.mark.parametrize(("size", "n"), [(8, 3), (4, 11), (3, 9), (5, 13), (2, 3)])
def test_exclusive_passes_use_up_each_block(size: int, n: int) -> None:
    plan = make(block(size, n), (4 * size + 1, 3 * size + 2), 40, repeat="exclusive")
    counts = visits(plan)
    cumulative = np.cumsum(counts, axis=0)
    for row in range(0, plan.shape[0], size):
        for column in range(0, plan.shape[1], size):
            inside = cumulative[:, row : row + size, column : column + size].reshape(plan.passes, -1)
            assert (inside.max(axis=1) - inside.min(axis=1) <= 1).all()


@pytest.mark.parametrize("ratio", [0.05, 0.3, 0.45, 0.7, 1.0])
@pytest.mark.parametrize("order", ["random", "raster"])
def test_exclusive_uniform_passes_use_up_the_grid(ratio: float, order: str) -> None:
    plan = make({"kind": "uniform", "ratio": ratio}, (17, 23), 45, repeat="exclusive", order=order)
    cumulative = np.cumsum(visits(plan), axis=0).reshape(plan.passes, -1)
    assert (cumulative.max(axis=1) - cumulative.min(axis=1) <= 1).all()


@pytest.mark.parametrize(
    "plan",
    [
        make(block(4, 3), (64, 64), 250),
        make(block(4, 3), (64, 64), 250, repeat="exclusive", seed=8),
        make(block(4, 9), (64, 64), 250, repeat="exclusive", seed=8),
        make({"kind": "uniform", "ratio": 0.1}, (64, 64), 250),
        make({"kind": "line-hop", "height": 4}, (64, 64), 250),
    ],
    ids=["block", "exclusive", "dense exclusive", "uniform", "line-hop"],
)
def test_every_pixel_is_equally_likely(plan: ScanPlan) -> None:
    """Chi-square over the pixels of a tile, summed over tiles and single passes."""
    counts = visits(plan)
    side = 4
    by_place = counts.reshape(plan.passes, 16, side, 16, side).sum(axis=(0, 1, 3)).ravel()
    expected = counts.sum() / side**2
    # Visits within a pass exclude each other, which makes the sum narrower than chi-square: the bound is safe.
    assert ((by_place - expected) ** 2 / expected).sum() < chi2.ppf(0.9999, side**2 - 1)


def test_edges_get_their_share() -> None:
    """Over many passes, cut blocks are visited as often per pixel as whole ones."""
    plan = make(block(8, 3), (13, 21), 256)
    counts = visits(plan).sum(axis=0)
    edge = np.concatenate([counts[8:].ravel(), counts[:8, 16:].ravel()])
    # 13 samples per pass, 6 of them in the two whole blocks, 7 for the 145 pixels of the cut ones
    assert edge.mean() == pytest.approx(256 * 7 / 145)
    assert edge.min() > 0


def test_pairs_in_a_block_are_equally_likely() -> None:
    plan = make(block(2, 2), (64, 64), 200)
    frames = visits(plan).reshape(200, 32, 2, 32, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4)
    codes = frames @ np.array([1, 2, 4, 8])
    values, counts = np.unique(codes, return_counts=True)
    assert len(values) == 6
    expected = len(codes) / 6
    assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(0.9999, 5)


def test_orders() -> None:
    raster = ScanPath(make({"kind": "raster"}, (2, 3))).positions(0, 6)
    assert raster.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    serpentine = ScanPath(make({"kind": "serpentine"}, (2, 3))).positions(0, 6)
    assert serpentine.tolist() == [[0, 0], [0, 1], [0, 2], [1, 2], [1, 1], [1, 0]]
    blocks = ScanPath(make(block(2, 4), (4, 4))).positions(0, 16)
    assert blocks.tolist()[:8] == [[0, 0], [0, 1], [1, 1], [1, 0], [1, 2], [1, 3], [0, 3], [0, 2]]
    assert blocks.tolist()[8:] == [[2, 3], [2, 2], [3, 2], [3, 3], [3, 1], [3, 0], [2, 0], [2, 1]]


def test_serpentine_blocks_jump_little() -> None:
    for kind, most in (("serpentine-blocks", 8.0), ("random", 600.0)):
        positions = ScanPath(make(block(8, 3), (512, 512), order=kind)).positions(0, 12288).astype(float)
        mean = np.hypot(*np.diff(positions, axis=0).T).mean()
        assert most / 4 < mean < most


def test_random_orders_of_passes_differ() -> None:
    plan = make({"kind": "raster"}, (16, 16), 2, order="random")
    positions = ScanPath(plan).positions(0, 512)
    assert not np.array_equal(positions[:256], positions[256:])


GOLDEN_PATHS = {
    "block": (make(block(8, 3), (413, 469), 4), "2355de93fd8861c1"),
    "exclusive": (make(block(4, 7), (61, 35), 9, repeat="exclusive"), "df2b7502e41794b6"),
    "random": (make(block(8, 3), (100, 90), 2, order="random"), "eb4a424ef9df8c26"),
    "uniform": (make({"kind": "uniform", "ratio": 0.4}, (100, 90), 5, repeat="exclusive"), "17f17faad86b8644"),
    "line-hop": (make({"kind": "line-hop", "height": 6}, (100, 90), 2), "461f0c6e4228e871"),
}


@pytest.mark.parametrize("name", GOLDEN_PATHS)
def test_path_is_pinned(name: str) -> None:
    """The same file gives the same path on every machine and release."""
    plan, digest = GOLDEN_PATHS[name]
    data = ScanPath(plan).positions(0, plan.total_samples).astype("<i4").tobytes()
    assert hashlib.sha256(data).hexdigest()[:16] == digest


def test_large_path_is_random_access() -> None:
    plan = make(block(8, 3), (16384, 16384), 4)
    path = ScanPath(plan)
    assert len(path) == 4 * 12582912
    tail = path.positions(len(path) - 5, len(path))
    np.testing.assert_array_equal(path.positions(len(path) - 1005, len(path))[-5:], tail)
    assert path.pass_of(len(path) - 1) == 3


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, 10**9)])
def test_range_outside_the_path_is_refused(start: int, stop: int) -> None:
    with pytest.raises(UsageError, match="expected 0 <= start"):
        ScanPath(make(block(8, 3), (64, 64))).positions(start, stop)


def test_empty_range_and_bad_batch() -> None:
    path = ScanPath(make(block(8, 3), (64, 64)))
    assert path.positions(5, 5).shape == (0, 2)
    with pytest.raises(UsageError, match="at least 1"):
        next(path.batches(0))
