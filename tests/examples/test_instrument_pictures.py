"""The pictures of instruments can be drawn."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.plugin_kit import ROOT

FOLDER = ROOT / "examples" / "instrument"


@pytest.mark.parametrize("name", ["motion", "optics", "exposure", "detector"])
def test_a_picture_is_drawn(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / f"{name}.png"
    monkeypatch.setattr(sys, "argv", [name, str(output), "--side", "32"])
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    with Image.open(output) as picture:
        assert picture.width > 1000
        assert len(picture.convert("L").getcolors() or []) > 50


@pytest.mark.parametrize("which", ["drift", "damage"])
def test_an_acquisition_is_drawn(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "a.png"
    monkeypatch.setattr(sys, "argv", ["acquisition", which, str(output), "--side", "64"])
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    runpy.run_path(str(FOLDER / "acquisition.py"), run_name="__main__")
    with Image.open(output) as picture:
        assert picture.width > 1000
