"""Ctrl-C, SIGTERM and SIGHUP at a safe moment: at once while waiting for hardware, else after the step in hand.

A `KeyboardInterrupt` in the middle of a write would leave it running in another thread while the cleanup writes the
same chunk again. Inside `Interrupts`, a signal is therefore only remembered, except in `immediate()` sections, which
hold nothing that must be finished.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Interrupted", "Interrupts", "terminable"]


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop; `signum` is the signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum


class Interrupts:
    """Context in which SIGINT, SIGTERM and SIGHUP (a closed terminal) raise `Interrupted` where it is safe.

    Outside the main thread, where Python delivers no signals, it does nothing. A signal that the process ignores
    stays ignored; handlers are put back at the end.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._signum: int | None = None
        self._again = False
        self._immediate = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(signum) not in (signal.SIG_IGN, None):
                    self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self._again = self._signum is not None
        self._signum = signum
        if self._immediate:
            self._immediate = False
            raise Interrupted(signum)

    @property
    def pending(self) -> bool:
        """Whether a signal came since the context was entered."""
        return self._signum is not None

    def check(self) -> None:
        """Raise `Interrupted` if a signal came since the context was entered."""
        if self._signum is not None:
            raise Interrupted(self._signum)

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Section that a signal interrupts at once, also one that came before."""
        self._immediate = True
        try:
            self.check()
            yield
        finally:
            self._immediate = False

    @contextmanager
    def second_chance(self) -> Iterator[None]:
        """Section of the cleanup after a first signal, that only another one interrupts, also one that came before."""
        self._immediate = True
        try:
            if self._signum is not None and self._again:
                raise Interrupted(self._signum)
            yield
        finally:
            self._immediate = False


@contextmanager
def terminable() -> Iterator[None]:
    """Section that SIGTERM ends by `Interrupted`, so that what is half made is removed, where it would end the process.

    A handler that is there already stays, and outside the main thread nothing happens.
    """

    def leave(signum: int, frame: FrameType | None) -> None:
        raise Interrupted(signum)

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
