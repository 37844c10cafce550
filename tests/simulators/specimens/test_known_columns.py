"""Columns that specimens know: crystals with and without defects, synthetic specimens, specimens of stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan import ScanPlan, simulate
from stemscan.errors import SpecimenError, UsageError
from stemscan.simulators.api import Probe, load_specimen, render_crystal, resample_specimen, synthetic_specimen
from stemscan.simulators.specimens.crystal_options import parse_options
from stemscan.simulators.specimens.defects import Defects
from stemscan.store.true_columns import DEFECTS, TrueColumns

SHARP = Probe(fwhm_nm=0.05, tail=0.0)
ALL = Defects(displaced=0.2, vacancies=0.1, substitutions=0.1, interstitials=0.1, seed=3)


def known(spec: str, size: int = 160, **more: object) -> tuple[np.ndarray, TrueColumns]:
    """Picture and columns of a crystal at 10 pm per pixel."""
    specimen = render_crystal(spec, (size, size), pixel_size_nm=0.01, **more)  # type: ignore[arg-type]
    assert specimen.columns is not None
    return specimen.signal, specimen.columns


def drawn(columns: TrueColumns, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Gaussians at the places of columns."""
    rows, cols = np.indices(shape)
    image = np.zeros(shape)
    for row, col, amplitude in zip(columns["row"], columns["col"], columns["amplitude"], strict=True):
        image += amplitude * np.exp(-0.5 * ((rows - row) ** 2 + (cols - col) ** 2) / sigma**2)
    return image


@pytest.mark.parametrize("spec", ["SrTiO3[001]", "GaAs[110]?turn=17", "SrTiO3[001]?turn=3&displaced=0.2&vacancies=0.1"])
def test_columns_alone_make_the_picture(spec: str) -> None:
    signal, columns = known(spec, probe=SHARP, defects=ALL if "?turn=3" in spec else None)
    made = drawn(columns, (160, 160), SHARP.sigma_nm / 0.01)
    assert np.abs(made - signal)[12:-12, 12:-12].max() < 2e-3


def test_a_replacement_by_the_same_changes_nothing() -> None:
    spec = "SrTiO3[001]?turn=7&tilt=50pm&direction=20&source=60pm"
    perfect, _ = known(spec)
    replaced, columns = known(f"{spec}&substitutions=1&strength=1")
    assert columns.of_defect("substitution").all()
    np.testing.assert_allclose(replaced, perfect, atol=2e-6)
    empty, columns = known(f"{spec}&vacancies=1")
    assert (columns["amplitude"] == 0).all()
    assert np.ptp(empty) < 1e-3 < perfect.max()


def test_defects_have_their_shares_and_sizes() -> None:
    _, columns = known("SrTiO3[001]", 1024, defects=ALL)
    sites = ~columns.of_defect("interstitial")
    for kind, share in (("displaced", 0.2), ("vacancy", 0.1), ("substitution", 0.1)):
        assert abs(columns.of_defect(kind)[sites].mean() - share) < 0.03
    shift = 10 * np.hypot(columns["displacement_row"], columns["displacement_col"])
    assert (shift[~columns.of_defect("displaced")] == 0).all()
    moved = shift[columns.of_defect("displaced")]
    assert 5 <= moved.min() < 7
    assert 38 < moved.max() <= 40
    assert columns.classes == ("Sr", "TiO", "O", "interstitial")
    strontium = columns.where(columns["class"] == 0)
    whole = strontium["amplitude"][strontium.of_defect("none")]
    np.testing.assert_allclose(strontium["amplitude"][strontium.of_defect("substitution")], 0.55 * whole[0])
    added = columns.where(columns.of_defect("interstitial"))
    assert len(added) > 0.6 * 0.1 * (1024 / 39.05) ** 2
    assert (added["site"] == -1).all()


def test_a_larger_field_shows_the_same_crystal_and_another_seed_another() -> None:
    """Without columns nearer to each other than usual, for which the field would be scaled down as a whole."""
    holes = Defects(vacancies=0.2, substitutions=0.2, seed=3)
    small, columns = known("Si[110]", 96, defects=holes)
    large, more = known("Si[110]", 128, defects=holes)
    np.testing.assert_allclose(small, large[16:-16, 16:-16], atol=1e-6)
    more = more.where((more["row"] >= 15.5) & (more["col"] >= 15.5)).within((112, 112))
    np.testing.assert_allclose(np.sort(columns["row"]) + 16, np.sort(more["row"]), atol=1e-5)
    other, _ = known("Si[110]", 96, defects=Defects(vacancies=0.2, substitutions=0.2, seed=4))
    assert np.abs(other - small).max() > 0.1


def test_background_and_brighter_places_stay_in_range() -> None:
    signal, columns = known("Si[110]?interstitials=1&strength=3&background=0.2")
    assert signal.min() >= 0.2
    assert signal.max() <= 1
    assert columns["amplitude"].max() < 0.8


def test_a_tilt_draws_columns_out() -> None:
    plain, _ = known("Au[001]", 120)
    tilted, _ = known("Au[001]?tilt=150pm&direction=0", 120)
    row, column = np.unravel_index(int(plain[40:80, 40:80].argmax()), (40, 40))
    across, down = tilted[40 + row, 40 + column + 7], tilted[40 + row + 7, 40 + column]
    assert across > 1.1 * down


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("displaced", "got 'displaced'"),
        ("displacd=0.1", "did you mean displaced"),
        ("displaced=much", "share of columns that are displaced"),
        ("displaced=0.9&vacancies=0.2", "shares from 0 to 1"),
        ("shift=40pm-5pm", "from least to greatest"),
        ("shift=5", "with a unit"),
        ("seed=1&seed=2", "'seed' twice"),
        ("background=1", "background from 0"),
        ("tail=2", "tail from 0 to 1"),
    ],
)
def test_options_that_cannot_be_meant(options: str, problem: str) -> None:
    with pytest.raises(SpecimenError, match=problem):
        parse_options(options)
    if "share" in problem:
        with pytest.raises(UsageError):
            Defects(displaced=2)


def test_synthetic_columns_stand_where_the_picture_is_bright_or_dark() -> None:
    followed = 0
    for index in range(24):
        specimen = synthetic_specimen((192, 192), seed=5, index=index)
        kind = specimen.record["steps"][0]["choices"]["kind"]
        columns = specimen.columns
        if kind == "amorphous":
            assert columns is None
            continue
        assert columns is not None
        assert {name[:5] for name in columns.classes} <= {"grain", "witho"}
        if kind != "single crystal":
            continue
        assert (np.hypot(columns["displacement_row"], columns["displacement_col"]) < 8).all()
        row, col = (np.rint(columns[name]).astype(int).clip(0, 191) for name in ("row", "col"))
        sign = np.sign(np.median(columns["amplitude"]))
        strong = np.abs(columns["amplitude"]) > 0.5 * np.abs(columns["amplitude"]).max()
        if strong.sum() > 9:
            followed += int((sign * specimen.signal[row, col][strong]).mean() > (sign * specimen.signal).mean())
            assert sign * specimen.signal[row, col][strong].mean() > sign * specimen.signal.mean()
    assert followed >= 5


def test_specimens_of_stores_keep_their_columns(tmp_path: Path) -> None:
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "raster"}, "shape": [64, 48], "passes": 1, "dwell_ns": 1000, "pixel_size_nm": 0.02,
            "dose": {"electrons_per_sample": 10}, "seed": 1,
        }
    )  # fmt: skip
    simulate(plan, "crystal:SrTiO3[001]?vacancies=0.2", tmp_path / "a.zarr")
    whole = load_specimen(tmp_path / "a.zarr", (64, 48), frame="truth").columns
    assert whole is not None
    assert whole.of_defect(DEFECTS[1]).any()
    crop = load_specimen(tmp_path / "a.zarr", (32, 32), frame="truth", fit="crop").columns
    assert crop is not None
    np.testing.assert_array_equal(crop.values, whole.within((32, 32)).values)
    fine = load_specimen(tmp_path / "a.zarr", (128, 96), frame="truth", fit="resample")
    assert fine.columns is not None
    np.testing.assert_allclose(fine.columns["row"], 2 * whole["row"] + 0.5)
    halved = resample_specimen(fine, (64, 48)).columns
    assert halved is not None
    np.testing.assert_allclose(halved.values, whole.values, atol=1e-9)
    assert load_specimen(tmp_path / "a.zarr", (64, 48), frame="truth", smooth="paper").columns is None
    assert load_specimen(tmp_path / "a.zarr", (64, 48)).columns is None


def test_beyond_an_edge_there_are_tails_alone() -> None:
    signal, columns = known("Au[001]?edge=0.5&interstitials=0.2&background=0.1", 160)
    whole, _ = known("Au[001]?background=0.1&interstitials=0.2", 160)
    assert columns["col"].max() < 80
    assert signal[:, 110:].max() < 0.16 < whole[:, 110:].min()
    np.testing.assert_allclose(signal[:, :30], whole[:, :30], atol=0.01)
