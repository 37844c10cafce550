"""Processes that work for another one and must not outlive it, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["end_with_parent", "start_method", "without_main"]


def start_method() -> str:
    """Way to start processes that use torch and numba, which survive no fork: from a server that has loaded neither."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


@contextmanager
def without_main() -> Iterator[None]:
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
