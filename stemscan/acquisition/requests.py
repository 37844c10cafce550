"""Requests to a running scan, from whoever watches it and from any thread, obeyed when that is safe.

The loop asks between segments and between passes. Nothing that is asked for exposes more than the plan does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from stemscan.runtime.interrupts import Interrupted, interrupt_main

__all__ = ["ScanRequests"]

_PARK: Final = "blank and park now"
_STOP: Final = "stop after this pass"
_MORE: Final = "one more pass"


class ScanRequests:
    """Requests to one scan; each request returns a sentence on what will come of it.

    Parameters
    ----------
    wake : callable
        Ends the main thread's waiting for the controller.
    """

    def __init__(self, wake: Callable[[str], None] = interrupt_main) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._notes: list[str] = []
        self._edges: Sequence[int] = ()
        self._received = 0
        self._whole = False
        self._stops = self._parks = False
        self._more = 0

    # ------------------------------------------------------------------ those who ask

    def stop_after_pass(self) -> str:
        """End the scan, complete, after the pass that is being exposed when this is read."""
        with self._lock:
            if self._whole:
                return "not done: this controller only runs whole scans; blank and park ends it"
            self._stops, self._more = True, 0
            self._notes.append(_STOP)
            return "the scan ends after this pass, once what is armed was exposed"

    def one_more_pass(self) -> str:
        """Let the next end of the scan that is no limit of dose, asked for or by a rule, wait for one more pass."""
        with self._lock:
            if self._whole:
                return "not done: this controller only runs whole scans"
            left = sum(edge > self._received for edge in self._edges) - 1
            if self._edges and left <= self._more:
                return f"not done: the plan allows no pass beyond the {len(self._edges) - 1} that it has"
            self._more += 1
            self._notes.append(_MORE)
            if self._stops:
                return "the scan ends one pass later"
            return "no end was asked for; the next that a rule or a press asks for comes one pass later"

    def park(self) -> str:
        """Blank and park at once, as Ctrl-C does; the scan can be resumed."""
        with self._lock:
            self._parks = True
            self._notes.append(_PARK)
        self._wake("parked from the page")
        return "the beam is being blanked and parked; what was committed is kept"

    # ------------------------------------------------------------------ the loop

    def begin(self, edges: Sequence[int], *, whole: bool) -> None:
        """Take note of where passes begin and end, and whether the scan can only be run as a whole."""
        with self._lock:
            self._edges, self._whole = edges, whole

    def check(self, received: int) -> None:
        """Take note of what was received.

        Raises
        ------
        Interrupted
            Where the beam is to be parked.
        """
        self._received = received
        if self._parks:
            raise Interrupted.by_request()

    @property
    def stops(self) -> bool:
        """Tell whether the scan is to end after a pass."""
        return self._stops

    def postponed(self) -> bool:
        """Tell whether an end waits for one more pass, which is used up by this."""
        with self._lock:
            self._more -= (later := self._more > 0)
            return later

    def notes(self) -> list[str]:
        """Requests since this was called last."""
        with self._lock:
            notes, self._notes = self._notes, []
            return notes
