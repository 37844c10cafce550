"""The real command line, run in a process that is forked off with the libraries loaded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stemscan.cli.main import _run


@dataclass(frozen=True)
class Done:
    """Remains of a command."""

    code: int
    out: str
    err: str


Stemscan = Callable[..., Done]


@pytest.fixture
def stemscan(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stemscan:
    """Run `stemscan` with arguments in an empty folder; what is printed is caught at the file descriptors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stemscan.cli.progress._FIRST_LINE_S", math.inf)  # however slow the machine

    def run(*arguments: object) -> Done:
        capfd.readouterr()
        code = _run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run
