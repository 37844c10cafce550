"""Completion in the shell: names of commands, options and values, without compiled libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Stemscan


@pytest.fixture
def folder(stemscan: Stemscan, tmp_path: Path) -> Path:
    """A folder with a plan and a store of two channels."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32", "--pixel-size", "0.05nm").code == 0
    words = ("simulate", "plan.yaml", "crystal:SrTiO3", "-o", "acq.zarr", "--detector", "haadf", "--detector", "abf")
    assert stemscan(*words).code == 0
    (tmp_path / "sub").mkdir()
    return tmp_path


def _completed(folder: Path, line: str) -> list[str]:
    """Words that the shell is offered at the end of a line."""
    words = line.split(" ")
    code = (
        "import sys; sys.argv = ['stemscan']\n"
        "from stemscan.cli.main import run\n"
        "try:\n    run()\n"
        "finally:\n    print([m for m in ('numba', 'torch') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={
            **os.environ,
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_STEMSCAN_COMPLETE": "complete_bash",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
    return done.stdout.split()


LINES = [
    ("stemscan rec", ["recon"]),
    ("stemscan plan exp", ["export"]),
    ("stemscan recon --chan", ["--channel"]),
    ("stemscan recon acq.zarr --method fo", ["fourier-eb"]),
    ("stemscan recon acq.zarr --channel ", ["haadf", "abf", "all"]),
    ("stemscan recon ", ["acq.zarr", "sub/"]),
    ("stemscan simulate plan.yaml x --instrument b", ["beam-sensitive"]),
    ("stemscan plan --pattern bl", ["block-random", "blue-noise"]),
    ("stemscan plan export plan.yaml --to abt", ["abtem"]),
]


def test_names_are_completed(folder: Path) -> None:
    assert {line: _completed(folder, line) for line, _ in LINES} == dict(LINES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_the_shells(shell: str) -> None:
    code = f"from stemscan.cli.main import run\nrun(['--show-completion', {shell!r}])"
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"complete_{shell}" in done.stdout
