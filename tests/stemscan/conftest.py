"""Fixtures of the tests of stores and of the acquire loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.store import schema
from tests.stemscan.store_kit import ScriptedController, contents, create, make_plan, memory_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, for every commit of a store is synced."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def small_chunks() -> Iterator[None]:
    """Several chunks of samples and of frames in a small plan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "SAMPLE_CHUNK", 10)
        patch.setattr(schema, "FRAME_CHUNK", 8)
        yield


@pytest.fixture(scope="module")
def reference(small_chunks: None) -> dict[str, object]:
    """Files of an undisturbed acquisition."""
    plan = make_plan()
    with memory_folder() as folder:
        with create(folder / "a.zarr", plan) as store:
            run_scan(plan, ScriptedController(), store)
        return contents(folder / "a.zarr")
