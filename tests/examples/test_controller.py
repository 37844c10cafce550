"""The example of a third party's controller, seen as installed, through its own tests and the command line."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stemscan.acquisition.conformance import ControllerConformance
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan, stemscan
from tests.plugin_kit import ROOT, install_example

__all__ = ["stemscan"]

CHECKS = [name for name in dir(ControllerConformance) if name.startswith("test_")]
FILE = ROOT / "examples" / "controller" / "stemscan_grating.py"


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    install_example("controller", tmp_path_factory.mktemp("installed"), monkeypatch)


@pytest.fixture
def own_tests() -> Iterator[Any]:
    """The example's own module of tests."""
    yield importlib.import_module("test_grating")
    sys.modules.pop("test_grating")


@pytest.mark.parametrize("check", CHECKS)
def test_conformance(own_tests: Any, check: str) -> None:
    getattr(own_tests.TestGrating(), check)()


def test_the_others(own_tests: Any, tmp_path: Path) -> None:
    own_tests.test_lines_are_where_they_should_be(tmp_path)


def test_by_name_and_by_file(stemscan: Stemscan) -> None:
    """The same store, resumed to the same store."""
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "-q").code == 0
    for number, controller in enumerate(("grating:9", f"{FILE}:open_grating:9")):
        done = stemscan("acquire", "plan.yaml", "-o", f"{number}.zarr", "--controller", controller, "--set", "seed=3")
        assert (done.code, done.err) == (0, "")
        assert f"controller  {controller}" in done.out
    stores = [Acquisition.open(f"{number}.zarr") for number in range(2)]
    assert stores[0].digest() == stores[1].digest()
    assert stores[0].seed == 3
    again = ("acquire", "plan.yaml", "-o", "0.zarr", "--controller", "grating:9", "--resume", "--json")
    assert json.loads(stemscan(*again, "--set", "seed=3").out)["samples"] == 0
    assert "expected the seed with which" in stemscan(*again, "--set", "seed=4").err


BAD = """
from stemscan_grating import Grating

def half(request):
    class Half: ...
    return Half()

def breaks(request):
    return 1 / 0

class Weird(Grating):
    provenance = property(lambda self: 1 / 0)

class Stuck(Grating):
    def read(self, max_samples):
        raise OSError("no beam")

class Sticky(Grating):
    def close(self):
        raise OSError("the valve is stuck")

def weird(request): return Weird()
def stuck(request): return Stuck()
def sticky(request): return Sticky()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("nowhere",),
            2,
            "controller to be one of virtual, obi, replay, grating or file.py",
        ),
        (("grating:1",), 2, "expected a grating of at least 2 pixels a line, got 1"),
        (("grating:wide",), 2, "expected numbers as grating:12"),
        (("grating", "--set", "colour=red"), 2, "expected settings angle and seed of the grating, got colour"),
        (("grating", "--set", "seed"), 2, "--set: expected NAME=VALUE, got 'seed'"),
        (("grating", "--specimen", "crystal:Si"), 2, "--specimen: expected no such option with the controller"),
        (
            ("virtual", "--specimen", "crystal:Si", "--set", "a=1"),
            2,
            "--set: expected no such option with",
        ),
        (("none.py:open_it",), 2, "the file of controller none.py:open_it"),
        (("bad.py:nothing",), 2, "it has half, breaks"),
        (
            ("bad.py:half",),
            1,
            "bad.py:half to make a ScanController, got Half without capab",
        ),
        (("bad.py:breaks",), 1, "bad.py:breaks to open, got ZeroDivisionError: division by zero, line 9"),
        (("bad.py:weird",), 1, "expected the grating to work, got ZeroDivisionError"),
        (("bad.py:stuck",), 1, "expected the grating to work, got OSError: no beam"),
        (("bad.py:sticky",), 1, "expected the grating to work, got OSError: the valve is stuck"),
    ],
)
def test_bad_use_is_one_sentence(stemscan: Stemscan, arguments: tuple[str, ...], code: int, words: str) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32", "-q").code == 0
    Path("bad.py").write_text(BAD)
    done = stemscan("acquire", "plan.yaml", "-o", "a.zarr", "--controller", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
