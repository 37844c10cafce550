"""Ctrl-C, SIGTERM and SIGHUP at a safe moment: at once while waiting for hardware, else after the step in hand.

Windows has SIGBREAK, of Ctrl-Break and of a console that is closed, in place of SIGHUP.

A `KeyboardInterrupt` in the middle of a write would leave it running in another thread while the cleanup writes the
same chunk again. Inside `Interrupts`, a signal is therefore only remembered, except in `immediate()` sections, which
hold nothing that must be finished.

A command calls `begin` and `raise_interrupts` before it imports anything that takes time: from then on each of the
three signals raises `Interrupted`, and none is lost where Python or a library would swallow it.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from sys import UnraisableHookArgs

__all__ = [
    "SIGNALS",
    "Interrupted",
    "Interrupts",
    "begin",
    "blocked",
    "end_at_signals",
    "interrupt_main",
    "raise_interrupts",
    "reason",
    "received",
    "run_until_interrupted",
    "unblocked",
]

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""Signals that ask a program to stop: of the user, of the system, of a terminal that is closed."""

Result = TypeVar("Result")

_IMPORT: Final = "<frozen importlib._bootstrap>"
_AGAIN_S: Final = 0.02
_CALM_S: Final = 1.0
"""For so long after a signal another one is taken for the same, so that an impatient user does not stop the tidying."""

_received: int | None = None
_reason = ""
_raised_at = -_CALM_S


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop; `signum` is the signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum

    @classmethod
    def by_request(cls) -> Self:
        """The same for a request that came without a signal."""
        return cls(signal.SIGINT)


def begin() -> None:
    """Forget the signals of an earlier command in this process."""
    global _received, _raised_at, _reason
    _received, _raised_at, _reason = None, -_CALM_S, ""


def received() -> int | None:
    """The last signal since `begin` that asked to stop; None where there was none."""
    return _received


def interrupt_main(why: str) -> None:
    """Ask the main thread to stop as Ctrl-C does, by a signal that the process does not ignore, and keep why."""
    global _reason
    _reason = why
    signum = next((one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN), None)
    if signum is not None:
        _send(signum)


def reason() -> str:
    """Why `interrupt_main` was called since `begin`; empty where it was not."""
    return _reason


def raise_interrupts() -> None:
    """Let the three signals raise `Interrupted` in this process from now on; one that is ignored stays ignored."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _raise)
    sys.unraisablehook = _unraisable


def end_at_signals() -> None:
    """Let the three signals end this process without a word, once all is done but the interpreter's tidying."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is _raise:
            signal.signal(signum, lambda number, frame: os._exit(128 + number))


def _raise(signum: int, frame: FrameType | None) -> None:
    """Raise `Interrupted`, unless inside of an import: there libraries catch everything, and go on without a part."""
    global _received, _raised_at
    _received = signum
    if time.monotonic() < _raised_at + _CALM_S or (_importing(frame) and _send_again(signum)):
        return
    _raised_at = time.monotonic()
    warnings.simplefilter("ignore")  # of what is left half done from here on
    raise Interrupted(signum)


def _importing(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False


def _send_again(signum: int) -> bool:
    """Send a signal to the main thread in a moment; False where no thread can be started to do so."""
    timer = threading.Timer(_AGAIN_S, _send, (signum,))
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:
        return False
    return True


def _send(signum: int) -> None:
    """Send a signal to the main thread; where no thread can be told, its handler runs at the next step of Python."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signum)
    else:
        _thread.interrupt_main(signal.Signals(signum))


def _unraisable(problem: UnraisableHookArgs) -> None:
    """Send the signal of an `Interrupted` again where Python swallows it, as in finalisers and in calls from C."""
    global _raised_at
    if isinstance(problem.exc_value, Interrupted):
        _raised_at = -_CALM_S
        _send_again(problem.exc_value.signum)
    elif _received is None:  # else it is what an interruption left half made
        sys.__unraisablehook__(problem)


def run_until_interrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine; one of the three signals cancels it, so that its clean-up is awaited as well.

    `Interrupted` raised in whatever callback the loop is at would come out of that callback's own clean-up a second
    time, and end the loop before the clean-up of all others.

    Raises
    ------
    Interrupted
        After the clean-up, when a signal came.
    """
    import asyncio

    got: list[int] = []

    async def cancelled_by_signals() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def stop(signum: int, frame: FrameType | None) -> None:
            global _received
            _received = signum
            if not got:
                loop.call_soon_threadsafe(task.cancel)
            got.append(signum)

        before = [signum for signum in SIGNALS if signal.getsignal(signum) is _raise]
        for signum in before:
            signal.signal(signum, stop)
        try:
            return await task
        finally:
            for signum in before:
                signal.signal(signum, _raise)

    try:
        return asyncio.run(cancelled_by_signals())
    except asyncio.CancelledError:
        if not got:
            raise
        raise Interrupted(got[0]) from None


class Interrupts:
    """Context in which SIGINT, SIGTERM and SIGHUP (a closed terminal) raise `Interrupted` where it is safe.

    Outside the main thread, where Python delivers no signals, it does nothing. A signal that the process ignores
    stays ignored; handlers are put back at the end.

    Parameters
    ----------
    polite : bool
        Leave handlers alone that are neither Python's nor this module's, such as those of `Interrupts` around this one:
        who handles a signal goes on doing so.
    """

    def __init__(self, *, polite: bool = False) -> None:
        self._polite = polite
        self._before: dict[int, Any] = {}
        self._signum: int | None = None
        self._again = False
        self._immediate = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                if self._takes(signal.getsignal(signum)):
                    self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    def _takes(self, handler: Any) -> bool:
        """Tell whether to take the place of a handler."""
        if self._polite:
            return handler in (signal.SIG_DFL, signal.default_int_handler, _raise)
        return handler not in (signal.SIG_IGN, None)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        global _received
        _received = signum
        self._again = self._signum is not None
        self._signum = signum
        if self._immediate and not _importing(frame):
            self._immediate = False
            raise Interrupted(signum)

    @property
    def pending(self) -> bool:
        """Tell whether a signal came since the context was entered."""
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
def blocked() -> Iterator[None]:
    """Section in which Ctrl-C is not delivered to this thread, nor to processes that it starts.

    A worker inherits this, so that Ctrl-C, which a terminal sends to all processes, finds none that is not ready for
    it; the worker calls `unblocked` when it is. Windows holds no signals back, and there it does nothing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblocked() -> None:
    """Let Ctrl-C through again, in a process that was started in `blocked`."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
