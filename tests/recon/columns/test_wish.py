"""Plans from a wish: what is foretold is what scans then show, and what is wished for is what is foretold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.errors import DoseLimitError, PlanError, UsageError
from stemscan.plan.dose import Dose, Limits
from stemscan.plan.patterns.block_random import BlockRandom
from stemscan.plan.patterns.raster import Raster
from stemscan.plan.region import PolygonRegion
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.columns.find import find_columns
from stemscan.recon.columns.precision import MARGIN, SURELY_FOUND, KnownColumns, expected_precision, scene_shape
from stemscan.recon.columns.wish import Choice, Wish, plan_for
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan

PLAN = ScanPlan(
    pattern=BlockRandom(block=8, samples_per_block=3),
    shape=(256, 256),
    passes=4,
    dwell="1us",
    dose=Dose(electrons_per_sample=20),
    pixel_size="10pm",
    seed=7,
)
LIMIT = Limits(max_dose_e_per_A2=25)


@pytest.fixture(scope="module")
def truth() -> Crystal:
    return crystal(256, seed=11, displaced=0.0, vacancies=0.0)


@pytest.fixture(scope="module")
def specimen(truth: Crystal) -> KnownColumns:
    shown = truth.inside(-MARGIN)
    return KnownColumns(
        render(truth).astype(np.float32), truth.places[shown], truth.sublattice[shown], ("bright", "weak")
    )


def test_scans_show_what_was_foretold(truth: Crystal, specimen: KnownColumns) -> None:
    """Within 15 % of the errors of few scans, whose own scatter is 5 %."""
    foretold = {one.name: one for one in expected_precision(PLAN, specimen)}
    squares: dict[int, list[Any]] = {0: [], 1: []}
    for seed in range(3):
        table = find_columns(sparse_scan(render(truth), seed=70 + seed, dose=20))
        rows = np.nonzero(~table.of_kind("empty"))[0]
        places = np.stack([table["row"][rows], table["col"][rows]], axis=1)
        distance, nearest = cKDTree(places).query(truth.places)
        for kind, found in squares.items():
            mine = truth.inside(15) & (truth.sublattice == kind) & (distance < 6)
            found.append(((places[nearest[mine]] - truth.places[mine]) ** 2).ravel())
    for kind, name in ((0, "bright"), (1, "weak")):
        shown = float(np.sqrt(np.mean(np.concatenate(squares[kind]))))
        assert foretold[name].position_px == pytest.approx(shown, rel=0.15)
        assert foretold[name].significance > SURELY_FOUND
        assert foretold[name].columns > 20


def test_precision_goes_with_the_root_of_the_dose(specimen: KnownColumns) -> None:
    once, more = (expected_precision(PLAN.replace(dose=Dose(electrons_per_sample=dose)), specimen) for dose in (5, 20))
    for a, b in zip(once, more, strict=True):
        assert (a.name, a.columns) == (b.name, b.columns)
        assert a.position_px == pytest.approx(2 * b.position_px, rel=0.01)
        assert 2 * a.significance == pytest.approx(b.significance, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "free", "changed"),
    [
        ({}, "dose", "electrons_per_sample"),
        ({"dose": Dose(total_electrons=1e5)}, "dose", "total_electrons"),
        ({"dose": Dose(probe_current_pa=5)}, "dose", "dwell_ns"),
        ({}, "ratio", "pattern"),
        ({}, "passes", "passes"),
        ({"pattern": Raster(), "region": PolygonRegion(points=((20, 20), (20, 230), (230, 20)))}, "dose", "electrons"),
    ],
)
def test_a_wish_comes_true_and_little_is_given_away(
    specimen: KnownColumns, changes: dict[str, Any], free: Choice, changed: str
) -> None:
    begun = PLAN.replace(**changes)
    made = plan_for(Wish(0.006), begun, specimen, free=[free])
    assert made.judged.name == "weak"
    assert made.classes == expected_precision(made.plan, specimen)
    assert made.position_nm <= 0.006
    least = {"dose": 0.97, "ratio": 0.85, "passes": 0.85}[free]
    assert made.position_nm >= least * 0.006
    kept = {"pattern", "passes", "region", "seed", "dwell_ns"} - {changed}
    assert all(getattr(made.plan, name) == getattr(begun, name) for name in kept)


def test_a_class_may_be_named_and_a_coarse_wish_still_finds_it(specimen: KnownColumns) -> None:
    made = plan_for(Wish(0.2, "bright"), PLAN, specimen, free=["dose"])
    assert made.judged.name == "bright"
    assert made.position_nm < 0.1
    assert made.judged.significance == pytest.approx(SURELY_FOUND, rel=0.02)
    with pytest.raises(UsageError, match="a class of columns out of bright, weak, got 'oxygen'"):
        plan_for(Wish(0.2, "oxygen"), PLAN, specimen)


def test_limits_hold_and_a_refusal_says_what_they_reach(specimen: KnownColumns) -> None:
    needed = plan_for(Wish(0.006), PLAN, specimen).plan.dose_e_per_A2
    assert needed is not None
    made = plan_for(Wish(0.006), PLAN, specimen, max_dose_e_per_A2=1.05 * needed)
    assert made.plan.limits.max_dose_e_per_A2 == 1.05 * needed
    assert made.plan.dose_e_per_A2 == pytest.approx(needed)
    with pytest.raises(DoseLimitError, match=r"needs \d+ e-/A\^2; 25 reach .* pm for weak") as refused:
        plan_for(Wish(0.006), PLAN.replace(dose=Dose(electrons_per_sample=1), limits=LIMIT), specimen)
    stated = str(refused.value).partition("needs ")[2].partition(" ")[0]
    assert float(stated) == pytest.approx(needed, rel=0.04)
    with pytest.raises(PlanError, match=r"ratio of 100 % reaches .* pm for weak"):
        plan_for(Wish(0.0005), PLAN, specimen, free=["ratio"])


def test_a_denser_scan_of_the_same_dose_where_that_is_enough(specimen: KnownColumns) -> None:
    """The same electrons on more pixels tell a few percent more."""
    sparse = PLAN.replace(pattern=BlockRandom(block=8, samples_per_block=1))
    needed = plan_for(Wish(0.006), sparse, specimen).plan.dose_e_per_A2
    assert needed is not None
    made = plan_for(Wish(0.006), sparse, specimen, max_dose_e_per_A2=0.985 * needed)
    assert isinstance(made.plan.pattern, BlockRandom)
    assert made.plan.pattern.samples_per_block > 1
    assert made.position_nm <= 0.006
    assert (made.plan.dose_e_per_A2 or 0) <= 0.985 * needed


def test_wishes_that_cannot_be_meant(specimen: KnownColumns) -> None:
    for wish, plan, words in (
        (Wish(0.005), PLAN.replace(pixel_size=None), "pixel size"),
        (Wish(-1.0), PLAN, "above 0"),
        (Wish(0.005), PLAN.replace(region=PolygonRegion(points=((0, 0), (0, 9), (9, 0)))), "inside of what is scanned"),
    ):
        with pytest.raises(UsageError, match=words):
            plan_for(wish, plan, specimen)
    with pytest.raises(UsageError, match="leave one open"):
        plan_for(Wish(0.005), PLAN, specimen, free=[])


def test_a_scene_is_a_part_of_the_grid() -> None:
    for changes, inner in (
        ({}, (256, 256)),
        ({"shape": (2048, 100)}, (320, 100)),
        ({"shape": (2048, 2048), "pixel_size": "0.1nm"}, (256, 256)),
    ):
        assert scene_shape(PLAN.replace(**changes)) == tuple(side + 2 * MARGIN for side in inner)
