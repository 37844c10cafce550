"""`stemscan serve`: says its address, refuses what others reach, serves `acquire`, and ends on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.profile import load_profile
from stemscan.store.reader import Acquisition
from tests.cli.conftest import Stemscan

pytestmark = pytest.mark.usefixtures("usual_signals")

SPECIMEN = "crystal:SrTiO3"


@pytest.fixture
def plan(stemscan: Stemscan) -> str:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.01nm").code == 0
    return "plan.yaml"


@contextmanager
def serving(*arguments: str, until: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server, and what it said up to a text."""
    with subprocess.Popen(
        [sys.executable, "-m", "stemscan", "serve", "--specimen", SPECIMEN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            while until not in text:
                line = process.stdout.readline()
                assert line
                text += line
            yield process, text
        finally:
            process.kill()


def test_it_serves_until_interrupted(plan: str, tmp_path: Path) -> None:
    with serving("--plan", plan, "--json", until="}") as (process, text):
        ObiController("127.0.0.1", json.loads(text)["port"], load_profile("obi")).close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "error: interrupted\n"


def test_acquire_gets_what_the_virtual_microscope_counts(stemscan: Stemscan, plan: str) -> None:
    assert stemscan("acquire", plan, "-o", "v.zarr", "--specimen", SPECIMEN, "--seed", "5").code == 0
    assert stemscan("plan", "-o", "other.yaml", "--shape", "64x64", "--dwell", "750ns").code == 0
    with serving("--plan", plan, "--seed", "5", until="\n") as (process, text):
        address = text.split()[0]
        for name, options in (("w.zarr", []), ("adu.zarr", ["--detector", "2,100"])):
            done = stemscan("acquire", plan, "-o", name, "--controller", address, *options, "--json")
            assert done.code == 0, done.err
        assert json.loads(done.out)["ledger"]["park"]["time_ns"] == 250
        for options, warned in ([], True), (["--round-dwell"], False):
            done = stemscan("acquire", "other.yaml", "-o", "o.zarr", "--controller", address, "--overwrite", *options)
            assert done.code == 0, done.err
            assert ("averages only the first 67%" in done.err) is warned
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    before = Acquisition.open("w.zarr").history
    again = stemscan("acquire", plan, "-o", "w.zarr", "--controller", address, "--resume", "--json")
    assert again.code == 0, again.err  # a complete store needs no device
    assert json.loads(again.out)["samples"] == 0
    assert Acquisition.open("w.zarr").history == before
    virtual, wire, adu = (Acquisition.open(name) for name in ("v.zarr", "w.zarr", "adu.zarr"))
    assert wire.digest() == virtual.digest()
    np.testing.assert_array_equal(adu.counts(), virtual.counts())  # as they came: converted when they are read
    assert "2 per electron, 100 without electrons" in stemscan("info", "adu.zarr").out
    assert json.loads(stemscan("info", "adu.zarr", "--json").out)["detector"]["gain"] == 2
    assert errors.count("something else than the plan served") == 2


def test_an_ipv6_address_is_told_as_acquire_takes_it(stemscan: Stemscan, plan: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving("--plan", plan, "--host", "::1", until="\n") as (_, text):
        assert text.startswith("obi://[::1]:")
        assert stemscan("acquire", plan, "-o", "a.zarr", "--controller", text.split()[0]).code == 0


def test_other_addresses_are_refused(stemscan: Stemscan) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        done = stemscan("serve", "--plan", "p.yaml", "--specimen", "x.png", "--host", host)
        assert done.code == 2
        assert "--allow-remote" in done.err


def test_an_address_that_cannot_be_had_is_one_sentence(stemscan: Stemscan, plan: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options in (
            ["--port", port],
            ["--host", "192.0.2.1", "--allow-remote"],
            ["--port", "65536"],
            ["--idle-limit", "5"],
        ):
            done = stemscan("serve", "--plan", plan, "--specimen", SPECIMEN, *options)
            assert done.code == 2
            assert done.err.startswith("error: ")
            assert done.err.count("\n") == 1
