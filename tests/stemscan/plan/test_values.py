"""Plans and their parts, made in Python: every class, every field, every rule."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import DoseLimitError, InputNotFoundError, PlanError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.dose import Dose, Limits
from stemscan.plan.order import Order, SettleModel
from stemscan.plan.patterns import PATTERNS
from stemscan.plan.patterns.base import AreaPattern
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.patterns.blue_noise import BlueNoise
from stemscan.plan.patterns.line_hop import LineHop
from stemscan.plan.patterns.lissajous import Lissajous
from stemscan.plan.patterns.point_list import PointList
from stemscan.plan.patterns.random_walk import RandomWalk
from stemscan.plan.patterns.raster import Interleaved, Raster
from stemscan.plan.patterns.spiral import Spiral
from stemscan.plan.patterns.uniform import Uniform
from stemscan.plan.region import ImageRegion, PolygonRegion
from stemscan.plan.scan_plan import ScanPlan
from stemscan.plan.value import PlanValue
from stemscan.testing import plans

FILE: dict[str, Any] = {"file": "a.npy", "sha256": "0" * 64}
PLAN: dict[str, Any] = {
    "pattern": BlockRandom(block=8, samples_per_block=3),
    "shape": (64, 64),
    "passes": 4,
    "dwell": "1us",
    "dose": Dose(electrons_per_sample=10),
    "pixel_size": "0.02nm",
    "seed": 7,
}
VALID: dict[type[PlanValue], dict[str, Any]] = {
    **{pattern: {} for pattern in PATTERNS.values()},
    BlockRandom: {"block": 8, "samples_per_block": 3},
    Uniform: {"ratio": 0.1},
    BlueNoise: {"ratio": 0.1},
    LineHop: {"height": 4},
    Spiral: {"pitch": 4.0, "spacing": 4.0},
    Lissajous: {"cycles": (3, 4), "ratio": 0.5},
    RandomWalk: {"ratio": 0.5, "step": 2},
    Interleaved: {"row_stride": 2, "column_stride": 3},
    PointList: {**FILE, "samples": 3},
    PolygonRegion: {"points": [(0, 0), (0, 40), (40, 0)], "samples": 3},
    ImageRegion: {**FILE, "pixels": 3, "samples": 3},
    Dose: {"electrons_per_sample": 10, "collection": 0.5},
    Limits: {"max_dose_e_per_A2": 500},
    Order: {"kind": "shortest", "max_jump_px": 12},
    SettleModel: {"time_constant_ns": 5000, "tolerance_px": 0.5},
    ScanPlan: PLAN,
}


def values(of: type[PlanValue] = PlanValue) -> Iterator[type[PlanValue]]:
    """All classes that users make."""
    for one in of.__subclasses__():
        yield from values(one)
        if not one.__subclasses__():
            yield one


@pytest.mark.parametrize("value", VALID, ids=lambda value: value.__name__)
def test_every_value_is_made_shown_and_copied(value: type[PlanValue]) -> None:
    made = value(**VALID[value])
    if value is not ScanPlan:
        assert eval(repr(made), {one.__name__: one for one in VALID}) == made
    assert made.replace() == made == pickle.loads(pickle.dumps(made)) == value.model_validate(made.model_dump())
    as_numpy = {name: np.asarray(one) if isinstance(one, int | list) else one for name, one in VALID[value].items()}
    assert value(**as_numpy) == made


def test_all_values_are_tested() -> None:
    assert set(values()) == set(VALID)


@pytest.mark.parametrize("value", VALID, ids=lambda value: value.__name__)
def test_every_key_that_is_unknown_or_wrong_is_named(value: type[PlanValue]) -> None:
    with pytest.raises(PlanError, match=r"^colour: expected .*, got 'colour'; remove"):
        value(**VALID[value], colour=3)
    for name, good in VALID[value].items():
        mistyped = {key: one for key, one in VALID[value].items() if key != name} | {name[:-1] + "_": good}
        with pytest.raises(PlanError, match=rf"^{name[:-1]}_: expected .*; did you mean '{name}"):
            value(**mistyped)
        for wrong in (object(), "snail", -1, [[]], {"a": 1}):
            if (name, wrong) != ("file", "snail"):
                with pytest.raises(PlanError, match=rf"^{name}.*: expected .*, got "):
                    value(**{**VALID[value], name: wrong})
    for missing in VALID[value]:
        field = value.model_fields.get(value.python_keys.get(missing, missing))
        if field is not None and field.is_required():
            with pytest.raises(PlanError, match=rf"{missing}\b.*, got none"):
                value(**{name: one for name, one in VALID[value].items() if name != missing})


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_field_is_valid_or_a_plan_error(data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(list(VALID)))
    name = data.draw(st.sampled_from([*value.model_fields, *value.python_keys, "other"]))
    numbers = st.none() | st.booleans() | st.integers() | st.floats()
    leaves = numbers | st.text(max_size=5) | st.sampled_from([Raster(), Raster])
    junk = data.draw(st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
    try:
        value(**{**VALID[value], name: junk})
        value.model_validate({**value(**VALID[value]).model_dump(), name: junk})
    except PlanError as problem:
        assert "\n" not in str(problem)


BROKEN: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: BlockRandom(block=8, samples_per_block=99),
        "samples_per_block: expected at most 64 .* got 99; take",
    ),
    (lambda: Lissajous(cycles=(2, 4), ratio=0.1), r"cycles: expected .*without a common divisor, got \[2, 4\]"),
    (lambda: Lissajous(cycles=3, ratio=0.1), "cycles: expected a tuple or list, got 3"),  # type: ignore[arg-type]
    (lambda: Dose(), "Dose: expected exactly one of .*, got none"),
    (lambda: SettleModel(per_jump=((3, 1), (2, 1))), "per_jump: expected ascending jumps"),
    (lambda: Order(kind="raster", max_jump_px=3), "max_jump_px: expected it with the order shortest"),
    (lambda: Order(kind="settle-aware"), "settle: expected a settle model"),
    (lambda: BlockRandom(block="8", samples_per_block=1), "block: expected a valid integer, got '8'; correct it"),  # type: ignore[arg-type]
    (lambda: setattr(PLAN["pattern"], "block", 3), r"BlockRandom to stay as it is.*replace\(block=...\)"),
    (lambda: delattr(PLAN["pattern"], "block"), "BlockRandom to stay as it is"),
    (lambda: PLAN["pattern"].replace(block=1), "samples_per_block: expected at most 1"),
    (lambda: PLAN["pattern"].model_copy(update={"block": 1}), "samples_per_block: expected at most 1"),
    (lambda: Raster.model_validate_json("{"), "Raster|plan: expected"),
]


@pytest.mark.parametrize(("make", "words"), BROKEN, ids=range(len(BROKEN)))
def test_every_rule_says_what_to_do(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()


BROKEN_PLANS: list[tuple[dict[str, Any], str]] = [
    ({"dwell": "1"}, "^dwell: expected a dwell time with a unit"),
    ({"dwell_ns": 5}, "^dwell: expected dwell or dwell_ns, got both; keep one"),
    ({"dwell": 1.5}, "^dwell_ns: expected a valid integer"),
    ({"dwell": None}, "^dwell_ns: expected this key or dwell, got none; add it"),
    ({"pixel_size": "3 parsec"}, "^pixel_size: expected a length with a unit"),
    ({"order": "rasta"}, "^order.kind: expected 'serpentine-blocks', 'raster'.* got 'rasta'; did you mean 'raster'"),
    ({"order": "own"}, "^order.kind: expected the order own with patterns that are a way"),
    ({"order": "settle-aware"}, "^order.settle: expected a settle model"),
    ({"pattern": "raster"}, r"^pattern: expected a value such as BlockRandom\(block="),
    ({"pattern": Raster}, r"^pattern: expected a value such as"),
    ({"dose": 10}, r"^dose: expected a value such as Dose\(electrons_per_sample=10\), got 10"),
    ({"dose": {"electrons": 10}}, "^dose.electrons: expected one of .* did you mean 'total_electrons'"),
    ({"region": {"points": [[1, 2]]}}, "^region: expected a mapping with a kind, one of polygon, image, got"),
    ({"region": {"kind": "circle"}}, "^region: expected kind to be one of 'polygon', 'image', got .*; correct it"),
    ({"region": {"kind": "polygone"}}, "^region: expected kind to be one of .*; did you mean 'polygon'"),
    ({"region": PolygonRegion(points=((99, 99), (99, 90), (90, 99)))}, "^region: expected at least one pixel on the"),
    ({"region": PolygonRegion(points=((0, 0), (0, 9), (9, 0)), samples=3)}, "^region.samples: expected none with"),
    ({"pattern": Spiral(pitch=2, spacing=2), "repeat": "exclusive"}, "^repeat: expected independent"),
    ({"shape": (64.0, 64)}, r"^shape: expected \[rows, columns\], whole numbers"),
    ({"pixel_size": 1e300}, "^dose: expected doses of"),
    (
        {"pixel_size": None, "limits": Limits(max_dose_e_per_A2=5)},
        "^limits.max_dose_e_per_A2: expected a pixel",
    ),
]


@pytest.mark.parametrize(("changes", "words"), BROKEN_PLANS, ids=range(len(BROKEN_PLANS)))
def test_every_rule_of_a_plan_is_a_plan_error(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        ScanPlan(**{**PLAN, **changes})
    if "dwell_ns" not in changes:  # which takes the place of dwell in a copy
        with pytest.raises(PlanError, match=words):
            ScanPlan(**PLAN).replace(**changes)


def test_a_limit_is_a_plan_error_of_its_own() -> None:
    for make in (ScanPlan(**PLAN).replace, lambda **limit: ScanPlan(**PLAN, **limit)):
        with pytest.raises(DoseLimitError, match=r"^limits.max_dose_e_per_A2: expected at most 1 e-/A\^2"):
            make(limits=Limits(max_dose_e_per_A2=1))


def test_a_region_in_a_file_is_told_the_kinds_of_regions() -> None:
    text = ScanPlan(**PLAN).to_yaml() + "region: {points: [[0, 0], [0, 9], [9, 0]]}\n"
    with pytest.raises(
        PlanError, match=r"^p: region \(line 10\): expected a mapping with a kind, one of polygon, image"
    ):
        ScanPlan.from_yaml(text, source="p")


def test_python_and_files_make_the_same_plan() -> None:
    plan = ScanPlan(**PLAN)
    text = """
        version: 1
        pattern: {kind: block-random, block: 8, samples_per_block: 3}
        shape: [64, 64]
        passes: 4
        dwell_ns: 1000
        dose: {electrons_per_sample: 10}
        pixel_size_nm: 0.02
        seed: 7
    """
    assert plan == ScanPlan.from_yaml(text) == ScanPlan.from_dict(plan.to_dict())
    numbers = {**PLAN, "dwell": np.int64(1000), "pixel_size": np.float32(0.5), "shape": (np.int64(64), 64)}
    assert ScanPlan(**numbers) == plan.replace(pixel_size_nm=0.5)
    assert ScanPlan(**{**PLAN, "order": "raster"}).order == Order(kind="raster")


def test_a_file_keeps_its_keys() -> None:
    data = {name: value for name, value in ScanPlan(**PLAN).to_dict().items() if name != "dwell_ns"}
    with pytest.raises(PlanError, match=r"dwell: expected one of .*, got 'dwell'; did you mean 'dwell_ns'"):
        ScanPlan.from_dict({**data, "dwell": "1us"})


def test_a_changed_copy_takes_the_order_of_its_pattern() -> None:
    plan = ScanPlan(**PLAN)
    spiral = plan.replace(pattern=Spiral(pitch=2, spacing=2), dwell="2us", pixel_size="1A")
    assert (spiral.order.kind, spiral.dwell_ns, spiral.pixel_size_nm) == ("own", 2000, 0.1)
    assert plan.replace(order="raster").replace(pattern=Raster()).order.kind == "raster"
    assert (plan.passes, plan.replace(passes=2).passes) == (4, 2)


def test_a_plan_shows_itself() -> None:
    plan = ScanPlan(**{**PLAN, "region": PolygonRegion(points=((0, 0), (0, 40), (40, 0))), "repeat": "exclusive"})
    lines = repr(plan).splitlines()
    assert lines[0] == "ScanPlan"
    assert 5 < len(lines) < 14
    assert "BlockRandom(block=8, samples_per_block=3)" in repr(plan)
    assert "PolygonRegion(" in repr(plan)
    assert plan._repr_html_().count("<tr>") == len(lines) - 1
    assert "<svg" not in plan._repr_html_()


@settings(max_examples=60, deadline=None)
@given(plans(), st.sampled_from(("electrons_per_sample", "total_electrons", "probe_current_pa")), st.floats(0.1, 1e4))
def test_all_the_dose_that_a_limit_allows(given_plan: ScanPlan, stated: str, limit: float) -> None:
    """Never above the limit; electrons reach it to the last digits, a current to a nanosecond."""
    dose = {stated: 1e-6, "collection": given_plan.dose.collection}
    plan = given_plan.replace(dose=Dose(**dose), pixel_size_nm=0.017)
    largest = plan.at_largest_dose(limit)
    reached = largest.dose_e_per_A2
    assert reached is not None
    assert reached <= limit
    assert largest.limits.max_dose_e_per_A2 == limit
    if stated != "probe_current_pa":
        assert reached >= limit * (1 - 1e-14)
    elif largest.dwell_ns < 10**12:
        longer = largest.replace(dwell_ns=largest.dwell_ns + 1, limits=Limits()).dose_e_per_A2
        assert longer is not None
        assert longer > limit


def test_a_largest_dose_needs_a_pixel_size_and_a_current_that_is_small_enough() -> None:
    plan = ScanPlan(**PLAN)
    with pytest.raises(PlanError, match="pixel_size_nm"):
        plan.replace(pixel_size=None).at_largest_dose(10)
    with pytest.raises(PlanError, match="lower the current"):
        plan.replace(dose=Dose(probe_current_pa=1e6)).at_largest_dose(10)


def test_a_summary_is_what_the_command_prints() -> None:
    summary = ScanPlan(**PLAN).summary()
    assert summary.total_samples == ScanPlan(**PLAN).total_samples
    for words in ("  grid  ", "64 x 64 pixels", "4.688 %", summary.digest):
        assert words in str(summary)
    assert summary.digest in summary._repr_html_()


def test_files_become_values(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("1,2\n3,4\n3,4\n")
    mask = np.zeros((64, 64), np.uint8)
    mask[:5] = 1
    np.save(tmp_path / "mask.npy", mask)
    points = PointList.from_file(tmp_path / "points.csv", (64, 64), folder=tmp_path)
    assert (points.file, points.samples) == ("points.csv", 3)
    plan = ScanPlan(**{**PLAN, "pattern": points})
    assert ScanPath(plan).positions(0, 3).tolist() == [[1, 2], [3, 4], [3, 4]]
    plan.save(tmp_path / "plan.yaml")
    assert ScanPlan.load(tmp_path / "plan.yaml") == plan
    region = ImageRegion.from_file(tmp_path / "mask.npy", (64, 64))
    assert (region.file, region.pixels) == ((tmp_path / "mask.npy").as_posix(), 5 * 64)
    assert ScanPlan(**{**PLAN, "region": region}).samples_per_pass == 15
    for make in (PointList.from_file, ImageRegion.from_file):
        with pytest.raises(InputNotFoundError, match="none.npy"):
            make(tmp_path / "none.npy", (64, 64))


@settings(max_examples=60, deadline=None)
@given(plans(), st.fractions(min_value="1/100000", max_value=3))
def test_a_ratio_is_reached_or_all_pixels_are_taken(plan: ScanPlan, ratio: Fraction) -> None:
    denser = plan.pattern.at_ratio(ratio)
    assert (denser is None) == (plan.pattern.ratio_field is None)
    if isinstance(denser, AreaPattern):
        assert min(ratio, Fraction(1)) <= denser.fraction <= 1
        assert plan.pattern.ratio_field is not None
        fields = type(plan.pattern).model_fields
        kept = [name for name in fields if name != plan.pattern.ratio_field]
        assert all(getattr(denser, name) == getattr(plan.pattern, name) for name in kept)
