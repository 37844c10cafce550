"""Number of threads that a method may use: one number for torch, numba and scipy alike.

`limit_threads` holds for the calling thread's context and is undone afterwards. Results do not depend on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from stemscan.arguments import whole_number
from stemscan.runtime.process_limits import processors

__all__ = ["in_stretches", "limit_threads", "workers"]

_limit: ContextVar[int | None] = ContextVar("stemscan_threads", default=None)


def workers() -> int:
    """Threads that code may start now: the limit in force, else the processors of this process."""
    limit = _limit.get()
    if limit is not None:
        return limit
    return processors()


def in_stretches(task: Callable[[int, int], object], count: int, least: int) -> None:
    """Run a task that releases the interpreter's lock on a range, or on stretches of it side by side.

    Parameters
    ----------
    task : callable
        Of the first number and that before which to stop; what it does for one does not depend on the others.
    count : int
        Of numbers.
    least : int
        So many numbers are worth a thread.
    """
    number = max(1, min(workers(), count // least))
    if number == 1:
        task(0, count)
        return
    edges = [count * k // number for k in range(number + 1)]
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(task, edges[:-1], edges[1:]))


@contextmanager
def limit_threads(threads: int | None) -> Iterator[None]:
    """Limit torch, numba and `workers` to a number of threads, and put back what was set before.

    torch and numba are set if they are loaded already: methods import what they compute with at their modules' top.

    Parameters
    ----------
    threads : int or None
        At least 1; None changes nothing.

    Raises
    ------
    UsageError
        When `threads` is no whole number of at least 1.
    """
    if threads is None:
        yield
        return
    threads = whole_number(threads, "threads of at least 1", 1)
    with ExitStack() as stack:
        token = _limit.set(threads)
        stack.callback(_limit.reset, token)
        if "torch" in sys.modules:
            import torch

            stack.callback(torch.set_num_threads, torch.get_num_threads())
        if "numba" in sys.modules:
            import numba

            stack.callback(numba.set_num_threads, numba.get_num_threads())
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        if "torch" in sys.modules:  # after numba, which sets OpenMP's number, torch's too, when it starts its threads
            torch.set_num_threads(threads)
        yield
