"""`stemscan evaluate` through the real command line."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from tests.cli.conftest import Stemscan
from tests.recon.sampling_kit import lattice

SMALL = ("--synthetic", 1, "--size", 64, "--ratios", "3", "--doses", "10", "--processes", 1)


def test_tables_figures_and_going_on(stemscan: Stemscan) -> None:
    done = stemscan("evaluate", "-o", "e", *SMALL, "--methods", "nearest")
    assert (done.code, done.err) == (0, "")
    assert "3 cases, 3 computed now, 0 failed" in done.out
    names = {path.name for path in Path("e").iterdir()}
    assert names == {
        "evaluation.json",
        "cache",
        "rows.csv",
        "tables.md",
        "psnr-seconds-synthetic-poisson.png",
        "panel-synthetic-000-poisson.png",
    }
    assert "stemscan evaluate --output e --methods nearest" in Path("e/tables.md").read_text()
    more = ("--panels", 0, "--methods", "nearest,linear", "--method", "alone=normconv,width=2", "--json")
    report = json.loads(stemscan("evaluate", "-o", "e", *SMALL, *more).out)
    assert (report["cases"], report["computed"], report["failed"]) == (5, 2, 0)
    assert [one["contender"] for one in report["means"]] == ["nearest", "linear", "alone", "constant", "normconv"]
    assert report["means"][0]["psnr"] > 8
    assert stemscan("evaluate", "-o", "e", *SMALL, "--methods", "nearest", "--panels", 0, "-q").out == ""
    again = stemscan(
        "evaluate", "-o", "e", *SMALL, "--methods", "nearest", "--recompute", "nearest", "--panels", 0, "--json"
    )
    assert json.loads(again.out)["computed"] == 1


def test_parquet_says_what_csv_says(stemscan: Stemscan) -> None:
    options = (*SMALL, "--methods", "nearest", "--panels", 0)
    done = stemscan("evaluate", "-o", "e", *options, "--parquet", "--json")
    assert json.loads(done.out)["files"][:2] == ["rows.csv", "rows.parquet"]
    table = pyarrow.parquet.read_table("e/rows.parquet")
    with Path("e/rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(rows[0])
    assert [str(kind) for kind in table.schema.types[3:5]] == ["int64", "double"]
    for row, typed in zip(rows, table.to_pylist(), strict=True):
        for name, text in row.items():
            value = typed[name]
            shown = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
            assert shown == text
    assert any(row["within_1_sd"] == "" for row in rows)
    assert "--parquet" not in Path("e/tables.md").read_text()
    stemscan("evaluate", "-o", "e", *options, "--quiet")
    assert not Path("e/rows.parquet").exists()


def test_parquet_without_pyarrow_is_told_before_the_work(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = stemscan("evaluate", "-o", "e", *SMALL, "--parquet")
    assert (done.code, Path("e").exists()) == (1, False)
    assert 'pip install "stemscan[parquet]"' in done.err


def test_folder_of_images_and_shared_cache(stemscan: Stemscan) -> None:
    Path("images").mkdir()
    np.save("images/a.npy", lattice((40, 40)))
    np.save("images/b.npy", lattice((32, 40), 9.0))
    np.save("images/flat.npy", np.zeros((40, 40)))
    options = (
        "--images",
        "images",
        "--ratios",
        "3",
        "--doses",
        "10",
        "--methods",
        "constant,normconv",
        "--processes",
        1,
    )
    done = stemscan("evaluate", "-o", "e", *options, "--cache", "rows", "--panels", 0, "--noise", "poisson,published")
    assert done.code == 0
    assert done.err.startswith("warning: flat.npy was left out")
    assert "2 real images, published" in done.out
    only = stemscan("evaluate", "-o", "f", *options, "--cache", "rows", "--only", "b", "--panels", 0, "--json")
    assert json.loads(only.out)["computed"] == 0
    assert not Path("e/cache").exists()


def test_a_method_that_fails_is_told_at_the_end(stemscan: Stemscan) -> None:
    done = stemscan(
        "evaluate", "-o", "e", *SMALL, "--method", "bare=fshnet:fshnet-paper", "--passes", 3, "--panels", 0, "--json"
    )
    assert done.code == 1
    assert json.loads(done.out)["failed"] == 1
    assert done.err.count("\n") == 1
    assert "bare on synthetic-000" in done.err
    assert "expected at least 4 passes" in Path("e/rows.csv").read_text()


def test_a_folder_without_images_is_said_in_a_whole_sentence(stemscan: Stemscan) -> None:
    Path("empty").mkdir()
    done = stemscan("evaluate", "-o", "e", "--images", "empty", "--methods", "constant")
    assert done.code == 2
    assert done.err.endswith("got none; none is there by its suffix; name another folder\n")


def test_images_that_are_not_there_leave_no_folder(stemscan: Stemscan) -> None:
    done = stemscan("evaluate", "-o", "e", "--images", "none", "--methods", "constant")
    assert done.code == 2
    assert "expected a folder of images" in done.err
    assert not Path("e").exists()


BAD = [
    ("--ratios", "3,x", "numbers"),
    ("--ratios", "0", "1 to 64"),
    ("--doses", "0", "doses"),
    ("--noise", "gauss", "gauss"),
    ("--method", "magic", "magic"),
    ("--methods", ",", "expected names of methods"),
    ("--device", "gpu", "expected a device of this machine"),
    ("--weights", "fshnet", "METHOD=FILE"),
    ("--weights", "fshnet=none.safetensors", "none.safetensors"),
    ("--only", "a", "--images"),
    ("--images", "nowhere", "nowhere"),
    ("--synthetic", "0", "at least one image"),
    ("--size", "100", "multiple of 8"),
    ("--recompute", "magic", "magic"),
    ("--threads", "0", "--threads"),
    ("--processes", "0", "at least 1 process"),
    ("--panels", "-1", "--panels"),
    ("--seed", "-1", "seed"),
    ("-o", "none/e", "none"),
    ("-o", "other", "other files"),
]


@pytest.mark.parametrize(("option", "value", "words"), BAD, ids=[f"{one[0]} {one[1]}" for one in BAD])
def test_bad_use_is_one_sentence(stemscan: Stemscan, option: str, value: str, words: str) -> None:
    Path("other").mkdir()
    Path("other/thesis.tex").write_text("...")
    weights_of = ("--methods", "fshnet") if option == "--weights" else ("--methods", "constant")
    output = () if option == "-o" else ("-o", "e")
    done = stemscan("evaluate", *output, "--synthetic", 1, "--size", 64, *weights_of, option, value)
    assert done.code == 2, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert not Path("e/rows.csv").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--task", "films"), "images or columns, got 'films'"),
        (("--task", "columns", "--images", "."), "made crystals alone"),
        (("--task", "columns", "--synthetic", 2), "made crystals alone"),
        (("--task", "columns", "--noise", "published"), "poisson or eq5"),
        (("--task", "columns", "--only", "silk"), "perovskite"),
        (("--task", "columns", "--size", 100), "multiple of 8"),
        (("--task", "columns", "--specimen-seeds", "1,1"), "each seed once"),
        (("--specimen-seeds", "1"), "--task columns beside it"),
    ],
)
def test_bad_use_of_the_task_of_columns(stemscan: Stemscan, options: tuple[object, ...], words: str) -> None:
    done = stemscan("evaluate", "-o", "e", "--methods", "normconv", *options)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not Path("e").exists()


def test_columns_of_made_crystals(stemscan: Stemscan) -> None:
    small = ("--size", 128, "--only", "metal edge", "--ratios", 6, "--specimen-seeds", 3, "--processes", 1)
    done = stemscan("evaluate", "-o", "e", "--task", "columns", "--methods", "normconv", *small, "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["files"] == ["rows.csv", "tables.md", "limits.png"]
    assert {one["contender"] for one in told["means"]} >= {"fit to counts", "normconv"}
    assert all(one["slope"] is None or -1 < one["slope"] < 3 for one in told["means"])


def test_no_scheduler_at_the_address(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    done = stemscan("evaluate", "-o", "e", *SMALL, "--methods", "constant", "--scheduler", "local")
    assert done.code == 1
    assert "stemscan[cluster]" in done.err
    assert not Path("e").exists()
