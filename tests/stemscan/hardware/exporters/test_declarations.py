"""Formats are declared once, in one module each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from stemscan.hardware import exporters
from stemscan.hardware.exporters import FORMATS
from stemscan.hardware.exporters.table import format_table

ROOT = Path(__file__).resolve().parents[4]

MADE_UP = '''
"""Format `count`: how many samples there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.hardware.exporters.format import Contents, Format

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source


def write_count(source: Source, path: Path) -> int:
    """Write the number."""
    path.write_text(f"samples {source.plan.total_samples}")
    return 1


def read_count(path: Path) -> int:
    """Read the number."""
    return int(path.read_text().split()[1])


FORMATS = (
    Format(
        "count",
        "number of samples, for those who count",
        (".n",),
        write_count,
        read_count,
        begins=lambda start: start.startswith(b"samples "),
        describe=lambda path: Contents({"samples": read_count(path)}, (("samples", str(read_count(path))),)),
    ),
)
'''


def test_a_format_touches_one_module(tmp_path: Path) -> None:
    """All that knows formats knows one that is added as a file."""
    shutil.copytree(ROOT / "stemscan", tmp_path / "stemscan", symlinks=True)
    for room in ("cli", "recon", "simulators"):
        (tmp_path / room).symlink_to(ROOT / room)
    (tmp_path / "stemscan" / "hardware" / "exporters" / "formats" / "count.py").write_text(MADE_UP)
    for arguments, words in (
        (["plan", "export", "--help"], "abtem, count, csv,"),
        (["plan", "-o", "plan.yaml", "--pattern", "raster", "--shape", "4x4"], "100 %"),
        (["plan", "export", "plan.yaml", "--to", "count", "-o", "a.n"], "a.n: count"),
        (["info", "a.n"], "a.n: number of samples, for those who count format count samples 64"),
    ):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
        command = [sys.executable, "-m", "stemscan", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert words in " ".join(done.stdout.split())


def test_the_table_of_the_documentation_is_what_is_declared() -> None:
    text = (ROOT / "docs" / "exporters.md").read_text()
    assert format_table() in text, "paste what `python -m stemscan.hardware.exporters.table` prints"
    for name, one in FORMATS.items():
        assert one.name == name
        assert one.read.__name__ in exporters.__all__
        assert f"\n## {name}" in text or name in text.partition("\n## ")[2]
