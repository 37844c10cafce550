"""`stemscan watch`: tells its address, shows a store until Ctrl-C, refuses what cannot be shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Stemscan
from tests.recon.view.view_kit import PLAN, add
from tests.stemscan.store_kit import create

pytestmark = pytest.mark.usefixtures("usual_signals")


def test_a_page_until_ctrl_c(tmp_path: Path) -> None:
    with create(tmp_path / "a.zarr", PLAN) as store:
        add(store, 5)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    command = [sys.executable, "-m", "stemscan", "watch", str(tmp_path / "a.zarr"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        assert page.stderr is not None
        text = ""
        while not text.endswith("}\n"):
            text += page.stdout.readline()
        address = json.loads(text)["address"]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address.partition("#")[0]) as answer:
            assert b"<title>stemscan watch</title>" in answer.read()
        os.kill(page.pid, signal.SIGINT)
        assert page.wait(30) == 130
        assert page.stderr.read() == "error: interrupted\n"
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.zarr"], 2, "expected an acquisition store, got 'nothing.zarr', which does not exist"),
        ([__file__], 2, "which is a file"),
        ([".", "--host", "0.0.0.0"], 2, "--host: expected a loopback address such as 127.0.0.1, got '0.0.0.0'"),
        ([".", "--speed", "0"], 2, "--speed: expected a number above 0"),
        ([".", "--speed", "nan"], 2, "--speed: expected a number above 0"),
        ([".", "--port", "65536"], 2, "--port: expected 0 to 65535, got 65536"),
        ([".", "--method", "magic"], 2, "magic"),
        ([".", "--channel", "x", "--host", "192.0.2.1", "--allow-remote"], 2, "choose others by --host and --port"),
    ],
)
def test_bad_use_is_a_sentence(stemscan: Stemscan, arguments: list[str], code: int, words: str) -> None:
    done = stemscan("watch", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_without_its_packages_it_says_how_to_get_them(stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tornado.web", None)
    done = stemscan("watch", ".")
    assert done.code == 1
    assert done.err == (
        "error: expected the package tornado to show a page, got none; install it by: pip install 'stemscan[view]'\n"
    )
