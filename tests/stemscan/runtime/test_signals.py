"""Signals where threads have none of their own, as on Windows."""

from __future__ import annotations

import asyncio
import os
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


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_callback_of_a_loop_leaves_the_clean_up_whole(signum: signal.Signals) -> None:
    tidied = []

    async def hit() -> None:
        os.kill(os.getpid(), signum)
        time.sleep(0.01)  # where the signal comes: in the middle of another's task

    async def work() -> None:
        task = asyncio.ensure_future(hit())
        task.add_done_callback(lambda done: done.cancelled() or done.result())  # as servers have them
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied.append(True)

    interrupts.begin()
    interrupts.raise_interrupts()
    with pytest.raises(interrupts.Interrupted) as problem:
        interrupts.run_until_interrupted(work())
    assert problem.value.signum == signum
    assert interrupts.received() == signum
    assert tidied == [True]
    assert signal.getsignal(signum) is interrupts._raise


def test_a_loop_that_no_signal_ends() -> None:
    async def work(result: int) -> int:
        await asyncio.sleep(0)
        return result

    async def cancelled() -> None:
        raise asyncio.CancelledError

    assert interrupts.run_until_interrupted(work(7)) == 7
    with pytest.raises(asyncio.CancelledError):
        interrupts.run_until_interrupted(cancelled())
