"""`stemscan columns` through the real command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.cli.conftest import Stemscan


def test_columns_of_a_crystal(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "192x192", "--pixel-size", "0.02nm", "--dose", "30").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:SrTiO3", "-o", "acq.zarr").code == 0
    done = stemscan("columns", "acq.zarr", "-o", "columns.csv", "--png", "columns.png", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    with Path("columns.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["kind"] != "empty" for row in rows) == report["columns"] >= 170
    assert Path("columns.png").read_bytes().startswith(b"\x89PNG")
    again = stemscan("columns", "acq.zarr", "-o", "columns.csv")
    assert again.code == 2
    assert "--overwrite" in again.err
    assert "position known to" in stemscan("columns", "acq.zarr", "-o", "columns.csv", "--overwrite").out


def test_wrong_names_are_refused_before_the_work(stemscan: Stemscan) -> None:
    for arguments in (("-o", "columns.xlsx"), ("-o", "columns.csv", "--png", "picture.gif")):
        done = stemscan("columns", "nothing.zarr", *arguments)
        assert done.code == 2
        assert done.err.count("\n") == 1
