"""Number of threads that a method may use: one number for torch, numba and scipy alike; and work side by side.

`limit_threads` holds for the calling thread's context and is undone afterwards. Results do not depend on it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, copy_context
from threading import Event, Semaphore, Thread
from typing import Any

from stemscan.arguments import whole_number
from stemscan.runtime.memory import room
from stemscan.runtime.process_limits import processors

__all__ = ["fits_together", "in_stretches", "limit_threads", "side_by_side", "workers"]

_TOGETHER = 1 << 22
"""Pixels of an image up to which threads that share each step gain less than those that work on one each."""


class _Turns(Semaphore):
    """So many tasks compute at a time; none begins once one of them was given up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.given_up = Event()


_limit: ContextVar[int | None] = ContextVar("stemscan_threads", default=None)
_turns: ContextVar[_Turns | None] = ContextVar("stemscan_turns", default=None)


def workers() -> int:
    """Threads that code may start now: the limit in force, else the processors of this process."""
    limit = _limit.get()
    if limit is not None:
        return limit
    return processors()


def fits_together(shape: tuple[int, int], device: str) -> bool:
    """Tell whether work on images of a shape is to run side by side: on processors, and where steps are short."""
    return device == "cpu" and math.prod(shape) <= _TOGETHER


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


def side_by_side(tasks: Sequence[Callable[[], Any]], *, together: bool = True, memory: float = 0.0) -> list[Any]:
    """Run tasks on threads of their own, as many at a time as there may be threads, which they share.

    Many short steps on several threads wait for each other; whole tasks do not. A task may run others side by side: no
    more compute at a time for that. Torch computes on one thread in each.

    Parameters
    ----------
    tasks : sequence of callable
        The longest first.
    together : bool
        False runs one after the other, each on all threads.
    memory : float
        Bytes that they take at a time; where there are fewer, they compute one after the other on one thread.
        The results are the same.

    Returns
    -------
    list
        Their results.
    """
    outer = _turns.get()
    if not together or len(tasks) == 1 or (outer is None and workers() == 1):
        return [task() for task in tasks]
    if outer is None and not _is_there(memory):
        with limit_threads(1):
            return [task() for task in tasks]
    turns, threads = outer or _Turns(workers()), max(1, workers() // len(tasks))
    futures: list[Future[Any]] = [Future() for _ in tasks]
    if outer is not None:
        outer.release()
    try:
        for task, future in zip(tasks, futures, strict=True):
            arguments = (_in_turn, turns, threads, task, future)
            Thread(target=copy_context().run, args=arguments, daemon=True).start()
        return [future.result() for future in futures]
    except BaseException:  # Ctrl-C, too: whoever is at work is not waited for
        turns.given_up.set()
        raise
    finally:
        if outer is not None:
            outer.acquire()
        elif "torch" in sys.modules:
            import torch

            torch.set_num_threads(torch.get_num_threads())  # new threads begin with the number that was set last


def _is_there(memory: float) -> bool:
    """Tell whether so much memory may still be taken."""
    there = room()
    return there is None or there.free >= memory


def _in_turn(turns: _Turns, threads: int, task: Callable[[], Any], future: Future[Any]) -> None:
    """Run a task when it is its turn."""
    with turns:
        if turns.given_up.is_set():
            future.cancel()
            return
        _turns.set(turns)
        try:
            with limit_threads(threads):
                if "torch" in sys.modules:  # whose last bits depend on the number of its threads
                    import torch

                    torch.set_num_threads(1)
                result = task()
        except BaseException as problem:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(problem)
        else:
            future.set_result(result)  # once the number of threads is what it was


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
