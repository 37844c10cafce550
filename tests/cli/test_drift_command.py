"""`stemscan drift` and `recon --drift`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Stemscan

INSTRUMENT = "version: 1\nname: moving\nstage_drift:\n  polynomial_nm: [[600.0, 300.0]]\n"


def test_drift_is_found_kept_drawn_used_and_undone(stemscan: Stemscan) -> None:
    Path("moving.yaml").write_text(INSTRUMENT)
    plan = ("plan", "-o", "plan.yaml", "--shape", "128x128", "--per-block", "8", "--pixel-size", "0.01nm")
    assert stemscan(*plan).code == 0
    specimen = "crystal:SrTiO3[001]?turn=3&displaced=0.2"
    assert stemscan("simulate", "plan.yaml", specimen, "-o", "acq.zarr", "--instrument", "moving.yaml").code == 0
    done = stemscan("drift", "acq.zarr", "--png", "drift.png", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert report["verdict"] == "drift"
    assert report["stored"]
    row, column = report["next_pass"]["offset"]
    assert row < 0
    assert column < 0
    assert Path("drift.png").read_bytes().startswith(b"\x89PNG")
    again = stemscan("drift", "acq.zarr")
    assert again.code == 2
    assert "--undo" in again.err
    assert stemscan("verify", "acq.zarr").code == 0
    drawn = stemscan("info", "acq.zarr", "--png", "info.png")
    assert (drawn.code, drawn.err) == (0, "")
    assert "info.png: path, corner, trajectory, counts, dose, statistics" in drawn.out
    assert Path("info.png").read_bytes().startswith(b"\x89PNG")
    assert "which exists" in stemscan("info", "acq.zarr", "--png", "info.png").err
    wrong = stemscan("info", "plan.yaml", "--png", "plan.png")
    assert (wrong.code, "expected an acquisition store" in wrong.err, Path("plan.png").exists()) == (2, True, False)
    recon = ("recon", "acq.zarr", "-o", "image.npy", "--method", "normconv", "--drift", "stored")
    assert "undone, stored" in stemscan(*recon).out
    assert stemscan("drift", "acq.zarr", "--undo").code == 0
    assert not Path("acq.zarr/drift").exists()
    refused = stemscan(*recon, "--overwrite")
    assert refused.code == 1
    assert "stemscan drift" in refused.err


def test_wrong_words_are_refused_before_the_work(stemscan: Stemscan) -> None:
    for arguments in (("recon", "no.zarr", "-o", "image.npy", "--drift", "always"), ("drift", "a", "--png", "b.jpg")):
        done = stemscan(*arguments)
        assert done.code == 2
        assert done.err.count("\n") == 1
