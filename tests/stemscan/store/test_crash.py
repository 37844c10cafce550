"""kill -9 at every step and at random moments: what was committed is there, and the end is the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stemscan.runtime import failpoints
from tests.stemscan.store_kit import memory_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, for thousands of files are synced."""
    with memory_folder() as name:
        yield name


def run(*arguments: str) -> dict[str, Any]:
    """Result of the program that kills."""
    command = [sys.executable, "-m", "tests.stemscan.store.crash_runner", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["problems"] == [], done.stderr
    return result


@pytest.mark.parametrize("times", ["twice", pytest.param("every", marks=pytest.mark.long)])
def test_killed_at_failpoints(folder: Path, times: str) -> None:
    assert set(run("failpoints", str(folder), times)["passed"]) == failpoints.NAMES


def test_killed_at_random_moments(folder: Path) -> None:
    assert run("random", str(folder), "8")["kills"] > 0
