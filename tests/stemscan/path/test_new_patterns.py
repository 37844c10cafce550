"""Ways, blue noise, lists and regions: what they visit, and what is refused."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import InputNotFoundError, PlanError, StemscanError
from stemscan.files.by_content import mask_sha256, points_sha256, read_mask, read_points
from stemscan.path.hilbert_curve import curve_pixels
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.runtime.portable_math import log, sine_cosine
from stemscan.testing import plans, regions
from tests.stemscan.path.test_path import block, make, points_of, visits

TRIANGLE = {"kind": "polygon", "points": [[4, 3], [4, 60.5], [40, 31]]}
UNIFORM = {"kind": "uniform", "ratio": 0.1}
BLUE = {"kind": "blue-noise", "ratio": 0.1}


@given(st.floats(0, 1), st.floats(1e-6, 1e12))
def test_portable_mathematics(turn: float, value: float) -> None:
    sine, cosine = sine_cosine(turn)
    assert sine == pytest.approx(math.sin(2 * math.pi * turn), abs=2e-15)
    assert cosine == pytest.approx(math.cos(2 * math.pi * turn), abs=2e-15)
    assert log(value) == pytest.approx(math.log(value), rel=1e-14, abs=1e-15)


@given(st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_hilbert_steps_are_of_length_one(rows: int, columns: int) -> None:
    pixels = np.empty(rows * columns, np.uint32)
    curve_pixels((rows, columns), rows > columns, 0, pixels)
    assert np.array_equal(np.sort(pixels), np.arange(rows * columns))
    steps = np.abs(np.diff(np.divmod(pixels.astype(np.int64), columns)))
    diagonal = int((steps.sum(axis=0) == 2).sum())
    assert steps.max(initial=0) <= 1
    assert diagonal <= (max(rows, columns) % 2 == 1 and min(rows, columns) % 2 == 0)


def test_hilbert_pattern_is_the_curve_in_every_pass() -> None:
    plan = make({"kind": "hilbert"}, (48, 64), 2)
    assert (visits(plan) == 1).all()
    assert np.abs(np.diff(points_of(plan, 1), axis=0)).sum(axis=1).max() == 1


def test_spiral_has_equal_steps_and_covers_its_circle() -> None:
    plan = make({"kind": "spiral", "pitch": 4, "spacing": 4}, (256, 256))
    points = points_of(plan)
    steps = np.hypot(*np.diff(points, axis=0).T)
    assert steps[10:].min() > 4 - 2**0.5 - 0.1
    assert steps.max() < 4 + 2**0.5
    assert plan.samples_per_pass == pytest.approx(math.pi * 127.5**2 / 16, rel=0.01)  # one for each 4 x 4 pixels
    radius = np.hypot(*(points - 127.5).T)
    assert radius.max() <= 128.3
    # equal dose: as many samples per area in every ring
    rings, _ = np.histogram(radius, bins=np.arange(0, 128, 16))
    density = rings / (math.pi * np.diff(np.arange(0, 128, 16.0) ** 2))
    assert density == pytest.approx(1 / 16, rel=0.1)


def test_fine_spiral_visits_every_pixel_of_its_circle() -> None:
    plan = make({"kind": "spiral", "pitch": 0.7, "spacing": 0.6}, (65, 65))
    row, column = np.indices(plan.shape)
    assert (visits(plan)[0][np.hypot(row - 32, column - 32) < 31] > 0).all()


def test_lissajous_covers_and_is_traced_once() -> None:
    plan = make({"kind": "lissajous", "cycles": [15, 16], "ratio": 0.3}, (128, 160), 2)
    points = points_of(plan)
    assert len(points) == round(0.3 * 128 * 160)
    assert points.min(axis=0).tolist() == [0, 0]
    assert points.max(axis=0).tolist() == [127, 159]
    np.testing.assert_array_equal(points, points_of(plan, 1))
    # it reaches every 16 x 16 pixels, and does not run back over itself
    cells = np.unique(points[:, 0] // 16 * 10 + points[:, 1] // 16)
    assert len(cells) == 80
    assert visits(plan)[0].astype(bool).sum() > 0.75 * len(points)


@pytest.mark.parametrize("strides", [(2, 1), (3, 2), (7, 9), (100, 100)])
def test_interleaved_rasters(strides: tuple[int, int]) -> None:
    plan = make({"kind": "interleaved", "row_stride": strides[0], "column_stride": strides[1]}, (17, 12))
    expected = [
        [row, column]
        for first_row in range(min(strides[0], 17))
        for first_column in range(min(strides[1], 12))
        for row in range(first_row, 17, strides[0])
        for column in range(first_column, 12, strides[1])
    ]
    assert points_of(plan).tolist() == expected


def test_random_walk_steps_to_neighbours_and_passes_differ() -> None:
    plan = make({"kind": "random-walk", "ratio": 0.5, "step": 2}, (30, 40), 2)
    points = points_of(plan)
    steps = np.abs(np.diff(points, axis=0))
    assert set(steps.ravel()) == {0, 2}
    assert (steps.max(axis=1) == 2).all()
    assert not np.array_equal(points, points_of(plan, 1))
    directions = np.unique(np.diff(points, axis=0), axis=0, return_counts=True)[1]
    assert len(directions) == 8
    assert directions.min() > 0.5 * directions.max()


def test_walk_without_a_way_stays() -> None:
    plan = make({"kind": "random-walk", "ratio": 4.0}, (1, 1))
    assert points_of(plan).tolist() == [[0, 0]] * 4


@given(plans(max_side=30), regions(30), st.data())
@settings(max_examples=40, deadline=None)
def test_a_region_is_kept_to_and_cuts_agree(plan: ScanPlan, region: dict[str, Any], data: st.DataObject) -> None:
    try:
        inside = ScanPlan.from_dict({**plan.to_dict(), "region": region})
    except PlanError as problem:
        assert "region" in str(problem)  # nothing of it on the grid, or a way whose samples are not stated
        return
    path = ScanPath(inside)
    full = path.positions(0, len(path))
    assert inside.region is not None
    mask = inside.region.mask(inside.shape)
    assert mask[full[:, 0], full[:, 1]].all()
    if not inside.repeats_pixels:
        counts = visits(inside)
        assert counts.max() == 1
        if inside.repeat == "exclusive" and inside.pattern.kind == "uniform":
            total = counts.cumsum(axis=0)[:, mask]
            assert (total.max(axis=1) - total.min(axis=1) <= 1).all()
    start = data.draw(st.integers(0, len(path)))
    stop = data.draw(st.integers(start, len(path)))
    np.testing.assert_array_equal(path.positions(start, stop), full[start:stop])


def test_whole_blocks_inside_a_region_get_exactly_n() -> None:
    region = {"kind": "polygon", "points": [[-0.5, -0.5], [-0.5, 41.5], [35.5, 41.5], [35.5, -0.5]]}
    counts = visits(make(block(8, 3), (64, 64), 20, region=region))
    assert (counts[:, :32, :40].reshape(20, 4, 8, 5, 8).sum(axis=(2, 4)) == 3).all()
    assert (counts.sum(axis=(1, 2)) == round(3 / 64 * 36 * 42)).all()


def test_polygon_with_an_edge_that_is_all_but_flat() -> None:
    points = [[0, 1], [5e-324, 60], [5, 60], [5, 1]]  # its slope is beyond floating point
    plan = make({"kind": "raster"}, (6, 64), region={"kind": "polygon", "points": points})
    assert plan.samples_per_pass == 4 * 59  # row 0 is touched at a corner alone


def test_polygon_is_even_odd_on_pixel_centres() -> None:
    plan = make({"kind": "raster"}, (6, 6), region={"kind": "polygon", "points": [[0, 0], [0, 3], [3, 3], [3, 0]]})
    assert points_of(plan).tolist() == [[r, c] for r in range(3) for c in range(3)]
    bow = {"kind": "polygon", "points": [[-1, -1], [7, 7], [-1, 7], [7, -1]]}
    mask = make({"kind": "raster"}, (7, 7), region=bow).region
    assert mask is not None
    inside = mask.mask((7, 7))
    assert inside[3, :3].all()
    assert inside[3, 4:].all()
    assert not inside[[0, 6], 3].any()


def test_dose_and_its_limit_count_the_region() -> None:
    data: dict[str, Any] = {"pixel_size_nm": 0.1, "region": TRIANGLE}
    plan = make({"kind": "raster"}, (64, 64), **data)
    assert plan.dose_e_per_A2 == pytest.approx(10)
    with pytest.raises(PlanError, match="at most 9 e-/A"):
        make({"kind": "raster"}, (64, 64), limits={"max_dose_e_per_A2": 9}, **data)


def list_plan(file: Path, shape: tuple[int, int] = (8, 8), **more: Any) -> ScanPlan:
    points = read_points(file, shape)
    pattern = {"kind": "list", "file": file.name, "sha256": points_sha256(points), "samples": len(points)}
    return make(pattern, shape, **more)


def test_list_from_csv_and_npy_is_one_plan(tmp_path: Path) -> None:
    points = [[0, 1], [5, 7], [5, 7], [2, 2]]
    (tmp_path / "a.csv").write_text("row,column\n" + "".join(f"{r},{c}\n" for r, c in points))
    np.save(tmp_path / "b.npy", np.array(points))
    one, other = list_plan(tmp_path / "a.csv", passes=2), list_plan(tmp_path / "b.npy", passes=2)
    assert one != other
    assert one.digest() == other.digest()
    one.save(tmp_path / "plan.yaml")
    loaded = ScanPlan.load(tmp_path / "plan.yaml")
    assert loaded == one
    assert ScanPath(loaded).positions(0, 8).tolist() == points * 2
    copy = ScanPlan.from_dict(loaded.to_dict())  # found by its content, wherever this process is
    assert ScanPath(copy).positions(2, 5).tolist() == [points[2], points[3], points[0]]


def test_files_of_one_line_or_column_keep_their_shape(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("3,4\n")
    assert read_points(file, (8, 8)).tolist() == [[3, 4]]
    file.write_text("1,0,1\n")
    assert read_mask(file, (1, 3)).tolist() == [[True, False, True]]
    file.write_text("1\n0\n1\n")
    assert read_mask(file, (3, 1)).tolist() == [[True], [False], [True]]
    with pytest.raises(PlanError, match="on the plan's grid"):
        read_mask(file, (1, 3))


def test_changed_and_missing_lists_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("0,1\n2,3\n")
    list_plan(file).save(tmp_path / "plan.yaml")
    file.write_text("0,1\n2,4\n")
    with pytest.raises(PlanError, match=r"expected content with sha256 .* the plan was made with"):
        ScanPlan.load(tmp_path / "plan.yaml")
    file.unlink()
    with pytest.raises(InputNotFoundError, match=r"points\.csv"):
        ScanPlan.load(tmp_path / "plan.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,x\n", "'x' in line 2"),
        ("1,2\nnan,3\n", "finite points"),
        ("1,2\n1,inf\n", "finite points"),
        ("1,2\n3,8\n", r"inside the grid of 8 x 8 .*\(3, 8\) as point 1"),
        ("1,2\n-1,3\n", "inside the grid"),
        ("1,2\n1.5,3\n", "whole rows and columns"),
        ("1,2,3\n4,5,6\n", "name the columns"),
        ("1\n2\n", r"a row and a column .* shape \(2, 1\)"),
        ("", "no numbers"),
        ("1,2\n3\n", "1 column in line 2"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(StemscanError, match=message):
        read_points(tmp_path / "points.csv", (8, 8))


def test_bad_npy_lists(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([[1, "a"]], object), allow_pickle=True)
    with pytest.raises(StemscanError, match="never loaded"):
        read_points(tmp_path / "objects.npy", (8, 8))
    np.save(tmp_path / "many.npy", np.zeros((70_000, 2), int))
    with pytest.raises(PlanError, match="at most 65535 visits"):
        read_points(tmp_path / "many.npy", (8, 8))
    np.save(tmp_path / "empty.npy", np.zeros((0, 2), int))
    with pytest.raises(PlanError, match=r"shape \(N, 2\)"):
        read_points(tmp_path / "empty.npy", (8, 8))


def test_mask_from_an_image(tmp_path: Path) -> None:
    from PIL import Image

    mask = np.zeros((12, 20), np.uint8)
    mask[3:9, 5:17] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    found = read_mask(tmp_path / "mask.png", (12, 20))
    np.testing.assert_array_equal(found, mask > 0)
    region = {"kind": "image", "file": "mask.png", "sha256": mask_sha256(found), "pixels": 72}
    make(block(4, 3), (12, 20), region=region).save(tmp_path / "plan.yaml")
    plan = ScanPlan.load(tmp_path / "plan.yaml")
    assert plan.samples_per_pass == round(72 * 3 / 16)
    assert not visits(plan)[0][mask == 0].any()
    np.save(tmp_path / "mask.npy", mask)
    assert mask_sha256(read_mask(tmp_path / "mask.npy", (12, 20))) == mask_sha256(found)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((8, 9), np.uint8), "on the plan's grid, 8 x 8"),
        (np.zeros((8, 8), np.uint8), "at least one pixel"),
        (np.full((8, 8), np.nan), "without NaN"),
        (np.ones(64, np.uint8), "on the plan's grid"),
    ],
)
def test_bad_masks(tmp_path: Path, mask: npt.NDArray[Any], message: str) -> None:
    np.save(tmp_path / "mask.npy", mask)
    with pytest.raises(PlanError, match=message):
        read_mask(tmp_path / "mask.npy", (8, 8))


@pytest.mark.parametrize(
    ("pattern", "more", "message"),
    [
        (
            block(8, 3),
            {"region": {"kind": "polygon", "points": [[0, 0], [5, 5]]}},
            "region.points: expected at least 3 items",
        ),
        (block(8, 3), {"region": {"kind": "polygon", "points": [[0, 0], [5, float("nan")], [9, 0]]}}, "finite"),
        (block(8, 3), {"region": {"kind": "polygon", "points": [[90, 0], [95, 5], [90, 9]]}}, "at least one pixel"),
        (block(8, 3), {"region": {**TRIANGLE, "samples": 3}}, "region.samples: expected none"),
        ({"kind": "spiral", "pitch": 4, "spacing": 4}, {"region": TRIANGLE}, "region.samples: expected the number"),
        ({"kind": "spiral", "pitch": 0.1, "spacing": 4}, {}, "pattern.pitch"),
        ({"kind": "lissajous", "cycles": [4, 6], "ratio": 0.1}, {}, "common divisor"),
        ({"kind": "lissajous", "cycles": [4], "ratio": 0.1}, {}, "pattern.cycles"),
        ({"kind": "list", "file": "a", "sha256": "0", "samples": 1}, {}, "pattern.sha256"),
        (BLUE, {"repeat": "exclusive"}, "repeat: expected independent"),
        (UNIFORM, {"order": "own"}, "order.kind: expected the order own"),
        (UNIFORM, {"order": "settle-aware"}, "order.settle: expected a settle model"),
    ],
)
def test_impossible_plans(pattern: dict[str, Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make(pattern, (64, 64), **more)


def test_a_wrong_number_of_samples_in_a_region_is_refused() -> None:
    plan = make({"kind": "spiral", "pitch": 4, "spacing": 4}, (64, 64), region={**TRIANGLE, "samples": 3})
    with pytest.raises(PlanError, match=r"region\.samples: expected \d+, the samples inside the region, got 3"):
        ScanPath(plan).positions(0, 1)


GOLDEN: dict[str, tuple[ScanPlan, str]] = {
    "spiral": (make({"kind": "spiral", "pitch": 3.3, "spacing": 2.1}, (213, 160)), "1304dd6b4840d43d"),
    "lissajous": (make({"kind": "lissajous", "cycles": [31, 32], "ratio": 0.2}, (213, 160)), "2495c7f580b27a3d"),
    "blue": (make(BLUE, (113, 160), 2), "3bd0343601054869"),
    "hilbert": (make({"kind": "hilbert"}, (57, 36)), "8ba27c13ca731606"),
    "walk": (make({"kind": "random-walk", "ratio": 0.3}, (57, 36), 2), "6c20f2fb5ec2b17f"),
    "interleaved": (make({"kind": "interleaved", "row_stride": 3, "column_stride": 2}, (57, 36)), "3f38e180f8aad91f"),
    "region": (make(block(8, 3), (64, 64), 3, region=TRIANGLE, repeat="exclusive"), "6ac150a2059cd018"),
    "uniform in a region": (make(UNIFORM, (64, 64), 12, region=TRIANGLE, repeat="exclusive"), "b4bb15d0de47992a"),
    "walk in a region": (make({"kind": "random-walk", "ratio": 0.3}, (64, 64), region=TRIANGLE), "6a66171f80e90c51"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_path_is_pinned(name: str) -> None:
    """The same file gives the same path on every machine and release."""
    plan, digest = GOLDEN[name]
    data = ScanPath(plan).positions(0, plan.total_samples).astype("<i4").tobytes()
    assert hashlib.sha256(data).hexdigest()[:16] == digest
