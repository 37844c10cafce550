"""Tiles made one after the other in this process, or several at a time in processes of their own."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from stemscan.errors import ReconError, UsageError
from stemscan.recon.children import end_with_parent, start_method
from stemscan.recon.large.making import Recipe
from stemscan.recon.threads import workers
from stemscan.runtime.interrupts import blocked, unblocked
from stemscan.runtime.memory import room

if TYPE_CHECKING:
    from stemscan.recon.large.layout import Layout, Tile
    from stemscan.recon.large.scratch import Scratch
    from stemscan.recon.method import Method

__all__ = ["made", "tiles_at_once"]

_PROCESS: Final = 450e6
"""Bytes that a process takes for its libraries."""

_READING: Final = 24.0
_FINISHING: Final = 80.0
"""Bytes a pixel of a tile for each pass while it is read, and while it is put together and compared."""


def tiles_at_once(method: Method, layout: Layout, passes: int, memory: float | None) -> int:
    """Tiles that a budget of memory has room for.

    Parameters
    ----------
    method : Method
    layout : Layout
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
    one = method.bytes_needed((rows, columns)) + _READING * passes * pixels + _PROCESS
    own = _PROCESS + _FINISHING * pixels
    if memory is not None and memory < max(one, own):
        raise UsageError(
            f"expected at least {max(one, own) / 2**30:.2f} GiB for a tile of {rows} x {columns} pixels by "
            f"{method.name}, got {memory / 2**30:.2f} GiB; give more, or take a method that needs less"
        )
    if memory is None:
        free = room()
        memory = free.free / 2 if free is not None else one
    number = min(int((memory - own) // one), workers(), len(layout))
    return number if number > 1 and _travels(method) else 1


def _travels(method: Method) -> bool:
    """Tell whether a method can be sent to another process; a function of a script or a session cannot."""
    if not callable(method.function):
        return True
    try:
        pickle.dumps(method.function)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return method.plugin is None


def made(recipe: Recipe, tiles: Sequence[Tile], scratch: Scratch, at_once: int) -> Iterator[Tile]:
    """Make tiles and put them into the scratch folder; give each when it is there.

    Raises
    ------
    StemscanError
        As the method, or when a process was killed.
    """
    if at_once == 1:
        for tile in tiles:
            scratch.put(tile, recipe.make(tile))
            yield tile
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context(start_method())
    pool = ProcessPoolExecutor(at_once, mp_context=context, initializer=_begin, initargs=(recipe, scratch))
    try:
        with blocked():
            waiting = {pool.submit(_make, tile): tile for tile in tiles}
        for future in as_completed(waiting):
            future.result()
            yield waiting.pop(future)
    except BrokenProcessPool as problem:
        raise ReconError(
            "expected the processes that make tiles to live, got one that was killed (too little memory?); what was "
            "made is kept: give the same command with --resume and a smaller --memory"
        ) from problem
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    pool.shutdown()


_work: tuple[Recipe, Scratch] | None = None


def _begin(recipe: Recipe, scratch: Scratch) -> None:
    """In a process: remember what to make; end with the parent, at Ctrl-C without a traceback."""
    global _work
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()
    unblocked()
    _work = recipe, scratch


def _make(tile: Tile) -> None:
    """In a process: make a tile."""
    assert _work is not None
    recipe, scratch = _work
    scratch.put(tile, recipe.make(tile))
