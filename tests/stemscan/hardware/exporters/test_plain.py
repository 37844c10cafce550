"""csv and npy: what is written is the path; what is read is checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import DataError, InputNotFoundError
from stemscan.files.arrays import read_array
from stemscan.hardware.exporters import read_csv, read_npy
from stemscan.hardware.exporters import source as source_module
from stemscan.hardware.exporters.decimal_text import decimal_lines
from stemscan.plan.scan_plan import ScanPlan
from stemscan.store.importing.measured import samples_from_positions
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of, points_of


@given(plan=plans(max_side=24, max_passes=4))
@settings(max_examples=25)
def test_csv_round_trip(plan: ScanPlan) -> None:
    with Written(plan, "csv", "a.csv") as (path, report):
        assert np.array_equal(read_csv(path), points_of(plan))
        assert report.size_bytes == path.stat().st_size
    assert (report.points, report.samples, report.dwell_written_ns) == (plan.total_samples, plan.total_samples, None)


@given(plan=plans(max_side=24, max_passes=4))
@settings(max_examples=25)
def test_npy_round_trip(plan: ScanPlan) -> None:
    with Written(plan, "npy", "a.npy") as (path, _):
        read = read_npy(path)
        assert np.array_equal(np.load(path, allow_pickle=False), read)
    assert read.shape == (plan.passes, plan.samples_per_pass, 2)
    assert np.array_equal(read.reshape(-1, 2), points_of(plan))


def test_import_takes_both() -> None:
    plan = plan_of()
    values = np.zeros((plan.passes, plan.samples_per_pass))
    with Written(plan, "csv", "a.csv") as (path, _):
        samples = samples_from_positions(values.reshape(1, -1), read_array(path), plan.shape)
        assert np.array_equal(samples.positions, points_of(plan))
    with Written(plan, "npy", "a.npy") as (path, _):
        samples = samples_from_positions(values, read_array(path), plan.shape)
        assert np.array_equal(samples.positions, points_of(plan))


@pytest.mark.parametrize(("to", "name"), [("csv", "a.csv"), ("npy", "a.npy"), ("nexus", "a.nxs"), ("abtem", "a.npy")])
def test_bytes_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch, to: str, name: str) -> None:
    with Written(plan_of(), to, name) as (path, _):
        whole = path.read_bytes()
    monkeypatch.setattr(source_module, "BATCH", 7)
    with Written(plan_of(), to, name) as (path, _):
        assert path.read_bytes() == whole


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 12), st.integers(0, 2**31)), min_size=1),
    separator=st.sampled_from([b" ", b","]),
)
def test_decimal_lines_are_what_python_prints(rows: list[tuple[int, int, int]], separator: bytes) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    expected = "".join(separator.decode().join(map(str, row)) + "\n" for row in rows)
    assert decimal_lines(columns, separator) == expected.encode()


CSV = "row,column\n1,2\n30,4\n"
WRONG_CSV = [
    ("", "line 1, got the end of the file"),
    ("1,2\n", "'1,2'"),
    ("row;column\n", "'row;column'"),
    (CSV + "5\n", "line 4, got '5'"),
    (CSV + "5,6,7\n", "line 4, got '5,6,7'"),
    (CSV + "nan,1\n", "line 4, got 'nan,1'"),
    (CSV + "1.5,1\n", "line 4, got '1.5,1'"),
    (CSV + "-1,1\n", "line 4, got '-1,1'"),
    (CSV + "1e3,1\n", "line 4, got '1e3,1'"),
    (CSV + "1_0,1\n", "line 4, got '1_0,1'"),
    (CSV + "\n1,1\n", "line 4, got an empty line"),
    (CSV + "1,\n", "line 4, got '1,'"),
    (CSV + "9999999999999999999999,1\n", "line 4"),
    (CSV + "1,65536\n", "got 1,65536 in line 4"),
    ("\x00\x01\n", "line 1"),
]


@pytest.mark.parametrize(("text", "words"), WRONG_CSV, ids=range(len(WRONG_CSV)))
def test_wrong_csv(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError) as problem:
        read_csv(path)
    assert words in str(problem.value)
    assert str(path) in str(problem.value)


def test_csv_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"row, column\r\n 1, 2 \r\n30,4")
    assert read_csv(path).tolist() == [[1, 2], [30, 4]]


@given(junk=st.binary(max_size=200))
def test_junk_is_damage_or_points(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("junk") / "a.csv"
    path.write_bytes(b"row,column\n" + junk)
    try:
        assert read_csv(path).shape[1] == 2
    except DataError as problem:
        assert "\n" not in str(problem)


def test_wrong_npy(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array, words in (
        (np.zeros((2, 3, 2)), "float64"),
        (np.full((2, 3, 2), np.nan), "float64"),
        (np.zeros((6, 2), int), "(6, 2)"),
        (np.full((1, 1, 2), -1), "-1"),
        (np.full((1, 1, 2), 65536), "65536"),
        (np.array([None]), "Python objects"),
    ):
        np.save(path, array, allow_pickle=True)
        with pytest.raises(DataError, match="expected") as problem:
            read_npy(path)
        assert words in str(problem.value)


def test_damaged_npy(tmp_path: Path) -> None:
    with Written(plan_of(), "npy", "a.npy") as (path, _):
        whole = path.read_bytes()
    path = tmp_path / "a.npy"
    for content in (b"", b"\x93NUMPY", whole[:60], whole[:-1], whole + b"\0", b"PK" + whole):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.npy"):
            read_npy(path)
    with pytest.raises(InputNotFoundError, match=r"b\.npy"):
        read_npy(tmp_path / "b.npy")
