"""Limits of this process: the processors that it has, and what a worker may compute and take of memory.

A worker limits its own computing time and memory. Linux has both limits, macOS that of time. Windows has neither; there
a worker that takes far longer by the clock is ended, and its memory is not limited.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["end_of", "give_way", "keep_freed_memory", "lift_time_limit", "limit_process", "memory_taken", "processors"]

_CLOCK: Final = 20.0
"""Seconds by the clock for one of computing, where that cannot be limited: machines may be busy."""

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _NEVER = -3, -1, (1 << 31) - 1
"""Options of glibc's malloc, and a size in bytes that few arrays have."""

_TOO_LONG: Final = "that takes longer to read than any file of its size: it is damaged"
_STOPPED: Final = "whose reader was stopped, by the system where memory is short"
_FAILED: Final = "which made its reader fail: damaged"


def processors() -> int:
    """Processors that this process may use; all of the machine where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_taken() -> int:
    """Bytes of data in memory of this process, 0 where the system does not tell."""
    with suppress(ImportError, OSError):
        import resource

        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
    return 0


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees for its next arrays, which the system then need not make anew.

    By glibc's malloc alone; nothing on other systems.
    """
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            set_option(option, _NEVER)


def limit_process(seconds: float, total_bytes: int) -> None:
    """Let this process compute so long from now on, and take so much memory in all.

    A process that computes longer is ended, whatever code it is in; memory beyond is refused to it.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    else:
        faulthandler.dump_traceback_later(_CLOCK * seconds, exit=True)
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (total_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def lift_time_limit() -> None:
    """Let this process compute and wait as long as it likes again."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, 0)
    else:
        faulthandler.cancel_dump_traceback_later()


def end_of(code: int) -> str:
    """Reason for which a limited process ended with an exit code, as the end of a sentence about its file."""
    reasons = {"SIGPROF": _TOO_LONG, "SIGKILL": _STOPPED}
    known = {-getattr(signal, name): reason for name, reason in reasons.items() if hasattr(signal, name)}
    return known.get(code, _FAILED)


def give_way(by: int = 10) -> None:
    """Let other processes compute first, as far as the system knows of that; not to be undone."""
    if hasattr(os, "nice"):
        os.nice(by)
