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


CHATTY = """
import sys
import numpy as np
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.acquisition.armed_range import ArmedRange
from stemscan.acquisition.scan_controller import Capabilities

print("imported")

def flat(inputs, mode: str = "", rate: float = 1.0):
    print("running")
    return np.full(inputs.shape, rate)

def leave(inputs):
    sys.exit("enough")

class Ones:
    capabilities, detector = Capabilities("ones"), DetectorInfo(unit="electron", dtype="uint16")

    def __init__(self, request):
        print("open")
        self.range = ArmedRange()
        self.arm, self.start = self.range.arm, self.range.start

    def read(self, most):
        print("reading")
        return self.range.read(most, lambda path, start, stop: SampleBatch(start, np.ones(stop - start, np.uint16)))

    def abort(self):
        self.range.drop()

    close = abort
"""


def test_what_plugins_print_stays_out_of_json(stemscan: Stemscan, plan: str) -> None:
    Path("chatty.py").write_text(CHATTY)
    done = stemscan("acquire", plan, "-o", "a.zarr", "--controller", "chatty.py:Ones", "--json")
    assert json.loads(done.out)["samples"] == 16 * 3
    assert all(word in done.err for word in ("imported", "open", "reading"))
    for mode in ("yes", "3", "1e0", "null", "[1"):
        settings = ("--set", f"mode={mode}", "--set", "rate=2e-1", "--json", "--overwrite")
        done = stemscan("recon", "a.zarr", "-o", "a.npy", "--method", "chatty.py:flat", *settings)
        assert done.code == 0, done.err
        told = json.loads(done.out)["settings"]
        assert (told["mode"], told["rate"], "running" in done.err) == (mode, 0.2, True)
    grid = ("--synthetic", "1", "--size", "64", "--ratios", "3", "--doses", "10", "--passes", "1")
    done = stemscan(
        "evaluate",
        "-o",
        "out",
        "--method",
        "chatty.py:flat",
        "--method",
        "chatty.py:leave",
        *grid,
        "--processes",
        "2",
        "--json",
    )
    assert json.loads(done.out)["failed"] == 1, done.err
    assert "first chatty.py:leave on" in done.err
    assert "SystemExit: enough, line 15 of" in done.err


def test_a_setting_stands_once(stemscan: Stemscan, plan: str) -> None:
    Path("chatty.py").write_text(CHATTY)
    twice = ("--set", "rate=1", "--set", "rate=2")
    assert stemscan("acquire", plan, "-o", "a.zarr", "--controller", "chatty.py:Ones").code == 0
    done = stemscan("recon", "a.zarr", "-o", "a.npy", "--method", "chatty.py:flat", *twice)
    assert (done.code, "rate twice; keep one" in done.err) == (2, True)
    done = stemscan("acquire", plan, "-o", "b.zarr", "--controller", "chatty.py:Ones", *twice)
    assert (done.code, "rate twice; keep one" in done.err) == (2, True)
