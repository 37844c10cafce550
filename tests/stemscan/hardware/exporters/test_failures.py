"""Exports that cannot be finished: an error, nothing half-written, and what was there stays."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stemscan.errors import StemscanError
from stemscan.hardware.exporters import FORMATS, export
from stemscan.runtime.interrupts import Interrupted
from tests.stemscan.hardware.exporters.kit import plan_of

pytestmark = pytest.mark.usefixtures("usual_signals")

NAMES = {"fei-stream": "a.str", "fei-stream-12": "a.str", "de-freescan": "a", "csv": "a.csv", "nexus": "a.nxs"}


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 5000, 9000])
@pytest.mark.parametrize("to", FORMATS)
def test_a_full_disk(tmp_path: Path, to: str, size: int) -> None:
    path = tmp_path / NAMES.get(to, "a.npy")
    plan = plan_of(shape=[120, 160], passes=3)
    export(plan_of(), to, path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    export(plan, to, tmp_path / f"whole{path.suffix}")  # whatever is compiled is compiled now
    whole = {file.name for file in tmp_path.iterdir()}
    with disk_of(size), pytest.raises(StemscanError, match="expected to write .* got: File too large"):
        export(plan, to, path, overwrite=True)
    assert {file: file.read_bytes() for file in before} == before
    assert {file.name for file in tmp_path.iterdir()} == whole


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal(tmp_path: Path, to: str, signum: signal.Signals) -> None:
    def strike(done: int, total: int) -> None:
        signal.raise_signal(signum)

    with pytest.raises(KeyboardInterrupt):
        export(plan_of(), to, tmp_path / NAMES.get(to, "a.npy"), progress=strike)
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_who_handles_a_signal_goes_on_doing_so(tmp_path: Path) -> None:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda signum, frame: heard.append(signum))
    try:
        export(plan_of(), "csv", tmp_path / "a.csv", progress=lambda done, total: signal.raise_signal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert (tmp_path / "a.csv").is_file()


def test_a_signal_inside_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stemscan.hardware.exporters import guarded_file

    def strike(self: guarded_file.GuardedFile) -> None:
        self._do(lambda _: signal.raise_signal(signal.SIGTERM), None, None)

    monkeypatch.setattr(guarded_file.GuardedFile, "flush", strike)
    with pytest.raises(Interrupted):
        export(plan_of(), "nexus", tmp_path / "a.nxs")
    assert list(tmp_path.iterdir()) == []
