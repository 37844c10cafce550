"""The wide variety of synthetic specimens: shapes, defects at alloy rates, what is known of them, names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from stemscan.errors import SpecimenError, UsageError
from stemscan.simulators.api import Specimen, load_specimen, synthetic_specimen
from stemscan.simulators.specimens.synthetic.brush import PROFILES, Rods, paint_polygons, paint_rods
from stemscan.simulators.specimens.synthetic.choices import Choices
from stemscan.simulators.specimens.synthetic.lattice import Stage
from stemscan.simulators.specimens.synthetic.shapes import SHAPES
from stemscan.simulators.specimens.synthetic.wide import VARIETIES

MANY = 200
GOLDEN = {
    "cracks": (0, "718a73ba3ff28d92"),
    "single crystal": (2, "9a5ae500b94c701e"),
    "blobs": (5, "6a5cccfd78b6c442"),
    "interface": (6, "175201441aa91633"),
    "particles": (9, "d325bf6687b9945e"),
    "fibres": (10, "5e9a13be43139bc1"),
    "polygons": (16, "978da2b026d628de"),
    "edges": (20, "e6a4b6057cef1699"),
    "boundary": (24, "3448bac736dee447"),
    "films": (25, "5e3b07a759fdf284"),
    "particle": (26, "9862ad403c8444aa"),
    "vacuum": (29, "78166435b431f345"),
    "sheet": (42, "82618d70302d0da6"),
    "lettering": (127, "07fa83fa31fcc900"),
}


@pytest.fixture(scope="module")
def many() -> list[Specimen]:
    return [synthetic_specimen((24, 20), seed=3, index=index, variety="wide") for index in range(MANY)]


def kind_of(specimen: Specimen) -> str:
    return str(specimen.record["steps"][0]["choices"]["kind"])


def test_kinds_come_in_their_shares(many: list[Specimen]) -> None:
    shares = {kind: share for kind, (share, _) in VARIETIES["wide"].items()}
    assert sum(shares.values()) == pytest.approx(1)
    counts = Counter(map(kind_of, many))
    for kind in ("shapes", "shapes on a crystal", "single crystal"):
        assert abs(counts[kind] - shares[kind] * MANY) < 3.5 * np.sqrt(shares[kind] * MANY), kind
    inverted = np.mean([one.record["steps"][0]["choices"]["inverted"] for one in many])
    assert abs(inverted - 0.35) < 3.5 * np.sqrt(0.35 * 0.65 / MANY)
    drawn = [one.sha256 for one in many if np.ptp(one.signal) > 0]  # little of sparse shapes falls on a small field
    assert len(set(drawn)) == len(drawn) > 0.8 * MANY


def test_shapes_have_no_columns_and_others_do(many: list[Specimen]) -> None:
    for specimen in many:
        if kind_of(specimen) == "shapes":
            assert specimen.columns is None
        elif kind_of(specimen) == "single crystal" and np.ptp(specimen.signal) > 0:
            assert specimen.columns is not None


@pytest.mark.parametrize("what", GOLDEN)
def test_specimens_stay_as_they_were(what: str) -> None:
    index, digest = GOLDEN[what]
    assert synthetic_specimen((48, 40), seed=7, index=index, variety="wide").sha256.startswith(digest)


def test_names_say_the_variety() -> None:
    made = synthetic_specimen((30, 24), seed=7, index=3, variety="wide")
    assert made.name == "synthetic:7/3?variety=wide"
    assert load_specimen(made.name, (30, 24)).sha256 == made.sha256
    assert made.sha256 != synthetic_specimen((30, 24), seed=7, index=3).sha256
    with pytest.raises(SpecimenError, match="variety=wide"):
        load_specimen("synthetic:7/3?variety=odd", (30, 24))
    with pytest.raises(UsageError, match="usual, wide"):
        synthetic_specimen((30, 24), seed=7, index=3, variety="odd")  # type: ignore[arg-type]


def test_columns_know_their_defects() -> None:
    """Interstitials alone have no site, and displaced columns are farther from theirs than others."""
    found: Counter[str] = Counter()
    for index in range(100):
        specimen = synthetic_specimen((240, 240), seed=2, index=index, variety="wide")
        columns = specimen.columns
        if columns is None:
            continue
        moved = np.hypot(columns["displacement_row"], columns["displacement_col"])
        for kind in ("vacancy", "interstitial", "displaced", "substitution"):
            found[kind] += int(columns.of_defect(kind).sum())
        assert (columns["site"][columns.of_defect("interstitial")] == -1).all()
        if kind_of(specimen) != "single crystal":
            continue
        assert (columns["site"][~columns.of_defect("interstitial")] >= 0).all()
        if columns.of_defect("displaced").sum() > 20:
            assert moved[columns.of_defect("displaced")].mean() > moved[columns.of_defect("none")].mean()
    assert min(found.values()) > 10, found


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_shapes_are_pictures(name: str) -> None:
    contrasts = [float(np.ptp(SHAPES[name][1](Choices(1, index), Stage((200, 180), 0.02, 12.0)))) for index in range(6)]
    assert np.isfinite(contrasts).all()
    assert max(contrasts) > 0.1


@pytest.mark.parametrize("name", ["particles", "polygons", "films", "blobs", "lettering"])
def test_a_larger_field_shows_more_of_the_same(name: str) -> None:
    small, large = (SHAPES[name][1](Choices(4, 2), Stage((size, size), 0.02, 12.0)) for size in (120, 180))
    np.testing.assert_allclose(large[30:-30, 30:-30], small, atol=1e-5)


@pytest.mark.parametrize("profile", PROFILES)
def test_rods_have_their_width_and_length(profile: str) -> None:
    field = np.zeros((41, 61), np.float32)
    rods = Rods(np.array([[0.0, -15.0, 0.0, 15.0]] * 2), np.full((2, 2), 5.0), np.ones(2))
    paint_rods(rods, profile, 0.5, field, union=True)
    assert field[20, 20] == pytest.approx(field[20, 40], abs=1e-6)
    assert field[:, 30].max() == pytest.approx(1.0, abs=0.12)
    assert field[20 + 9, 30] == 0
    assert field[20, 2] == field[20, 58] == 0
    twice = np.zeros_like(field)
    paint_rods(rods, profile, 0.5, twice, union=False)
    np.testing.assert_allclose(twice, 2 * field, atol=1e-6)


def test_polygons_have_their_sides() -> None:
    field = np.zeros((40, 40), np.float32)
    normals = np.array([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]])
    paint_polygons(np.zeros((1, 2)), normals, np.full((1, 4), 8.0), np.array([0.5]), 0.5, field)
    assert float(field.sum()) == pytest.approx(0.5 * 16 * 16, rel=0.01)
