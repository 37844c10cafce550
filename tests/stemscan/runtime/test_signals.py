"""Signals where threads have none of their own, as on Windows."""

from __future__ import annotations

import signal
import time

import pytest

from stemscan.recon.children import start_method
from stemscan.runtime import interrupts


@pytest.fixture
def _no_signals_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pthread_kill", "pthread_sigmask"):
        monkeypatch.delattr(signal, name)


@pytest.mark.usefixtures("usual_signals", "_no_signals_of_threads")
def test_a_signal_is_sent_again() -> None:
    with pytest.raises(KeyboardInterrupt):
        wait_for_signal()


def wait_for_signal() -> None:
    """Send one and wait in steps: it comes between two."""
    assert interrupts._send_again(signal.SIGINT)
    for _ in range(1000):
        time.sleep(0.01)


@pytest.mark.usefixtures("_no_signals_of_threads")
def test_nothing_is_held_back() -> None:
    with interrupts.blocked():
        pass
    interrupts.unblocked()


def test_signals_and_ways_to_start_are_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {signal.SIGINT, signal.SIGTERM} <= set(interrupts.SIGNALS)
    assert start_method() == "forkserver"
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    assert start_method() == "spawn"
