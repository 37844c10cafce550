"""Fixtures shared by all rooms' tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stemscan.openmp import wait_politely

wait_politely()  # as the command line does
settings.register_profile(
    "patient", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")  # a busy machine is no failure


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference material that only developers have; tests that need it skip without."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("STEMSCAN_SHARED", default))
    if not (folder / "reference" / "fshnet-golden.npz").is_file():
        pytest.skip("the developers' reference material is not on this machine (set STEMSCAN_SHARED)")
    return folder
