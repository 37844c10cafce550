"""Number of threads that a method may use: one number for torch, numba and scipy alike.

`limit_threads` holds for the calling thread's context and is undone afterwards. Results do not depend on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from stemscan.arguments import whole_number
from stemscan.runtime.process_limits import processors

__all__ = ["limit_threads", "workers"]

_limit: ContextVar[int | None] = ContextVar("stemscan_threads", default=None)


def workers() -> int:
    """Threads that code may start now: the limit in force, else the processors of this process."""
    limit = _limit.get()
    if limit is not None:
        return limit
    return processors()


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
