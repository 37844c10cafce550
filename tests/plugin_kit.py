"""Packages that look installed: modules, and a `.dist-info` folder with entry points, on `sys.path`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def install(folder: Path, package: str, group: str, points: str, **modules: str) -> None:
    """Write a package of modules and entry points, and append its folder to `sys.path`."""
    info = folder / f"{package.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    sys.path.append(str(folder))


def install_example(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package of `examples/` look installed until the test ends; `folder` takes its `.dist-info`."""
    project = tomllib.loads((ROOT / "examples" / name / "pyproject.toml").read_text())["project"]
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "examples" / name)])
    for group, points in project["entry-points"].items():
        install(folder, project["name"], group, "\n".join(f"{key} = {value}" for key, value in points.items()))
