"""The task of columns: what is known of a scan, what is read off pictures and tables, figures, an evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.recon.columns.table import FIELDS, ColumnTable
from stemscan.recon.evaluation.cases import Case, Cell, Grid
from stemscan.recon.evaluation.columns.bound import Samples, heights_alone, joint_bound
from stemscan.recon.evaluation.columns.found import found_in_picture, found_in_table, known_arrays
from stemscan.recon.evaluation.columns.known import Known, known_columns
from stemscan.recon.evaluation.columns.measures import coverage_of_columns, coverage_of_pixels, figures
from stemscan.recon.evaluation.columns.oracle import likelihood_ratios
from stemscan.recon.evaluation.columns.profile import TrueProfile
from stemscan.recon.evaluation.columns.specimens import MADE, column_images
from stemscan.recon.evaluation.columns.strata import STRATA, pixel_coverage
from stemscan.recon.evaluation.columns.tables import Choice, Pool
from stemscan.recon.evaluation.contenders import Contender, columns_contenders, parse_contender
from stemscan.recon.evaluation.report import means, overview, write_report
from stemscan.recon.evaluation.scans import scanned
from stemscan.recon.evaluation.schedule import Here
from stemscan.recon.evaluation.session import Request, evaluate, prepare_folder
from stemscan.recon.inputs.inputs import Inputs
from stemscan.simulators.api import Probe, Specimen, render_crystal
from stemscan.types import Floats

PIXEL = 0.01


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    """Dumbbells with every defect."""
    return render_crystal(f"{MADE['dumbbells']}&seed=5", (192, 192), pixel_size_nm=PIXEL)


@pytest.fixture(scope="module")
def known(specimen: Specimen) -> Known:
    """Bound of a full scan of them."""
    return known_columns(specimen, full(specimen, 40.0))


def full(specimen: Specimen, dose: float) -> Inputs:
    """A raster of a specimen that counts what is expected, without noise."""
    counted = (dose * specimen.signal)[None]
    return Inputs.from_arrays(counted, np.ones(counted.shape, int), dose)


def test_an_oracle_may_have_learned_its_sites(specimen: Specimen, known: Known) -> None:
    """True and sure sites change nothing; wrong ones make regular columns look displaced, unsure ones less so."""
    assert specimen.columns is not None
    inputs = full(specimen, 40.0)
    profile = TrueProfile.of(Probe(**specimen.record["steps"][0]["probe"]), PIXEL)
    samples = Samples.of(inputs, specimen.signal)
    columns, nominal = known.columns.where(known.seen), known.nominal[known.seen]
    sites, none = known.sites[known.seen], columns.of_defect("none")

    def displaced(learned: tuple[Floats, Floats] | None) -> Floats:
        return likelihood_ratios(columns, nominal, profile, samples, (0.5, 4.0), learned)[1]

    count = int(known.seen.sum())
    np.testing.assert_allclose(displaced((sites, np.zeros(count))), displaced(None), atol=1e-9)
    wrong = displaced((sites + 0.3, np.zeros(count)))[none]
    unsure = displaced((sites + 0.3, np.full(count, 0.3)))[none]
    assert (displaced(None)[none] < unsure).all()
    assert (unsure < wrong).all()


def test_slopes_of_the_profile_are_those_of_pictures() -> None:
    """Against a crystal drawn with the probe, moved by the turn of no pixel grid: finite differences of the maps."""
    probe = Probe(fwhm_nm=0.09, tail=0.4, source_nm=0.04, tilt_nm=0.08, tilt_deg=30)
    profile, step = TrueProfile.of(probe, PIXEL), 0.2
    down, right = (axis.ravel() for axis in np.meshgrid(np.linspace(-9, 9, 13), np.linspace(-9, 9, 13)))
    values = profile.at(down, right)
    for axis, number in ((0, 1), (1, 2)):
        moved = [profile.at(down + s * step * (1 - axis), right + s * step * axis, 0) for s in (1, -1)]
        np.testing.assert_allclose(values[number], (moved[0] - moved[1]) / (2 * step), atol=2e-3)
    wider = TrueProfile.of(replace(probe, tail=0.42), PIXEL).at(down, right, 0)
    change = wider - values[0]
    assert np.corrcoef(change - change.mean(), values[6] - values[6].mean())[0, 1] > 0.9
    assert values[0].max() <= 1 + 1e-9


def test_the_bound_falls_with_the_electrons_and_rises_with_what_is_unknown(specimen: Specimen) -> None:
    profile = TrueProfile.of(Probe(fwhm_nm=0.08, source_nm=0.04), PIXEL)
    columns = specimen.columns
    assert columns is not None
    there = columns.where(columns["amplitude"] > 0.1)
    places, heights = np.stack([there["row"], there["col"]], axis=1), there["amplitude"]
    few, many = (Samples.of(full(specimen, dose), specimen.signal) for dose in (10.0, 40.0))
    bounds = [joint_bound(places, heights, profile, samples, 14.0) for samples in (few, many)]
    np.testing.assert_allclose(bounds[0], 2 * bounds[1], rtol=1e-4)
    assert (bounds[0][:, 2] > heights_alone(places, profile, few)).all()
    more = joint_bound(np.repeat(places, [2] + [1] * (len(places) - 1), axis=0) + np.eye(len(places) + 1, 2) * 4,
                       np.append(heights[:1], heights), profile, few, 14.0)  # fmt: skip
    assert (more[1] > bounds[0][0]).all()


def test_least_squares_at_the_truth_scatter_as_the_bound_says() -> None:
    """A single column, many noises: the scatter of one Gauss-Newton step from the truth, which is efficient there."""
    specimen = render_crystal("Au[001]?vacancies=1&background=0.3&probe=90pm", (64, 64), pixel_size_nm=PIXEL)
    profile, dose = TrueProfile.of(Probe(fwhm_nm=0.09), PIXEL), 50.0
    rows, cols = (axis.astype(float) for axis in np.indices((64, 64)))
    shape = profile.at((rows - 31.3).ravel(), (cols - 32.6).ravel()).reshape(-1, 64, 64)
    signal = (0.3 + 0.5 * shape[0]).astype(np.float32)
    samples = Samples.of(full(replace(specimen, signal=signal, columns=None), dose), signal)
    bound = joint_bound(np.array([[31.3, 32.6]]), np.array([0.5]), profile, samples, 50.0)[0]
    draw, slopes = np.random.default_rng(3), np.stack([-0.5 * shape[1], -0.5 * shape[2], shape[0], np.ones((64, 64))])
    design, weight = slopes.reshape(4, -1), dose / signal.ravel().astype(float)
    inverse = np.linalg.inv(design @ (weight * design).T)
    counts = draw.poisson(dose * signal.astype(float), (400, 64, 64)).reshape(400, -1) / dose - signal.ravel()
    scatter = (inverse @ (design * weight) @ counts.T).std(axis=1)
    np.testing.assert_allclose(bound[:2], scatter[:2], rtol=0.12)
    assert bound[2] >= 0.9 * scatter[2]


def test_a_perfect_picture_shows_everything(specimen: Specimen, known: Known) -> None:
    found = {**known_arrays(known), **found_in_picture(known, specimen.signal), "strata": np.zeros((len(STRATA), 4))}
    made = figures([found])
    assert made.columns > 20
    assert made.regular < 0.4
    assert made.slope == pytest.approx(1, abs=0.03)
    assert made.fill == pytest.approx(0, abs=0.05)
    assert made.auc_vacancy == 1 == made.oracle_vacancy
    assert np.isnan(made.false)


def table_of(places: Floats, heights: Floats, known: Known, **fields: Floats) -> ColumnTable:
    """A table of columns that are certain of themselves."""
    values = {name: np.full(len(places), 0.1) for name in FIELDS}
    values |= {"row": places[:, 0], "col": places[:, 1], "eb_row": places[:, 0], "eb_col": places[:, 1]}
    values |= {"amplitude": heights, "eb_amplitude": heights, "displacement_row": 0 * heights}
    values |= {"displacement_col": 0 * heights, "lattice": np.zeros(len(places), np.int64), **fields}
    kinds = fields.get("kind", np.full(len(places), "column", dtype="<U8"))
    return ColumnTable({**values, "kind": kinds}, (192, 192), 10.0, PIXEL, "", {})


def test_tables_are_told_from_the_truth(known: Known) -> None:
    columns = known.columns
    there = ~columns.of_defect("vacancy")
    places, heights = known.places[there], columns["amplitude"][there]
    kinds = np.full(len(places) + 2, "column", dtype="<U8")
    kinds[-1] = "empty"
    gone = int(np.flatnonzero(columns.of_defect("vacancy") & known.inside)[0])
    free = np.array([[96.0, 96.0]])
    while np.hypot(*(known.places - free[0]).T).min() < 8:
        free += [[1.0, 2.0]]
    lost = int(np.flatnonzero(there & known.inside & columns.of_defect("none"))[0])
    kept = np.arange(len(columns))[there] != lost
    every = np.concatenate([places[kept] + [[0.05, 0]], free, known.sites[gone : gone + 1]])
    high = np.concatenate([heights[kept], [0.5, 0.07]])
    found = found_in_table(known, table_of(every, high, known, kind=kinds[-len(every) :]))
    judged = {**known_arrays(known), **found, "strata": np.zeros((len(STRATA), 4))}
    made = figures([judged])
    assert made.false == pytest.approx(1000 / made.columns)
    assert made.missed == pytest.approx(1000 / made.columns)
    np.testing.assert_array_equal([found["false_row"], found["false_col"]], free.T)
    assert found["at_site"][gone] == 0.07
    shares = coverage_of_columns([judged])
    assert shares["regular"][1:] == (1.0, 1.0)
    assert np.nanmax(found["found_row"] - columns["row"]) == pytest.approx(0.05)


def test_coverage_of_pixels_counts_errors_where_they_are(specimen: Specimen, known: Known) -> None:
    std = np.full(specimen.shape, 0.1, np.float32)
    image = specimen.signal + np.float32(0.15)
    gone = known.columns.of_defect("vacancy") & known.inside
    row, col = np.rint(known.places[gone][0]).astype(int)
    image[row - 9 : row + 10, col - 9 : col + 10] += np.float32(1)
    table = table_of(known.places, known.columns["amplitude"], known)
    counted = pixel_coverage(known, table, image, std, specimen.signal)
    shares = coverage_of_pixels([{"strata": counted}, {"strata": counted}])
    assert shares["all"][1] == 0
    assert 0.95 < shares["all"][2] < 1
    assert shares["true vacancies"][0] == 2 * gone.sum()
    assert shares["true vacancies"][2] <= 1 - 1 / gone.sum() + 1e-9
    assert np.isnan(pixel_coverage(known, table, image, None, specimen.signal)).all()


def test_specimens_are_named_and_checked() -> None:
    found = column_images(("metal edge",), (7, 8), 128)
    assert [image.name for image in found] == ["metal edge, seed 7", "metal edge, seed 8"]
    assert found[0].sha256 != found[1].sha256
    for wrong in ({"names": ("silk",)}, {"size": 100}, {"seeds": (1, 1)}, {"seeds": ()}):
        with pytest.raises(UsageError):
            column_images(**({"names": (), "seeds": (1,), "size": 128} | wrong))  # type: ignore[arg-type]


def test_cases_of_columns_are_known_by_what_is_judged() -> None:
    image = column_images(("metal edge",), (7,), 128)[0]
    cases = [
        Case(image, Cell("poisson", 3, 10.0), 4, 1, one) for one in columns_contenders([parse_contender("columns")])
    ]
    assert len({case.digest for case in cases}) == 4
    assert (
        Case(replace(image, set="synthetic"), cases[0].cell, 4, 1, Contender("columns", "columns")).digest
        != cases[3].digest
    )
    assert scanned(cases[0]) is scanned(cases[3])


def test_an_evaluation_with_a_plug_in(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def twice(inputs):\n    return inputs.S / inputs.V.clip(1) + 0.1\n")
    asked = columns_contenders([parse_contender("normconv"), parse_contender(f"mine={tmp_path / 'mine.py'}:twice")])
    request = Request(tuple(column_images(("metal edge",), (7,), 128)), Grid(("poisson",), (6,), (20.0,)), tuple(asked))
    folder = tmp_path / "out"
    prepare_folder(folder)
    done = evaluate(request, folder, Here())
    assert not done.failures
    files = [path.name for path in write_report(done, folder, ["stemscan evaluate"])]
    assert files == ["tables.md", "limits.png"]
    text = (folder / "tables.md").read_text()
    assert "| fit to counts |" in text
    assert "### Table 4" in text
    assert [line for line in text.splitlines() if line.startswith("| mine")]
    fitted = Pool(done).figures("fit to counts", Choice(6, 20.0))
    assert fitted is not None
    assert fitted.regular < 1.6
    assert {one["contender"] for one in means(done)} == {one.label for one in asked}
    assert any("fit to counts" in line for line in overview(done))
    again = evaluate(request, folder, Here())
    assert again.computed == 0
    for file in (folder / "cache").rglob("*.npz"):
        file.write_bytes(b"cut")
    assert Pool(evaluate(request, folder, Here())).labels == []
    next((folder / "cache").rglob("*.npz")).unlink()
    assert evaluate(request, folder, Here()).computed == 1
