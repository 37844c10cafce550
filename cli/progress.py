"""Progress of long work on stderr: a bar with the time that is left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stemscan.runtime.compiling import told_of_compilation
from stemscan.runtime.work import told_of_work

__all__ = ["Meter", "Progress", "Report", "is_watched", "shown_progress", "time_left"]

Progress = Callable[[int, int], None]
Report = Callable[[int, int, Mapping[str, float] | None], None]

_COMPILING = "compiling, once after an installation"
_SHARES = 10_000
_AT_ONCE_S = 1.0
_OF_THE_BAR = 66
"""Columns of a bar, its share and the time that is left."""
_TELLS = 0.03
"""Share of the work that must be done to tell how long the rest takes."""
_FIRST_LINE_S, _LINES_S = 30.0, 60.0
"""Seconds until the first line where no terminal is, and from one to the next."""


def is_watched() -> bool:
    """Tell whether stderr is a terminal; it is None where the caller closed it."""
    return sys.stderr is not None and sys.stderr.isatty()


class Meter:
    """Time that is left, from what was done since the beginning, or since code was compiled.

    Between two reports the time goes on as long as reports usually take; then it waits for the next.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None
        self._last = (clock(), 0.0)
        self._reports = 0

    def report(self, share: float) -> None:
        """Take the share that is done, from 0 to 1."""
        now = (self._clock(), share)
        if self._first is None:
            self._first, self._reports = now, 0
        elif share == self._last[1]:
            return
        else:  # less than before, where the rest turned out to take longer
            self._reports += 1
        self._last = now

    def begin_anew(self) -> None:
        """Forget how long the work took so far: it was held up."""
        self._first = None

    @property
    def share(self) -> float:
        """Share that is done."""
        return self._last[1]

    def left(self) -> float | None:
        """Seconds that are left; None where nothing tells."""
        if self._first is None or not self._reports or self.share >= 1:
            return None
        (began, before), (last, share) = self._first, self._last
        if share - before < _TELLS * (1 - before) or share <= before:
            return None
        spent = last - began
        whole = spent * (1 - share) / (share - before)
        return max(whole - min(self._clock() - last, spent / self._reports), 0.0)


def time_left(seconds: float | None) -> str:
    """Seconds that are left, in words.

    Examples
    --------
    >>> time_left(8.4), time_left(75), time_left(3700), time_left(None)
    ('8 s left', '1 min 15 s left', '1 h 1 min left', '')
    """
    if seconds is None:
        return ""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s left"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s left"
    return f"{whole // 3600} h {whole % 3600 // 60} min left"


class _Lines:
    """Lines on stderr, seldom."""

    def __init__(self, what: str, meter: Meter) -> None:
        self._what, self._meter = what, meter
        self._next = time.monotonic() + _FIRST_LINE_S

    def show(self, text: str = "") -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        if now < self._next or sys.stderr is None:
            return
        self._next = now + _LINES_S
        parts = [f"{self._meter.share:.0%}", time_left(self._meter.left()), text]
        sys.stderr.write(f"{self._what}: {', '.join(part for part in parts if part)}\n")
        sys.stderr.flush()

    def doing(self, text: str) -> None:
        """Nothing: lines are about the whole."""


class _Bar:
    """A bar of rich."""

    def __init__(self, what: str, meter: Meter, bar: Any) -> None:
        self._what, self._meter, self._bar = what, meter, bar
        self._task = bar.add_task(what, total=None, note="")

    def show(self, text: str = "") -> None:
        """Show how far the work is."""
        self._bar.update(self._task, completed=self._meter.share * _SHARES, total=_SHARES)
        room = self._bar.console.width - len(self._what) - _OF_THE_BAR
        while len(text) > room and ", " in text:
            text = text.rpartition(", ")[0]  # lest the bar and the time that is left give way
        if text:
            self._bar.update(self._task, note=text if len(text) <= room else "")

    def doing(self, text: str) -> None:
        """Show what is done meanwhile."""
        self._bar.update(self._task, description=f"{self._what} ({text})" if text else self._what)


@contextmanager
def _bar(what: str, meter: Meter) -> Iterator[_Bar]:
    """A bar on the terminal, until the end of the block."""
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Left(ProgressColumn):
        """Time that is left, or that it took so far where nothing tells."""

        max_refresh = 0.5

        def render(self, task: Any) -> Text:
            """The text of a task."""
            return Text(time_left(meter.left()) or f"{task.elapsed or 0:.0f} s so far", "cyan")

    texts = TextColumn("{task.description}"), TextColumn("{task.fields[note]}")
    columns = texts[0], BarColumn(), TaskProgressColumn(), Left(), texts[1]
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bar(what, meter, bars)


@contextmanager
def shown_progress(what: str) -> Iterator[Report]:
    """Show how far some work is, and the latest numbers beside it.

    Work that nobody reports is shown as far as the library tells of it (`stemscan.runtime.work`).

    Yields
    ------
    callable
        Takes (done, in all, numbers by name to show with the two; None shows neither).
    """
    meter, began = Meter(), time.monotonic()
    with _bar(what, meter) if is_watched() else _lines(what, meter) as shown:
        numbers: dict[str, float] = {}
        reported = False

        def report(done: int, total: int, more: Mapping[str, float] | None) -> None:
            nonlocal reported
            if not reported and time.monotonic() - began < _AT_ONCE_S:
                meter.begin_anew()  # what was done before does not tell how fast it is
            reported = True
            numbers.update(more or {})
            meter.report(done / total if total else 1.0)
            beside = [] if more is None else [f"{done}/{total}"]
            shown.show(", ".join([*beside, *(f"{name} {value:.3g}" for name, value in numbers.items())]))

        def work(share: float) -> None:
            if not reported:
                if share == 0.0:  # it begins: imports are done
                    meter.begin_anew()
                meter.report(share)
                shown.show()

        def compiling() -> None:
            meter.begin_anew()
            shown.doing(_COMPILING)

        meter.report(0.0)
        with told_of_compilation(compiling), told_of_work(work, shown.doing):
            yield report


@contextmanager
def _lines(what: str, meter: Meter) -> Iterator[_Lines]:
    """Lines, where no terminal is."""
    yield _Lines(what, meter)
