"""Plug-ins in commands: built-in names that packages take, too, and plug-ins that print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Stemscan
from tests.plugin_kit import install

CRYSTAL = "crystal:Si"


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def plan(stemscan: Stemscan) -> str:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32", "--passes", "1", "-q").code == 0
    return "plan.yaml"


def test_names_that_packages_take_break_no_command(stemscan: Stemscan, plan: str, tmp_path: Path) -> None:
    install(tmp_path / "1", "taker", "stemscan.controllers", "virtual = no_such:f")
    install(tmp_path / "2", "grabber", "stemscan.methods", "nearest = no_such:f\nodd = !!")
    done = stemscan("simulate", plan, CRYSTAL, "-o", "s.zarr", "-q")
    assert (done.code, done.err) == (0, "")
    done = stemscan("acquire", plan, "-o", "a.zarr", "--controller", "virtual", "--specimen", CRYSTAL)
    assert (done.code, done.err[:8]) == (0, "warning:")
    assert "got the built-in one, which is taken, and that of package taker 1.2" in done.err
    done = stemscan("recon", "a.zarr", "-o", "a.npy", "--method", "nearest")
    assert (done.code, "which is taken, and that of package grabber 1.2 (no_such:f)" in done.err) == (0, True)
    told = json.loads(stemscan("methods", "--json").out)
    assert [reason.split(", got")[0] for reason in told["unusable"]] == [
        "expected one method of the name nearest",
        "expected method odd as module:function",
    ]
    assert "odd" not in told["methods"]
    assert stemscan("methods").out.count("Not usable: expected") == 2
    done = stemscan("recon", "a.zarr", "-o", "b.npy", "--method", "odd")
    assert (done.code, done.err.count("\n")) == (1, 1)
