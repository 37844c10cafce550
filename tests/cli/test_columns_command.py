"""`stemscan columns` through the real command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from tifffile import imwrite

from tests.cli.conftest import Stemscan
from tests.recon.columns.columns_kit import crystal, render


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


def test_columns_of_an_image(stemscan: Stemscan) -> None:
    counts = np.random.default_rng(2).poisson(10 * render(crystal(160, seed=3))).astype(np.uint16)
    imwrite("counts.tif", counts)
    imwrite("relative.tif", (counts / 10).astype(np.float32))
    options = ("--dose", 10, "--pixel-size", "10pm", "--json")
    done = stemscan("columns", "counts.tif", "-o", "a.csv", *options, "--png", "a.png")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["columns"] > 25
    assert "row_nm" in Path("a.csv").read_text().splitlines()[0]
    scaled = stemscan("columns", "relative.tif", "-o", "b.csv", *options, "--gain", 0.1)
    assert json.loads(scaled.out)["columns"] == report["columns"]
    imwrite("grey.tif", (30 * counts).clip(max=255).astype(np.uint8))
    grey = stemscan("columns", "grey.tif", "-o", "c.csv", "--dose", 10)
    assert grey.code == 0
    assert "saturated" in grey.out
    assert "8 bits" in grey.err
    assert len(Path("c.csv").read_text().splitlines()) == 1


def test_what_is_no_scan_is_refused(stemscan: Stemscan) -> None:
    np.save("image.npy", np.full((32, 32), 0.5))
    Path("folder").mkdir()
    for arguments, code, words in (
        (("image.npy",), 2, "--dose"),
        (("image.npy", "--dose", 10), 2, "--gain"),
        (("image.npy", "--dose", 10, "--offset", 3), 2, "gain"),
        (("nothing.tif", "--dose", 10), 2, "does not exist"),
        (("folder",), 1, "folder"),
    ):
        done = stemscan("columns", *arguments, "-o", "columns.csv")
        assert (done.code, done.err.count("\n")) == (code, 1)
        assert words in done.err
        assert not Path("columns.csv").exists()
