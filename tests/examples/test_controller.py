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
import time; from stemscan.acquisition.scan_controller import Capabilities
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

class Leaves(Grating):
    def read(self, max_samples):
        raise SystemExit("enough")

class Numbered(Grating):
    detector = 3

class Backwards(Grating):
    capabilities = Capabilities("backwards", max_batch="a")

class Placeless(Grating):
    provenance = {}

def leaves(request): return Leaves()
def numbered(request): return Numbered()
def backwards(request): return Backwards()
def placeless(request): return Placeless()
def quits(request): raise SystemExit
def hangs(request): time.sleep(60)
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
        (("grating:1",), 2, "expected a grating of at least 2 pixels per line, got 1"),
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
        (("bad.py:breaks",), 1, "bad.py:breaks to open, got ZeroDivisionError: division by zero, line 10"),
        (("bad.py:quits",), 1, "bad.py:quits to open, got SystemExit, line 4"),
        (("bad.py:hangs", "--timeout", "0.2s"), 1, "bad.py:hangs to open within 0.2 s, got no answer; check"),
        (("bad.py:leaves",), 1, "the grating to work, got SystemExit: enough, line 25 of"),
        (("bad.py:numbered",), 1, "the detector of the grating as DetectorInfo, got int; report"),
        (("bad.py:backwards",), 1, "expected backwards to deliver batches of at least 1 sample, got 'a'; report"),
        (("bad.py:placeless",), 1, "the provenance of the grating as Provenance, got dict; report"),
        (("bad.py:weird",), 1, "expected the grating to work, got ZeroDivisionError: division by zero, line 13 of"),
        (("bad.py:stuck",), 1, "expected the grating to work, got OSError: no beam, line 17 of"),
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
    assert ("resume to go on" in done.err) == Path("a.zarr").exists()


def test_a_close_that_fails_spoils_nothing(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32", "-q").code == 0
    Path("bad.py").write_text(BAD)
    done = stemscan("acquire", "plan.yaml", "-o", "a.zarr", "--controller", "bad.py:sticky")
    assert done.code == 0, done.err
    assert done.err.startswith("warning: expected the grating to work, got OSError: the valve is stuck, line 21 of")
    assert Acquisition.open("a.zarr").state == "complete"
