"""A process that does one thing after another, gives way to all others, and ends with the one that started it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from stemscan.errors import ReconError
from stemscan.runtime.process_limits import give_way

__all__ = ["Workshop"]

_PATIENCE_S: Final = 0.7

Result = TypeVar("Result")


class Workshop:
    """Does what it is handed in another process, which is started with the first order.

    In place of a `ProcessPoolExecutor`, whose processes outlive a parent that is killed, and whose semaphores Python
    complains of where a signal ends the parent.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="workshop")
        self._pipe: Connection | None = None
        self._process: Any = None
        self._starting, self._closed = threading.Lock(), False

    def order(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Have a function of a module called with arguments, after all that was ordered before."""
        return self._thread.submit(self._ask, work, arguments)

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        with self._starting:
            self._closed = True
        if self._process is not None:
            self._process.terminate()
            self._process.join(_PATIENCE_S)
            self._process.kill()
            self._process.join()

    def _ask(self, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Send an order and wait for what comes of it."""
        with self._starting:
            if self._closed:
                raise _ended()
            if self._pipe is None:
                self._start()
        assert self._pipe is not None
        try:
            self._pipe.send((work, arguments))
            done, result = self._pipe.recv()
        except (OSError, EOFError):
            self._pipe = None
            raise _ended() from None
        if not done:
            raise result
        return result

    def _start(self) -> None:
        """Start the process."""
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        process = context.Process(target=_work, args=(other,), daemon=True)
        process.start()
        self._process = process
        other.close()


def _ended() -> ReconError:
    """The error for a process that is no more."""
    return ReconError("expected an image, got the end of the process that makes it; ask for it again")


def _work(orders: Connection) -> None:
    """Carry out orders until there is nobody left to give them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # which gives back what libraries hold
    give_way()
    with suppress(EOFError, OSError):
        while True:
            work, arguments = orders.recv()
            try:
                reply = True, work(*arguments)
            except Exception as problem:  # noqa: BLE001 - told by the other side
                reply = False, problem
            try:
                orders.send(reply)
            except (TypeError, AttributeError, ValueError):  # an error that cannot be pickled
                orders.send((False, ReconError(str(reply[1]))))
