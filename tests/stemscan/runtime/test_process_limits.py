"""Limits of worker processes, with the clocks that systems have and without."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stemscan.runtime.process_limits import end_of, memory_taken, processors

BUSY = """
import signal, time
{before}
from stemscan.runtime import process_limits as limits
limits._CLOCK = 1.0
limits.limit_process({seconds}, 1 << 40)
{lift}
until = time.monotonic() + {work}
while time.monotonic() < until: pass
"""
NO_CLOCK = "del signal.setitimer"


def code_of(before: str, *, seconds: float, work: float, lift: str = "") -> int:
    """Exit code of a process that works for so long under a limit."""
    script = BUSY.format(before=before, seconds=seconds, work=work, lift=lift)
    return subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("before", ["", NO_CLOCK])
def test_a_process_that_computes_too_long_is_ended(before: str) -> None:
    code = code_of(before, seconds=0.2, work=20)
    assert code != 0
    assert ("takes longer to read" in end_of(code)) == (before == "")
    assert code_of(before, seconds=60, work=0) == 0
    assert code_of(before, seconds=0.2, work=0.5, lift="limits.lift_time_limit()") == 0


def test_ends_in_words() -> None:
    assert "memory is short" in end_of(-9)
    assert "damaged" in end_of(1)


def test_what_the_system_tells() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
    assert memory_taken() >= 0
