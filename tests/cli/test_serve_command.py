"""`stemscan serve`: says its port, refuses what others reach, and ends on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.profile import load_profile
from tests.cli.conftest import Stemscan


def test_it_serves_until_interrupted(stemscan: Stemscan, tmp_path: Path) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.01nm").code == 0
    arguments = ["serve", "--plan", "plan.yaml", "--specimen", "crystal:SrTiO3", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "stemscan", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        text = ""
        while "}" not in text:
            line = process.stdout.readline()
            assert line
            text += line
        ObiController("127.0.0.1", json.loads(text)["port"], load_profile("obi")).close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "error: interrupted\n"


def test_other_addresses_are_refused(stemscan: Stemscan) -> None:
    done = stemscan("serve", "--plan", "p.yaml", "--specimen", "x.png", "--host", "0.0.0.0")
    assert done.code == 2
    assert "--allow-remote" in done.err
