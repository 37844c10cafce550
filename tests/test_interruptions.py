"""Ctrl-C, SIGTERM and SIGHUP at any moment of a command: one sentence, the shell's exit code, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.interruptions import struck
from stemscan.files.writing import write_text
from stemscan.recon.output import zarr_image
from stemscan.recon.output.zarr_image import write_zarr
from stemscan.recon.reconstruction import Reconstruction
from stemscan.runtime import interrupts
from stemscan.runtime.interrupts import Interrupted, Interrupts, begin, blocked, raise_interrupts, received, unblocked

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.usefixtures("usual_signals")


@pytest.fixture
def raising() -> Iterator[None]:
    """Handlers as a command has them."""
    hook = sys.unraisablehook
    begin()
    raise_interrupts()
    with warnings.catch_warnings():
        yield
    sys.unraisablehook = hook
    begin()


def wait_for_it() -> None:
    """Something that a signal interrupts."""
    for _ in range(500):
        threading.Event().wait(0.01)
    raise AssertionError("no signal came")


@pytest.mark.parametrize("at", [1, 3_000, 120_000, 400_000])
def test_ctrl_c_from_the_first_line_on(tmp_path: Path, at: int) -> None:
    ending = struck(["plan", "-o", "p.yaml", "--shape", "64x64"], at, signal.SIGINT, tmp_path)
    assert ending == (130, "error: interrupted\n", ())


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals(tmp_path: Path, signum: signal.Signals, code: int) -> None:
    expected = (code, f"error: interrupted by {signum.name}\n", ())
    assert struck(["plan", "-o", "p.yaml", "--shape", "64x64"], 30_000, signum, tmp_path) == expected


def test_a_signal_in_an_import_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raising: None) -> None:
    text = "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept BaseException:\n    lost = True\n"
    (tmp_path / "careless_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def use() -> None:
        careless = import_module("careless_module")
        assert not hasattr(careless, "lost")
        wait_for_it()

    with pytest.raises(Interrupted):
        use()


def test_a_signal_in_a_finaliser_is_not_swallowed(raising: None, capfd: pytest.CaptureFixture[str]) -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def finalise() -> None:
        Finalised()
        wait_for_it()

    with pytest.raises(Interrupted):
        finalise()
    assert capfd.readouterr() == ("", "")


def test_an_impatient_user_does_not_stop_the_tidying(raising: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tidied = []

    def tidy() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            tidied.append(True)

    with pytest.raises(Interrupted):
        tidy()
    assert tidied
    monkeypatch.setattr(interrupts, "_CALM_S", 0.0)
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(signum: signal.Signals) -> None:
    hook = sys.unraisablehook
    signal.signal(signum, signal.SIG_IGN)
    begin()
    try:
        raise_interrupts()
        signal.raise_signal(signum)
        assert received() is None
    finally:
        sys.unraisablehook = hook


def test_a_zarr_is_written_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = zarr_image._fill

    def strike(folder: Path, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGHUP)
        fill(folder, *arguments)

    monkeypatch.setattr(zarr_image, "_fill", strike)
    made = Reconstruction(np.zeros((4, 4), np.float32), None, "linear", {}, 0.0)
    with pytest.raises(Interrupted):
        write_zarr(made, {}, tmp_path / "a.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_inside_another_context_a_file_is_written_to_its_end(tmp_path: Path) -> None:
    with Interrupts() as outer:
        signal.raise_signal(signal.SIGINT)
        write_text(tmp_path / "a.txt", "whole")
        assert outer.pending
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_workers_do_not_hear_a_signal_before_they_are_ready() -> None:
    script = "import os, signal, time; os.write(1, b'.'); time.sleep(0.2); "
    script += "signal.signal(signal.SIGINT, signal.SIG_DFL); "
    script += "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT}); time.sleep(60)"
    with blocked():
        worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert worker.stdout is not None
        assert worker.stdout.read(1) == b"."
        worker.send_signal(signal.SIGINT)
        _, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (-signal.SIGINT, b"")
    unblocked()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.long
def test_the_tests_of_signals_pass_where_signals_are_ignored() -> None:
    ours = Path(__file__).name
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if '"usual_signals"' in path.read_text()]
    inner = [str(path) for path in files if path.name not in (ours, "test_simulate_command.py")]
    assert len(inner) >= 4
    program = "import os, signal, sys; [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGHUP)]; "
    program += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    options = ["-m", "pytest", "-q", "--no-cov", "-p", "no:cacheprovider", "-m", "signals", "-x"]
    command = [sys.executable, "-c", program, *options, *inner]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout[-3000:]
