"""Sources of columns: samples where the beam was, full rasters, images of known dose; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree
from tifffile import imwrite

import stemscan as ss
from stemscan.recon.columns.find import find_columns
from stemscan.recon.columns.saturation import saturated_share
from stemscan.recon.columns.table import ColumnTable
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from tests.recon.columns.columns_kit import Crystal, crystal, render

Floats = npt.NDArray[np.float64]
SIZE, APART, WIDTH = 120, 10.0, 1.7
GRID = np.stack(np.meshgrid(np.arange(5.3, SIZE, APART), np.arange(4.6, SIZE, APART), indexing="ij"), -1).reshape(-1, 2)


def signal_at(places: Floats) -> Floats:
    """Bright columns on a square lattice."""
    square = ((places[:, None, :] - GRID) ** 2).sum(axis=2)
    return np.asarray(0.1 + 0.8 * np.exp(-0.5 * square / WIDTH**2).sum(axis=1))


def offsets(table: ColumnTable) -> tuple[Floats, Floats]:
    """Errors of columns well inside, and the same over their standard deviations."""
    inner = GRID[((GRID > 8) & (GRID < SIZE - 9)).all(axis=1)]
    found = np.stack([table["row"], table["col"]], axis=1)
    distance, nearest = cKDTree(found).query(inner)
    assert (distance < 2).all()
    errors = found[nearest] - inner
    return errors, errors / np.stack([table["row_std"], table["col_std"]], axis=1)[nearest]


@pytest.mark.parametrize("kind", ["between", "behind"])
def test_samples_count_where_the_beam_was(kind: str) -> None:
    """Anywhere between pixels, and always so far behind that the nearest pixel is another."""
    random = np.random.default_rng(5)
    places = random.uniform(-0.4, SIZE - 0.6, (6000, 2))
    if kind == "behind":
        places = np.rint(places.clip(0, SIZE - 2)) + np.array([0.0, 0.45])
    places = places.astype(np.float32).astype(np.float64)
    counts = random.poisson(30 * signal_at(places))
    inputs = Inputs.from_samples(PlacedSamples.of(counts, places, (0, 6000), (SIZE, SIZE)), 30.0)
    errors, scaled = offsets(find_columns(inputs))
    assert 0.85 < np.sqrt(np.mean(scaled**2)) < 1.15
    assert np.abs(errors.mean(axis=0)).max() < 0.03
    snapped, _ = offsets(find_columns(inputs.whole))
    if kind == "behind":
        assert snapped.mean(axis=0)[1] == pytest.approx(-0.45, abs=0.03)
    else:
        assert np.sqrt(np.mean(errors**2)) < 0.97 * np.sqrt(np.mean(snapped**2))


def test_a_store_of_a_lagging_beam_is_fitted_where_the_beam_was(tmp_path: Path) -> None:
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(96, 96), passes=1, dwell="1us", dose=ss.Dose(electrons_per_sample=20),
        pixel_size="20pm", seed=1,
    )  # fmt: skip
    still = ss.find_columns(ss.simulate(plan, "crystal:SrTiO3[001]", tmp_path / "a.zarr"))
    lagging = ss.simulate(plan, "crystal:SrTiO3[001]", tmp_path / "b.zarr", coil_tau_ns="700ns", seed=2)
    found = ss.find_columns(lagging)
    truth = np.stack([still["row"], still["col"]], axis=1)
    inner = ((truth > 10) & (truth < 86)).all(axis=1) & (still["class"] == 0)
    distance, nearest = cKDTree(np.stack([found["row"], found["col"]], axis=1)).query(truth[inner])
    assert (distance < 1.5).all()
    assert abs(np.mean(found["col"][nearest] - still["col"][inner])) < 0.1
    late = ss.find_columns(ss.Inputs.from_arrays(lagging.frames(), lagging.visits(), 20.0))
    _, nearest = cKDTree(np.stack([late["row"], late["col"]], axis=1)).query(truth[inner])
    assert np.mean(late["col"][nearest] - still["col"][inner]) > 0.5


@pytest.fixture(scope="module")
def truth() -> Crystal:
    return crystal(160, seed=21, displaced=0.0, vacancies=0.0)


@pytest.fixture(scope="module")
def counts(truth: Crystal) -> npt.NDArray[np.uint16]:
    """One frame of all pixels at ten electrons."""
    return np.random.default_rng(3).poisson(10 * render(truth)).astype(np.uint16)


@pytest.fixture(scope="module")
def raster(counts: npt.NDArray[np.uint16]) -> ColumnTable:
    """Columns of the same counts as a scan."""
    return find_columns(Inputs.from_arrays(counts[None], np.ones((1, *counts.shape), int), 10.0))


def test_a_full_raster_reaches_its_errors(truth: Crystal, raster: ColumnTable) -> None:
    shown = np.nonzero(truth.inside(12))[0]
    distance, nearest = cKDTree(np.stack([raster["row"], raster["col"]], axis=1)).query(truth.places[shown])
    assert (distance < 4).all()
    scaled = (raster["row"][nearest] - truth.places[shown, 0]) / raster["row_std"][nearest]
    assert 0.7 < np.sqrt(np.mean(scaled**2)) < 1.35


@pytest.mark.parametrize("form", ["array", "tif", "npy", "frames", "intensity", "readings"])
def test_images_of_known_dose_are_full_rasters(
    form: str, counts: npt.NDArray[np.uint16], raster: ColumnTable, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"electrons_per_sample": 10}
    source: Any = counts
    if form == "tif":
        source = tmp_path / "a.tif"
        imwrite(source, counts)
    elif form == "npy":
        source = str(tmp_path / "a.npy")
        np.save(source, counts)
    elif form == "frames":
        first = np.random.default_rng(4).binomial(counts, 0.5)
        source, given = np.stack([first, counts - first]), {"electrons_per_sample": 5}
    elif form == "intensity":
        source, given = (counts / 10.0).astype(np.float32), {**given, "gain": 0.1}
    elif form == "readings":
        source, given = counts.astype(np.int32) * 120 + 30, {**given, "gain": 120, "offset": 30}
    found = find_columns(source, pixel_size_nm=0.01, **given)
    assert abs(len(found) - len(raster)) <= (1 if form == "frames" else 0)
    inner = ((raster["row"] > 8) & (raster["row"] < 151) & (raster["col"] > 8) & (raster["col"] < 151)).nonzero()[0]
    places = np.stack([raster["row"], raster["col"]], axis=1)[inner]
    distance, nearest = cKDTree(np.stack([found["row"], found["col"]], axis=1)).query(places)
    assert (distance < 0.1 * raster["row_std"][inner]).all()
    np.testing.assert_allclose(found["row_std"][nearest], raster["row_std"][inner], rtol=0.02)
    assert found.pixel_size_nm == 0.01


def test_pixels_without_a_number_were_not_visited(counts: npt.NDArray[np.uint16]) -> None:
    half = counts.astype(np.float64)
    half[:, 80:] = np.nan
    found = find_columns(half, electrons_per_sample=10)
    assert len(found) > 15
    assert found["col"].max() < 92


def test_pixel_sizes_of_files(counts: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    imwrite(tmp_path / "a.ome.tif", counts, metadata={"axes": "YX", "PhysicalSizeX": 0.02, "PhysicalSizeXUnit": "nm",
                                                      "PhysicalSizeY": 0.02, "PhysicalSizeYUnit": "nm"})  # fmt: skip
    assert find_columns(tmp_path / "a.ome.tif", electrons_per_sample=10).pixel_size_nm == pytest.approx(0.02)


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (np.ones((40, 40)), {}, "the dose of an image"),
    (np.full((40, 40), 0.5), {"electrons_per_sample": 10}, "counted electrons, whole numbers, got 0.5"),
    (np.full((40, 40), -1), {"electrons_per_sample": 10}, "at least 0, got -1"),
    (np.full((40, 40), np.nan), {"electrons_per_sample": 10}, "NaN alone"),
    (np.full((40, 40), np.inf), {"electrons_per_sample": 10}, "finite"),
    (np.ones(40), {"electrons_per_sample": 10}, "shape"),
    (np.ones((40, 40), complex), {"electrons_per_sample": 10}, "real numbers"),
    (np.ones((40, 40), int), {"electrons_per_sample": 0}, "above 0"),
    (np.ones((40, 40), int), {"electrons_per_sample": 10, "gain": 0}, "gain above 0"),
    (np.ones((40, 40), int), {"electrons_per_sample": 10, "offset": 3}, "a gain beside the offset"),
    (np.ones((40, 40), int), {"electrons_per_sample": 10, "frame": "HAADF"}, "frame only"),
    ("nothing.zarr", {}, "does not exist"),
    ("image.npy", {}, "the dose of an image"),
    ("plan.yaml", {"electrons_per_sample": 10}, "plan.yaml"),
    ("folder", {}, "folder"),
    ("recon.zarr", {}, "a reconstruction"),
    ("recon.zarr", {"electrons_per_sample": 10}, "a reconstruction"),
    ("recon.tif", {"electrons_per_sample": 10}, "a reconstruction"),
    (Inputs.from_arrays([[[1.0]]], [[[1]]], 1.0), {"electrons_per_sample": 10}, "a dose only with an image"),
    (Inputs.from_arrays([[[1.0]]], [[[1]]], 1.0), {"gain": 10}, "gain only with an image"),
    (7, {}, "an acquisition"),
]


@pytest.mark.parametrize(("source", "given", "words"), WRONG)
def test_what_columns_cannot_be_found_in(
    source: Any, given: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("plan.yaml").write_text("version: 1\n")
    np.save("image.npy", np.ones((40, 40), int))
    if isinstance(source, str) and source.startswith("recon"):
        ss.reconstruct(Inputs.from_arrays(np.ones((1, 40, 40)), np.ones((1, 40, 40), int), 1.0), "linear").save(source)
    with pytest.raises(ss.StemscanError, match=words):
        find_columns(source, **given)


@pytest.mark.parametrize(
    ("counts_of", "words"),
    [
        (lambda signal, random: random.poisson(20 * signal).clip(max=14), "saturated"),
        (lambda signal, random: 0 * random.poisson(20 * signal), "no electron"),
        (lambda signal, random: random.poisson(8 + 0 * signal), "without a column"),
        (lambda signal, random: random.poisson(20 * signal)[:12], "fewer than"),
    ],
)
def test_a_table_without_a_row_says_why(counts_of: Any, words: str, truth: Crystal) -> None:
    found = find_columns(counts_of(render(truth), np.random.default_rng(8)), electrons_per_sample=20)
    assert len(found) == 0
    assert words in found.note
    assert words in repr(found)


@pytest.mark.parametrize("dose", [0.03, 0.3, 3.0, 30.0, 3000.0])
def test_counts_are_not_taken_for_saturated(dose: float, truth: Crystal) -> None:
    for seed in range(5):
        frames = np.random.default_rng(seed).poisson(dose * render(truth))[None]
        assert saturated_share(Inputs.from_arrays(frames, np.ones(frames.shape, int), dose)) == 0
    if dose >= 30:
        frames = frames.clip(max=int(0.8 * dose))
        share = saturated_share(Inputs.from_arrays(frames, np.ones(frames.shape, int), dose))
        assert share == pytest.approx((frames == frames.max()).mean())


def test_the_face(raster: ColumnTable, counts: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    lines = repr(raster).splitlines()
    assert lines[0] == "ColumnTable"
    assert "by class" in lines[1]
    assert raster._repr_html_().count("<tr>") == len(lines) - 1
    assert raster.save(tmp_path / "columns.csv").read_text().startswith("kind,row,col")
    inputs = Inputs.from_arrays(counts[None], np.ones((1, *counts.shape), int), 10.0)
    shown = ss.reconstruct(inputs, "fourier-eb", regression=False)
    again = ss.find_columns(counts, shown, electrons_per_sample=10, threads=1)
    np.testing.assert_array_equal(again["row"], raster["row"])
