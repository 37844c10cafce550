"""The example of a third party's method, seen as installed, through its own tests and the command line."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Stemscan, stemscan
from tests.plugin_kit import ROOT, install_example
from tests.recon.test_conformance import TESTS

__all__ = ["stemscan"]


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    install_example("method", tmp_path_factory.mktemp("installed"), monkeypatch)


@pytest.fixture
def own_tests() -> Any:
    """The example's own module of tests."""
    yield importlib.import_module("test_idw")
    sys.modules.pop("test_idw")


@pytest.mark.parametrize("test", TESTS)
def test_conformance(own_tests: Any, test: str) -> None:
    getattr(own_tests.TestIdw(), test)()


def test_the_others(own_tests: Any) -> None:
    own_tests.test_error_of_a_flat_specimen()


def test_commands(stemscan: Stemscan) -> None:
    """By name and by file: the same image, settings, help, and a place in an evaluation."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr").code == 0
    file = ROOT / "examples" / "method" / "stemscan_idw.py"
    reports = []
    for number, method in enumerate(("idw", f"{file}:idw")):
        done = stemscan("recon", "a.zarr", "-o", f"{number}.tif", "--method", method, "--set", "power=3", "--json")
        assert (done.code, done.err) == (0, "")
        reports.append(json.loads(done.out))
    assert [report["method"] for report in reports] == ["idw", "stemscan_idw.py:idw"]
    assert reports[0]["metrics"] == reports[1]["metrics"]
    assert reports[0]["settings"]["power"] == 3
    assert str(ROOT) not in json.dumps(reports)
    assert "idw" in stemscan("methods").out
    told = stemscan("methods", "idw").out
    assert "idw: Weight the nearest samples of every pixel by their distance" in told
    assert "power: float = 2.0\n      Power of the distance by which weights fall." in told
    small = ("--synthetic", 1, "--size", 64, "--ratios", "3", "--doses", "10", "--processes", 2, "--panels", 0)
    both = ("--method", "idw", "--method", f"steep={file}:idw,power=4.0")
    done = stemscan("evaluate", "-o", "e", *small, *both, "--json")
    assert (done.code, done.err) == (0, "")
    assert [one["contender"] for one in json.loads(done.out)["means"]] == ["idw", "steep", "constant", "normconv"]
    again = stemscan("evaluate", "-o", "e", *small, *both, "--json")
    assert json.loads(again.out)["computed"] == 0
    assert "stemscan_idw.py:idw" in Path("e/rows.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--method", "idw", "--set", "power=steep"), 2, "setting power of method idw to be a valid number"),
        (("--method", "idw", "--set", "radius=3"), 2, "settings of method idw (power, neighbours), got 'radius'"),
        (("--method", "idw", "--device", "cuda"), 2, "method idw runs on the CPU only"),
        (("--method", "idw", "--weights", "a.yaml"), 2, "no weights for method idw"),
        (("--method", "none.py:idw"), 2, "the file of method none.py:idw"),
        (("--method", "bad.py"), 2, "write bad.py:run"),
        (("--method", "bad.py:walk"), 2, "it has run, jump"),
        (("--method", "bad.py:run"), 1, "ZeroDivisionError: division by zero, line 2 of"),
        (("--method", "worse.py:run"), 1, "ModuleNotFoundError: No module named 'nowhere', line 1 of"),
    ],
)
def test_bad_use_is_one_sentence(stemscan: Stemscan, arguments: tuple[str, ...], code: int, words: str) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32").code == 0
    assert stemscan("simulate", "plan.yaml", "crystal:Si", "-o", "a.zarr").code == 0
    Path("bad.py").write_text("def run(inputs):\n    return 1 / 0\n\ndef jump(): ...\n")
    Path("worse.py").write_text("import nowhere\n")
    done = stemscan("recon", "a.zarr", "-o", "a.tif", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: expected ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert not Path("a.tif").exists()
