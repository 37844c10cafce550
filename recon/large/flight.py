"""Work on tiles, one after the other in this process, or several at a time in processes of their own."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from stemscan.errors import UsageError
from stemscan.recon.children import WorkerPool, as_worker, worker_pool
from stemscan.recon.threads import workers
from stemscan.runtime.memory import room
from stemscan.runtime.process_limits import keep_freed_memory

if TYPE_CHECKING:
    from concurrent.futures import Future

    from stemscan.recon.large.layout import Layout, Tile
    from stemscan.recon.method import Method

__all__ = ["Crew", "Errand", "Task", "crew", "tiles_at_once", "travels"]

_PROCESS: Final = 450e6
"""Bytes that a process takes for its libraries."""

_READING: Final = 24.0
_LEAST: Final = 450.0
"""Bytes a pixel of a tile: for each pass while it is read, and at least for a method, whose needs vary by the image."""


def tiles_at_once(method: Method, layout: Layout, passes: int, memory: float | None) -> int:
    """Tiles that a budget of memory has room for.

    Parameters
    ----------
    passes : int
        Of the scan.
    memory : float, optional
        Bytes for all processes together; half of what is free by default.

    Returns
    -------
    int
        At least 1, at most one a processor.

    Raises
    ------
    UsageError
        When the budget is too small for one.
    """
    rows, columns = (max(part.window[axis].stop - part.window[axis].start for part in layout) for axis in (0, 1))
    pixels = rows * columns
    one = max(method.bytes_needed((rows, columns)), _LEAST * pixels) + _READING * passes * pixels + _PROCESS
    if memory is not None and memory < one:
        raise UsageError(
            f"expected at least {one / 2**30:.2f} GiB for a tile of {rows} x {columns} pixels by "
            f"{method.name}, got {memory / 2**30:.2f} GiB; give more, or take a method that needs less"
        )
    if memory is None:
        free = room()
        memory = free.free / 2 if free is not None else one
    number = min(int((memory - _PROCESS) // one), workers(), len(layout))
    return number if number > 1 and travels(method) else 1


def travels(method: Method) -> bool:
    """Tell whether a method can be sent to another process; a function of a script or a session cannot."""
    if not callable(method.function):
        return True
    try:
        pickle.dumps(method.function)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return method.plugin is None and method.function.__module__ != "__main__"


class Task(NamedTuple):
    """A function of what all tasks have in common and of a tile, by its name there, and further arguments."""

    name: str
    tile: Tile
    arguments: tuple[Any, ...] = ()


class Errand(NamedTuple):
    """A function and its arguments, which can be sent to another machine; of a task that has parts that cannot."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Crew(Protocol):
    """Does tasks."""

    def has_room(self) -> bool:
        """Tell whether another task can be begun."""
        ...

    def begin(self, task: Task) -> None:
        """Begin a task."""
        ...

    def wait(self) -> tuple[Task, Any]:
        """Wait for a task that was begun; gives it and its result, or raises what it raised."""
        ...


@contextmanager
def crew(work: object, at_once: int) -> Iterator[Crew]:
    """Those who do tasks.

    Parameters
    ----------
    work : object
        Has the functions; can be sent to other processes where there are to be some.
    at_once : int
        1 for this process.

    Raises
    ------
    ReconError
        When a process was killed.
    """
    if at_once == 1:
        gc.freeze()  # what is there already need not be looked through after each task
        try:
            yield _Here(work)
        finally:
            gc.unfreeze()
        return
    remedy = "what was made is kept: give the same command with --resume and a smaller --memory"
    with worker_pool(at_once, remedy, _begin, work, script=False) as pool:
        yield _Pool(pool, at_once)


class _Here:
    """This process."""

    def __init__(self, work: object) -> None:
        self._work, self._begun = work, list[Task]()

    def has_room(self) -> bool:
        return not self._begun

    def begin(self, task: Task) -> None:
        self._begun.append(task)

    def wait(self) -> tuple[Task, Any]:
        task = self._begun.pop()
        return task, _do(self._work, task)


class _Pool:
    """Processes, with a task more than they are, so that none waits."""

    def __init__(self, pool: WorkerPool, at_once: int) -> None:
        self._pool, self._at_once = pool, at_once
        self._begun: dict[Future[Any], Task] = {}

    def has_room(self) -> bool:
        return len(self._begun) <= self._at_once

    def begin(self, task: Task) -> None:
        self._begun[self._pool.submit(_do_there, task)] = task

    def wait(self) -> tuple[Task, Any]:
        from concurrent.futures import FIRST_COMPLETED, wait

        future = next(iter(wait(self._begun, return_when=FIRST_COMPLETED).done))
        return self._begun.pop(future), future.result()


_work: object = None


def _begin(work: object) -> None:
    """In a process: remember the work, and keep the memory that is freed; end with the parent, without a traceback."""
    global _work
    as_worker()
    _work = work
    gc.freeze()
    keep_freed_memory()


def _do(work: object, task: Task) -> Any:
    """Do a task."""
    function: Callable[..., Any] = getattr(work, task.name)
    try:
        return function(task.tile, *task.arguments)
    finally:
        gc.collect()  # arrays of a task that refer to one another would pile up: few objects, much memory


def _do_there(task: Task) -> Any:
    """In a process: do a task."""
    return _do(_work, task)
