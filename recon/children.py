"""Processes that work for another one and must not outlive it, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stemscan.errors import ReconError
from stemscan.runtime.interrupts import blocked, unblocked

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = ["WorkerPool", "as_worker", "end_with_parent", "start_method", "worker_pool"]


@contextmanager
def worker_pool(
    number: int, remedy: str, start: Callable[..., None], *arguments: Any, script: bool
) -> Iterator[WorkerPool]:
    """Processes that compute, and end at once where this context is left by an error or Ctrl-C.

    Parameters
    ----------
    number : int
        Of processes.
    remedy : str
        Advice where one was killed, for the message.
    start : callable
        Called in each with the arguments; calls `as_worker`.
    script : bool
        Let them run the caller's script anew, for functions that are defined there.

    Raises
    ------
    ReconError
        When a process was killed.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context(start_method())
    pool = ProcessPoolExecutor(number, mp_context=context, initializer=start, initargs=arguments)
    try:
        yield WorkerPool(pool, script)
    except BrokenProcessPool as problem:
        raise ReconError(
            f"expected worker processes to live, got one that was killed (too little memory?); {remedy}"
        ) from problem
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    pool.shutdown()


class WorkerPool:
    """Takes tasks; see `worker_pool`."""

    def __init__(self, pool: Executor, script: bool) -> None:
        self._pool, self._script = pool, script

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin a task; starts a process where one is wanting."""
        with blocked(), nullcontext() if self._script else _without_main():
            return self._pool.submit(work, *arguments)


def as_worker() -> None:
    """In a worker: end at once with the parent, at Ctrl-C without a traceback, and leave stdout to the parent."""
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    unblocked()


def start_method() -> str:
    """Way to start processes that use torch and numba, which survive no fork: from a server that has loaded neither."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@contextmanager
def _without_main() -> Iterator[None]:
    """Let processes that are started here not run the script anew that called this library.

    They need nothing of it, and a script without `if __name__ == "__main__"` would start processes without end.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def end_with_parent() -> None:
    """In a process of `multiprocessing`: end at once when the one that started it has ended, also by kill -9.

    What torch's data loader does to the same end does not help where a fork server stands between the two: the worker
    waits for the server to end, which waits for its workers.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
