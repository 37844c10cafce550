"""A controller whose calls have an end: each is made in a thread, so that waiting for it can be given up.

A call that never returns cannot be stopped from outside; its thread is left behind, and ends with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

from stemscan.acquisition.following import move_field
from stemscan.acquisition.reports import channels_of
from stemscan.errors import ControllerError, UsageError

if TYPE_CHECKING:
    from stemscan.acquisition.following import Offset
    from stemscan.acquisition.scan_controller import Capabilities, ScanController
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.batch import DetectorInfo, SampleBatch

__all__ = ["LONGEST_S", "TimedController", "aside", "check_seconds"]

LONGEST_S: Final = 1e9
"""Longest wait in seconds: about 30 years, which every system can count."""

Result = TypeVar("Result")
Task = Callable[[], None]


def check_seconds(seconds: float) -> None:
    """Refuse a longest wait that is none.

    Raises
    ------
    UsageError
        When it is not above 0 s and at most `LONGEST_S`.
    """
    if not 0 < seconds <= LONGEST_S:
        raise UsageError(f"expected a stall timeout above 0 s and at most {LONGEST_S:g} s, got {seconds!r}")


def aside(work: Callable[[], Result], name: str) -> Future[Result]:
    """Begin something in a thread of its own, which the end of the process does not wait for.

    Parameters
    ----------
    name : str
        Of the thread.

    Returns
    -------
    Future
        Of what `work` returns or raises.
    """
    future: Future[Result] = Future()
    threading.Thread(target=_task(work, future), name=name, daemon=True).start()
    return future


class TimedController:
    """A scan controller that passes calls on and gives up waiting for them after a while.

    `arm`, `start` and `read` are called in one thread, in order; `abort` and `close`, which must work while another
    call hangs, each in one of its own.

    Parameters
    ----------
    seconds : float
        Longest wait for a call, above 0 and at most `LONGEST_S`.

    Raises
    ------
    UsageError
        On another longest wait.
    ControllerError
        From every method, when the controller does not return in time.
    """

    def __init__(self, controller: ScanController, seconds: float) -> None:
        check_seconds(seconds)
        self.controller, self._seconds = controller, seconds
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        threading.Thread(target=_work_off, args=(self._tasks,), name="controller", daemon=True).start()

    @property
    def capabilities(self) -> Capabilities:
        """Abilities of the controller."""
        return self.controller.capabilities

    @property
    def detector(self) -> DetectorInfo:
        """Meaning of its numbers."""
        return self.controller.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Meaning of the numbers of each channel."""
        return channels_of(self.controller)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1."""
        self._in_turn(lambda: self.controller.arm(path, start, stop), "get ready")

    def move_field(self, path: ScanPath, number: int, offset: Offset) -> Offset:
        """Move the field, from pass `number` on."""
        return self._in_turn(lambda: move_field(self.controller, path, number, offset), "move its field")

    def start(self) -> None:
        """Begin to expose the armed range."""
        self._in_turn(self.controller.start, "start")

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples; None when the armed range was delivered."""
        return self._in_turn(lambda: self.controller.read(max_samples), "deliver samples")

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range."""
        self._outcome(aside(self.controller.abort, "abort"), "abort")

    def close(self) -> None:
        """Release the hardware; may be called twice."""
        self._outcome(aside(self.controller.close, "close"), "close")

    def let_go(self) -> None:
        """End the thread that makes calls, once the last of them returned; the controller stays open."""
        self._tasks.put(None)

    def _in_turn(self, work: Callable[[], Result], what: str) -> Result:
        """Make a call after those before it."""
        future: Future[Result] = Future()
        self._tasks.put(_task(work, future))
        return self._outcome(future, what)

    def _outcome(self, future: Future[Result], what: str) -> Result:
        """Result of a call, or its error."""
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():  # at the last moment, or the controller's own
                return future.result()
            raise ControllerError(
                f"expected {self.capabilities.name} to {what} within {self._seconds:g} s, got no answer; check the "
                "hardware and resume"
            ) from None


def _task(work: Callable[[], Result], future: Future[Result]) -> Task:
    """Something to do, which puts what comes of it into a future."""

    def task() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the future is asked
            future.set_exception(error)

    return task


def _work_off(tasks: SimpleQueue[Task | None]) -> None:
    """Do what comes, until None comes."""
    while (task := tasks.get()) is not None:
        task()
