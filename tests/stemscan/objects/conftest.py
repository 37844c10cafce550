"""A server of objects for the tests of this room, found by this process as a user's would be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stemscan.objects import bucket
from tests.object_server import ObjectServer, object_server


@pytest.fixture(scope="module")
def one_server() -> Iterator[ObjectServer]:
    with object_server() as known:
        known.bucket("bucket")
        yield known


@pytest.fixture
def server(one_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    for name, value in one_server.environment.items():
        monkeypatch.setenv(name, value)
    one_server.requests.clear()
    bucket._bucket.cache_clear()
    yield one_server
    one_server.faulty, one_server.latency_s = (lambda method, path: None), 0.0
    bucket._bucket.cache_clear()
