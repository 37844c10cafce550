"""A dask scheduler and workers in processes of their own, as on a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["two_workers"]

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"DASK_LOGGING__DISTRIBUTED": "error", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@contextmanager
def two_workers(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address of a scheduler with two workers, and the process of one of these."""
    file = folder / "scheduler.json"
    worker = ("distributed.cli.dask_worker", "--scheduler-file", file, "--no-nanny", "--nthreads", 1, "--no-dashboard")
    with (
        _process("distributed.cli.dask_scheduler", "--port", 0, "--no-dashboard", "--scheduler-file", file),
        _process(*worker, "--local-directory", folder / "one") as victim,
        _process(*worker, "--local-directory", folder / "two"),
    ):
        yield _address_in(file), victim


@contextmanager
def _process(*words: object) -> Iterator[subprocess.Popen[bytes]]:
    """A part of a cluster, killed at the end."""
    command = [sys.executable, "-m", *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **QUIET}, stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()


def _address_in(file: Path) -> str:
    """Address of a scheduler, once it is there."""
    for _ in range(600):
        if file.exists() and (text := file.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.05)
    raise AssertionError("expected a scheduler, got none")
