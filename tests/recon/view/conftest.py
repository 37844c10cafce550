"""Stores in memory, where syncing costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stemscan.store_kit import memory_folder


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder."""
    with memory_folder() as folder:
        yield folder
