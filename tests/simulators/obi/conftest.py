"""Fixtures of the tests of simulators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulators.obi.obi_kit import Served


@pytest.fixture
def served() -> Iterator[Served]:
    """A virtual Open Beam Interface device on loopback."""
    one = Served()
    yield one
    one.stop()
