"""Mistakes that people make first: one sentence with what was expected and what to do, and a question after a typo."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Stemscan

MISTAKES = [
    (["simulate"], "expected PLAN, got none; write for example stemscan simulate plan.yaml"),
    (["recon", "acq.zarr"], "expected -o or --output OUT, got none; write for example stemscan recon acq.zarr -o"),
    (["simulat"], "did you mean 'simulate'?"),
    (["plan", "chek"], "did you mean 'check'?"),
    (["plan", "mine.yaml"], "write a plan by stemscan plan -o mine.yaml"),
    (["simulate", "p.yaml", "crystal:Si", "--out", "x.zarr"], "did you mean '--output'?"),
    (
        ["simulate", "p.yaml", "crystal:Si", "--method", "fshnet"],
        "--method belongs to stemscan evaluate, stemscan recon",
    ),
    (["simulate", "crystal:Si", "p.yaml", "-o", "x.zarr"], "change their order"),
    (["recon", "a.zarr", "b.zarr", "-o", "x.tif"], "expected no further argument, got b.zarr"),
    (["recon", "a.zarr", "-o", "x.tif", "--method", "BLEND"], "did you mean 'blend'?"),
    (["methods", "bland"], "did you mean 'blend'?"),
    (["plan", "-o", "p.yaml", "--passes", "four"], "expected a whole number"),
    (["train", "qick", "-o", "run"], "did you mean 'quick'?"),
    (["evaluate", "-o", "e", "--noise", "possion"], "did you mean 'poisson'?"),
    (["weights"], "expected a command, got none"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_first_mistakes(stemscan: Stemscan, arguments: list[str], words: str) -> None:
    done = stemscan(*arguments)
    assert done.code in (1, 2)
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err


def test_a_folder_or_file_in_place_of_a_store(stemscan: Stemscan, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.yaml").write_text("version: 1\n")
    assert "got another folder" in stemscan("recon", "folder", "-o", "x.tif").err
    assert "got a file, and stores are folders" in stemscan("recon", "file.yaml", "-o", "x.tif").err


def test_mistyped_presets(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "p.yaml", "--shape", "32x32").code == 0
    done = stemscan("simulate", "p.yaml", "crystal:Si", "-o", "x.zarr", "--instrument", "driftng")
    assert "did you mean 'drifting'?" in done.err
    assert "did you mean 'obi'?" in stemscan("plan", "check", "p.yaml", "--profile", "obii").err
