"""Puts on condition, through failures; and what is wrong with a server, each in a sentence."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import timedelta

import pytest

from stemscan.errors import InputNotFoundError, MissingDependencyError
from stemscan.objects import bucket
from stemscan.objects.bucket import bucket_of
from stemscan.objects.path import ObjectPath, as_path
from stemscan.objects.problems import ObjectStoreError, OvertakenError
from tests.object_server import Fault, ObjectServer


def test_of_two_writers_one_is_refused(server: ObjectServer) -> None:
    here = bucket_of("s3", "bucket")
    first = here.put("two", b"1", None)
    with pytest.raises(OvertakenError, match="only writer of 's3://bucket/two'"):
        here.put("two", b"2", None)
    second = here.put("two", b"2", first)
    with pytest.raises(OvertakenError):
        here.put("two", b"3", first)
    assert here.read("two") == (b"2", second)


@pytest.mark.parametrize("fault", ["500", "503", "lost request", "lost answer"])
def test_what_fails_is_tried_again(server: ObjectServer, fault: Fault) -> None:
    """Also where the server did what it was asked and its answer was lost, so that trying again is refused."""
    here, seen, name = bucket_of("s3", "bucket"), Counter[str](), fault.replace(" ", "-")

    def once(method: str, path: str) -> Fault | None:
        seen[method] += 1
        return fault if seen[method] == 1 else None

    server.faulty = once
    version = here.put(name, b"1", None)
    seen.clear()
    version = here.put(name, b"2", version)
    seen.clear()
    assert here.read(name) == (b"2", version)
    assert here.below(name) == {}
    here.delete([name])
    assert here.version(name) is None


def test_a_lost_answer_is_not_mistaken_for_another_writer_nor_the_other_way_round(server: ObjectServer) -> None:
    here, lost = bucket_of("s3", "bucket"), list[Fault]()
    mine = here.put("which", b"mine", None)
    here.put("which", b"of another", mine)
    server.faulty = lambda method, path: lost.pop() if lost and method == "PUT" else None
    lost.append("lost answer")
    with pytest.raises(OvertakenError):
        here.put("which", b"mine again", mine)


def test_a_server_that_goes_on_failing_is_given_up(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = {"max_retries": 1, "retry_timeout": timedelta(seconds=1), "backoff": bucket._BACKOFF}
    monkeypatch.setattr(bucket, "_RETRIES", hasty)
    here = bucket_of("s3", "bucket")
    server.faulty = lambda method, path: "503"
    with pytest.raises(ObjectStoreError, match=r"expected to write 's3://bucket/x', got the server's answer 503; try"):
        here.put("x", b"1", None)
    server.faulty = lambda method, path: "lost request"
    with pytest.raises(ObjectStoreError, match=r"expected an answer to read 's3://bucket/x', got none from http://127"):
        here.get("x")


def test_what_is_missing_is_told(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_path("s3://no-such-bucket/acq.zarr")
    assert isinstance(path, ObjectPath)
    with pytest.raises(InputNotFoundError, match=r"expected a bucket 'no-such-bucket' for .*create it first"):
        path.require_key()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(bucket, "_RETRIES", {"max_retries": 0})
    with pytest.raises(ObjectStoreError, match=r"got none from http://127.0.0.1:9 \(connection refused\)"):
        bucket_of("s3", "other").get("x")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ObjectStoreError, match=r"expected credentials for 's3://third.*set AWS_ACCESS_KEY_ID and"):
        bucket_of("s3", "third").get("x")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingDependencyError, match=r"expected the package obstore.*pip install 'stemscan\[cloud\]'"):
        bucket_of("s3", "fourth")
