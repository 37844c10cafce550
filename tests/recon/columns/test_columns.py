"""Columns fitted to counts: errors at the bound, vacancies empty, displacements whole, nothing where nothing is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from stemscan.errors import UsageError
from stemscan.recon.columns.find import find_and_draw, find_columns
from stemscan.recon.columns.picture import draw_columns, surely_empty
from stemscan.recon.columns.profile import Profile, shape_and_slopes
from stemscan.recon.columns.table import FIELDS, ColumnTable, write_table
from stemscan.recon.inputs.inputs import Inputs
from stemscan.types import Array
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan

Integers = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def drawn() -> tuple[Crystal, ColumnTable, Array]:
    truth = crystal(seed=3)
    return truth, *find_and_draw(sparse_scan(render(truth), seed=4))


@pytest.fixture(scope="module")
def found(drawn: tuple[Crystal, ColumnTable, Array]) -> tuple[Crystal, ColumnTable]:
    return drawn[:2]


def matched(truth: Crystal, table: ColumnTable) -> tuple[Integers, Integers]:
    """Numbers of true columns well inside the frame that were found, and the rows that found them."""
    rows = np.nonzero(~table.of_kind("empty"))[0]
    distance, nearest = cKDTree(np.stack([table["row"][rows], table["col"][rows]], axis=1)).query(truth.places)
    hit = truth.inside(12) & (truth.amplitudes > 0) & (distance < 6)
    return np.nonzero(hit)[0], rows[nearest[hit]]


@pytest.mark.parametrize("offset", [(0.3, -0.7), (5.0, 2.0), (17.0, 9.0), (21.0, 0.4)])
def test_slopes_of_the_profile(offset: tuple[float, float]) -> None:
    """Analytic slopes are those of finite differences, inside the taper, too."""
    profile, step = Profile(4.2, 0.12, -0.07, 0.15, 0.05), 1e-6

    def value(moved: tuple[float, float], changed: Profile) -> float:
        out = np.empty(8)
        shape_and_slopes(offset[0] - moved[0], offset[1] - moved[1], changed.array(), 24.0, out)
        return float(out[0])

    out = np.empty(8)
    shape_and_slopes(*offset, profile.array(), 24.0, out)
    numbers = [
        (value((step, 0), profile) - value((-step, 0), profile)) / (2 * step),
        (value((0, step), profile) - value((0, -step), profile)) / (2 * step),
    ]
    numbers += [
        (value((0, 0), profile.moved(step * unit)) - value((0, 0), profile.moved(-step * unit))) / (2 * step)
        for unit in np.eye(5)
    ]
    np.testing.assert_allclose(out[1:], numbers, rtol=1e-4, atol=1e-8)


def test_all_columns_are_found_and_no_other(found: tuple[Crystal, ColumnTable]) -> None:
    truth, table = found
    hits, _ = matched(truth, table)
    assert len(hits) >= np.count_nonzero(truth.inside(12) & (truth.amplitudes > 0)) - 1
    rows = ~table.of_kind("empty")
    places = np.stack([table["row"][rows], table["col"][rows]], axis=1)
    inner = ((places > 12) & (places < np.array(truth.shape) - 13)).all(axis=1)
    distance = cKDTree(truth.places[truth.amplitudes > 0]).query(places[inner])[0]
    assert np.count_nonzero(distance > 6) == 0


def test_errors_are_those_that_are_reported(found: tuple[Crystal, ColumnTable]) -> None:
    """Errors over reported deviations have a spread of one; positions, amplitudes and backgrounds alike."""
    truth, table = found
    hits, rows = matched(truth, table)
    for name, true in (
        ("row", truth.places[hits, 0]),
        ("col", truth.places[hits, 1]),
        ("amplitude", truth.amplitudes[hits]),
    ):
        z = (table[name][rows] - true) / table[f"{name}_std"][rows]
        assert 0.8 < np.sqrt(np.mean(z**2)) < 1.25, name


def test_displacements_are_whole(found: tuple[Crystal, ColumnTable]) -> None:
    truth, table = found
    hits, rows = matched(truth, table)
    moved = truth.displaced[hits]
    true = (truth.places - truth.sites)[hits][moved].ravel()
    for kind, slope in ((0, 0.15), (1, 0.25)):
        mine = np.repeat(truth.sublattice[hits][moved] == kind, 2)
        got = np.stack([table["row"][rows], table["col"][rows]], axis=1)[moved] - truth.sites[hits][moved]
        assert abs(true[mine] @ got.ravel()[mine] / (true[mine] @ true[mine]) - 1) < slope
    bright = truth.sublattice[hits] == 0
    assert table["p_displaced"][rows][bright & moved].mean() > 0.6
    assert table["p_displaced"][rows][bright & ~moved].mean() < 0.2


def test_empirical_bayes_draws_regular_columns_to_their_sites(found: tuple[Crystal, ColumnTable]) -> None:
    truth, table = found
    hits, rows = matched(truth, table)
    regular = ~truth.displaced[hits]
    plain = np.stack([table["row"][rows], table["col"][rows]], axis=1) - truth.places[hits]
    drawn = np.stack([table["eb_row"][rows], table["eb_col"][rows]], axis=1) - truth.places[hits]
    assert np.sqrt(np.mean(drawn[regular] ** 2)) < 0.6 * np.sqrt(np.mean(plain[regular] ** 2))
    assert np.sqrt(np.mean(drawn[~regular] ** 2)) < 1.3 * np.sqrt(np.mean(plain[~regular] ** 2))


def test_vacancies_are_empty_sites(found: tuple[Crystal, ColumnTable]) -> None:
    truth, table = found
    gone = np.nonzero((truth.amplitudes == 0) & truth.inside(45))[0]
    assert len(gone)
    empty = np.nonzero(table.of_kind("empty"))[0]
    distance, nearest = cKDTree(np.stack([table["row"][empty], table["col"][empty]], axis=1)).query(truth.sites[gone])
    assert (distance < 2.0).all()
    rows = empty[nearest]
    nominal = np.array([0.9, 0.4])[truth.sublattice[gone]]
    assert (np.abs(table["amplitude"][rows]) < 4 * table["amplitude_std"][rows]).all()
    assert (table["amplitude_std"][rows] < 0.25 * nominal).all()
    assert (table["llr_class"][rows] < -8).all()
    assert surely_empty(table)[rows].all()
    assert not surely_empty(table)[~table.of_kind("empty")].any()


def test_columns_make_an_image_whose_vacancies_are_empty(drawn: tuple[Crystal, ColumnTable, Array]) -> None:
    truth, _, image = drawn
    signal, inside = render(truth), truth.inside(45)
    at = truth.sites[inside].round().astype(int)
    gone = truth.amplitudes[inside] == 0
    away = image[at[:, 0], at[:, 1]] - signal[at[:, 0], at[:, 1]]
    assert gone.any()
    assert np.abs(away[gone]).max() < 0.15
    assert np.sqrt(np.mean((image - signal) ** 2)) < 0.03


def test_two_classes_and_two_lattices(found: tuple[Crystal, ColumnTable]) -> None:
    truth, table = found
    assert [round(kind["amplitude"], 1) for kind in table.settings["classes"]] == [0.9, 0.4]
    assert len(table.settings["lattices"]) == 2
    hits, rows = matched(truth, table)
    np.testing.assert_array_equal(table["class"][rows], truth.sublattice[hits])


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_a_flat_specimen_has_no_columns(level: float) -> None:
    table = find_columns(sparse_scan(np.full((128, 128), level), seed=7))
    assert len(table) == 0
    assert table.note


def test_equal_counts_give_equal_tables() -> None:
    inputs = sparse_scan(render(crystal(160, seed=5)), seed=6)
    first, second = find_columns(inputs), find_columns(inputs)
    for name in FIELDS:
        np.testing.assert_array_equal(first[name], second[name])


def test_dark_columns_are_columns() -> None:
    truth = crystal(240, seed=8, displaced=0.0, vacancies=0.0)
    table = find_columns(sparse_scan(1.1 - render(truth), seed=9, per_block=6))
    hits, rows = matched(truth, table)
    assert len(hits) >= 0.95 * np.count_nonzero(truth.inside(12))
    assert (table["amplitude"][rows] < 0).mean() > 0.99


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="as the scan"):
        find_columns(sparse_scan(np.full((64, 64), 0.5)), np.zeros((32, 64)))
    with pytest.raises(UsageError, match="as the scan"):
        find_and_draw(sparse_scan(np.full((64, 64), 0.5)), np.zeros((32, 64)))


def test_without_columns_the_first_image_is_shown() -> None:
    flat = sparse_scan(np.full((64, 64), 0.5))
    table, image = find_and_draw(flat)
    assert not len(table)
    assert np.abs(image - 0.5).max() < 0.2
    given = np.full((64, 64), 0.4)
    assert find_and_draw(flat, given)[1] is given


def test_tables_read_back_the_same(found: tuple[Crystal, ColumnTable], tmp_path: Path) -> None:
    _, table = found
    write_table(table, tmp_path / "columns.csv")
    with (tmp_path / "columns.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(table)
    np.testing.assert_array_equal([float(row["row"]) for row in rows], table["row"])
    np.testing.assert_allclose([float(row["row_nm"]) for row in rows], 0.01 * table["row"])
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(table, tmp_path / "columns.parquet")
    np.testing.assert_array_equal(parquet.read_table(tmp_path / "columns.parquet")["row"].to_numpy(), table["row"])
    with pytest.raises(UsageError, match="csv or"):
        write_table(table, tmp_path / "columns.xlsx")


def test_a_picture_is_drawn(found: tuple[Crystal, ColumnTable], tmp_path: Path) -> None:
    truth, table = found
    draw_columns(table, render(truth), tmp_path / "columns.png")
    assert (tmp_path / "columns.png").read_bytes().startswith(b"\x89PNG")


def test_a_tiny_scan_says_why() -> None:
    inputs = Inputs.from_arrays(np.ones((1, 8, 8)), np.ones((1, 8, 8), np.uint16), 10.0)
    assert "fewer than" in find_columns(inputs, np.ones((8, 8))).note
