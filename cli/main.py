"""The `stemscan` command from its first line to its exit code.

It imports next to nothing, so that Ctrl-C is answered as it should be while all the rest is imported.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

from stemscan.errors import StemscanWarning
from stemscan.runtime.imports import loading, without_collector
from stemscan.runtime.interrupts import begin, end_at_signals, raise_interrupts, reason, received

__all__ = ["run"]

_SIGNALLED = 128
"""Exit code of a command that a signal ended, less the number of the signal, as shells have it."""

_GOING_ON = {
    "acquire": "; the beam was told to blank, what was committed is kept, and --resume goes on from there",
    "simulate": "; what was committed is kept, and --resume goes on from there",
    "recon": "; finished tiles of a large frame are kept, and --resume goes on from there",
    "train": "; the last checkpoint is kept, and --resume goes on from there",
    "evaluate": "; what was computed is kept, and the same command goes on from there",
    "campaign": "; what was done is kept, and --resume goes on from there",
}


def run(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 used wrongly; 130, 143, 129 on SIGINT, SIGTERM, SIGHUP."""
    given = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _warn(warnings.showwarning)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names may have letters that a code page lacks
    try:
        raise_interrupts()
        code = _run(given)
    except KeyboardInterrupt:  # before or after all that `_run` guards
        code = _interrupted(given)
    if code > _SIGNALLED or loading():
        _leave_at_once(code)
    end_at_signals()
    gc.freeze()  # else the collector goes through all libraries once more: half a second after torch
    sys.exit(code)


def _warn(others: Any) -> Any:
    """Print the library's own warnings as the commands print theirs; those of others as they were."""

    def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, StemscanWarning):
            with suppress(OSError, AttributeError):  # full, or None where the caller closed it
                sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")
        else:
            others(message, category, *place, **more)

    return show


def _leave_at_once(code: int) -> NoReturn:
    """End the process without the interpreter's tidying, in which zarr's background thread complains of lost tasks."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, broken or None
            stream.flush()
    os._exit(code)


def _run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    begin()
    try:
        with without_collector():
            from stemscan.cli.app import run_command
        code = run_command(arguments)
    except KeyboardInterrupt:
        return _interrupted(arguments)
    except Exception:
        if received() is None:
            raise
        return _interrupted(arguments)  # which some library has made something else of
    return code if code or received() is None else _interrupted(arguments)


def _interrupted(arguments: list[str]) -> int:
    """Say what ended the command, and how it goes on."""
    signum = received() or signal.SIGINT
    by = "" if signum == signal.SIGINT else f" by {signal.Signals(signum).name}"
    more = _GOING_ON.get(arguments[0] if arguments else "", "")
    with suppress(OSError, ValueError, AttributeError):  # a terminal that is closed
        sys.stderr.write(f"error: {reason() or f'interrupted{by}'}{more}\n")
        sys.stderr.flush()
    return _SIGNALLED + signum
