"""Commands that take URLs, and the sentence of those that do not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from stemscan.objects import bucket
from tests.cli.conftest import Stemscan
from tests.object_server import ObjectServer, object_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    with object_server() as known:
        for name, value in known.environment.items():
            monkeypatch.setenv(name, value)
        known.bucket("bucket")
        bucket._bucket.cache_clear()
        yield known
        bucket._bucket.cache_clear()


def test_the_whole_chain(server: ObjectServer, stemscan: Stemscan) -> None:
    for command in (
        "plan -o s3://bucket/chain/plan.yaml --shape 32x32 --block 8 --per-block 6",
        "simulate s3://bucket/chain/plan.yaml synthetic:1/0 -o s3://bucket/chain/acq.zarr",
        "simulate s3://bucket/chain/plan.yaml synthetic:1/0 -o s3://bucket/chain/acq.zarr --resume",
        "verify s3://bucket/chain/acq.zarr",
        "recon s3://bucket/chain/acq.zarr -o s3://bucket/chain/recon.zarr --method normconv",
        "recon s3://bucket/chain/acq.zarr -o s3://bucket/chain/recon.zarr --method normconv --resume",
        "acquire s3://bucket/chain/plan.yaml --specimen synthetic:1/0 -o s3://bucket/chain/other.zarr",
    ):
        done = stemscan(*command.split())
        assert done.code == 0, done.err
    assert json.loads(stemscan("info", "s3://bucket/chain/acq.zarr", "--json").out)["state"] == "complete"
    assert json.loads(stemscan("info", "s3://bucket/chain/recon.zarr", "--json").out)["method"] == "normconv"
    assert json.loads(stemscan("info", "s3://bucket/chain/plan.yaml", "--json").out)["type"] == "plan"
    done = stemscan("simulate", "s3://bucket/chain/plan.yaml", "synthetic:1/0", "-o", "s3://bucket/chain/acq.zarr")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "which is a store" in done.err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("drift s3://bucket/acq.zarr", "ACQ.zarr: expected a path of this machine, got 's3://bucket/acq.zarr'"),
        ("simulate plan.yaml s3://bucket/a.npy -o a.zarr", "SPECIMEN: expected a path of this machine"),
        ("plan export plan.yaml --to csv -o gs://bucket/x", "--output: expected a path of this machine"),
        ("info memory://bucket/acq.zarr", "which ends with this command"),
        ("acquire plan.yaml -o s3://bucket --specimen synthetic:1/0", "name what is in the bucket"),
        ("recon acq.zarr -o s3://missing-bucket/r.zarr", "create it first"),
    ],
)
def test_what_is_refused(server: ObjectServer, stemscan: Stemscan, command: str, told: str) -> None:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32").code == 0
    done = stemscan(*command.split())
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert told in done.err


def test_a_server_that_is_not_there(server: ObjectServer, stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_RETRIES", {"max_retries": 0})
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "32x32").code == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = stemscan("simulate", "plan.yaml", "synthetic:1/0", "-o", "s3://bucket/acq.zarr")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "expected an answer to list 's3://bucket/acq.zarr', got none from http://127.0.0.1:9" in done.err
