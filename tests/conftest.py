"""Fixtures shared by all rooms' tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from stemscan.runtime.openmp import wait_politely

wait_politely()  # as the command line does
settings.register_profile(
    "patient", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")  # a busy machine is no failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that send signals, so that they can be chosen."""
    for item in items:
        if "usual_signals" in getattr(item, "fixturenames", ()):
            item.add_marker("signals")


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """Signals as a terminal has them, also where the tests were started with some ignored, by nohup or with &."""
    usual: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {signum: signal.signal(signum, handler) for signum, handler in usual.items()}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference material that only developers have; tests that need it skip without."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("STEMSCAN_SHARED", default))
    if not (folder / "reference" / "fshnet-golden.npz").is_file():
        pytest.skip("the developers' reference material is not on this machine (set STEMSCAN_SHARED)")
    return folder
