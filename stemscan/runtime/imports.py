"""Imports of large libraries: without Python's collector, and what can be done beside other work.

torch makes half a million objects that live as long as the process. Python's collector goes through them several times
while they are made, and once more when the process ends: together longer than half of the import itself.

Two imports at once take as long as one after the other, for both hold the interpreter's lock. The system's loader does
not: a fifth of torch's import is that of its library.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

__all__ = ["load_torch_ahead", "loading", "without_collector"]

_LIBRARY = "lib/libtorch_cpu.so"


@contextmanager
def without_collector() -> Iterator[None]:
    """Import in this block without the collector; what is there at its end is never looked through again.

    For commands: it holds for all objects of the process.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


_threads: list[Thread] = []


def load_torch_ahead() -> None:
    """Let a thread load torch's library, which it will import; whatever goes wrong, the import says.

    Call it after `stemscan.runtime.openmp.wait_politely`.
    """
    if sys.platform == "linux" and "torch" not in sys.modules:
        _threads.append(Thread(target=_load, name="load torch", daemon=True))
        _threads[-1].start()


def loading() -> bool:
    """Tell whether a library is being loaded: the interpreter must not be taken down then."""
    return any(thread.is_alive() for thread in _threads)


def _load() -> None:
    """Load the library where there is one."""
    with suppress(OSError, ImportError, ValueError):
        spec = find_spec("torch")
        for place in (spec and spec.submodule_search_locations) or ():
            if (library := Path(place, _LIBRARY)).exists():
                ctypes.CDLL(str(library))
