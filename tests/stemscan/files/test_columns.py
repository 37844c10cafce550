"""Names of columns decide what is row and what is column, in every reader of coordinates, or they are refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import StemscanError, UsageError
from stemscan.files.arrays import read_array
from stemscan.files.by_content import points_to_scan, read_points
from stemscan.files.columns import has_coordinates, in_pixels, read_columns
from stemscan.hardware.exporters import read_csv
from stemscan.hardware.profile import load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.paper.published_weights import import_published
from stemscan.recon.training.config import TrainingConfig


def table(path: Path, text: str) -> Path:
    file = path / "points.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n20,3\n10,7\n",
        "y,x\n3,20\n7,10\n",
        "row,column\n3,20\n7,10\n",
        "Column;Row\n20;3\n10;7\n",
        "id,X (px),Y (px)\n1,20,3\n2,10,7\n",
        "x_px y_px\n20 3\n10 7\n",
        '"pos_x","pos_y"\n20,3\n10,7\n',
        "# x,y\n20,3\n10,7\n",
        "# made by hand\n# x y\n20 3\n10 7\n",
        "# a scan of 32 x 32\n3,20\n7,10\n",
        "3,20\n7,10\n",
        "value,y,x\n9,3,20\n8,7,10\n",
    ],
)
def test_names_decide(tmp_path: Path, text: str) -> None:
    assert read_points(table(tmp_path, text), (32, 32)).tolist() == [[3, 20], [7, 10]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n20,3\n", "columns named row and column, or y and x, .* got a, b"),
        ("x,z\n20,3\n", "got x, z"),
        ("x,column\n20,3\n", "two for the column"),
        ("x [nm],y [px]\n20,3\n", "one unit"),
        ("x [furlong],y [furlong]\n20,3\n", "got 'furlong'"),
        ("# position in x, position in y\n20,3\n", "which may name them in this order"),
        ("1,20,3\n2,10,7\n", "name the columns"),
        ("pass,row,column\n0,1,2\n", "a column of passes"),
        ("x [nm],y [nm]\n20,3\n", "--pixel-size"),
        ("row,column\n1.5,3\n", "--round"),
    ],
)
def test_what_names_do_not_say_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StemscanError, match=words):
        read_points(table(tmp_path, text), (32, 32))


def test_lengths_become_pixels(tmp_path: Path) -> None:
    for name, scale in (("nm", 0.02), ("Å", 0.2), ("pm", 20), ("angstroms", 0.2)):
        file = table(tmp_path, f"x [{name}],y [{name}]\n{7 * scale},{3 * scale}\n{0.4 * scale},{1.25 * scale}\n")
        found = points_to_scan(file, (8, 8), pixel_size_nm=0.02, rounding=True)
        assert found.points.tolist() == [[3, 7], [1, 0]]
        assert found.furthest_px == pytest.approx(np.hypot(0.25, 0.4))
        with pytest.raises(StemscanError, match="--round"):
            points_to_scan(file, (8, 8), pixel_size_nm=0.02)


def test_columns_of_an_array_are_named_by_the_command(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[20, 3, 5], [10, 7, 6]]))
    columns = read_columns(tmp_path / "a.npy", "x,y,counts")
    assert columns.positions.tolist() == [[3, 20], [7, 10]]
    assert columns.numbers["counts"].tolist() == [5, 6]
    with pytest.raises(UsageError, match="expected 3 names of columns"):
        read_columns(tmp_path / "a.npy", "x,y")
    with pytest.raises(UsageError, match="keep one"):
        read_columns(table(tmp_path, "x,y\n1,2\n"), "x,y")


def test_pictures_and_damaged_tables_have_no_coordinates(tmp_path: Path) -> None:
    assert has_coordinates(table(tmp_path, "x,y,value\n1,2,3\n"))
    assert not has_coordinates(table(tmp_path, "1,2,3\n"))
    assert not has_coordinates(table(tmp_path, "?"))


def test_the_nameless_table_of_de_freescan_is_not_transposed(tmp_path: Path) -> None:
    file = tmp_path / "20260102_00003_scan_coordinates.csv"
    file.write_text("20,3\n10,7\n")
    with pytest.raises(UsageError, match="--columns x,y"):
        read_columns(file)
    assert read_columns(file, "x,y").positions.tolist() == [[3, 20], [7, 10]]


def test_the_nearest_pixel_is_inside(tmp_path: Path) -> None:
    file = table(tmp_path, "-0.5,7.49\n")
    assert points_to_scan(file, (8, 8), rounding=True).points.tolist() == [[0, 7]]
    with pytest.raises(StemscanError, match="inside the grid"):
        points_to_scan(table(tmp_path, "0,7.5\n"), (8, 8), rounding=True)
    columns = read_columns(table(tmp_path, "0,7.5\n"))
    np.testing.assert_array_equal(in_pixels(columns, None, file), [[0, 7.5]])


def test_sparse_arrays_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": (1 << 33, 2)})
        out.truncate(out.tell() + (1 << 37))
    with pytest.raises(StemscanError, match="one list of points"):
        read_points(file, (8, 8))


READERS: list[Callable[[Path], object]] = [
    ScanPlan.load,
    load_profile,
    TrainingConfig.load,
    read_array,
    read_columns,
    read_csv,
    lambda path: import_published(path, path.with_name("w.safetensors")),
]


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_may_never_end_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    for read in READERS:
        with pytest.raises(StemscanError, match="a pipe, device or socket|profile"):
            read(path)
