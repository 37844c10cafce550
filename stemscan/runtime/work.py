"""News of work: how much of it is done, and at what it is, for those who show people how long it still takes.

A function that takes long divides itself into parts by what they cost, and says nothing more; where nobody asked, that
costs nothing. Threads take part if they run in a copy of the context, as those of `stemscan.recon.threads` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

__all__ = ["doing", "in_part", "part", "stepped", "told_of_work"]

Item = TypeVar("Item")


@dataclass(eq=False)
class _Told:
    """Those who want to know, and the share of the work that is done."""

    share: Callable[[float], None]
    doing: Callable[[str], None]
    done: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def add(self, share: float) -> None:
        """Count a share of the whole, and tell."""
        with self.lock:
            self.done = min(self.done + share, 1.0)
            self.share(self.done)


@dataclass(eq=False)
class _Span:
    """Part of the work: its share of the whole, and how much of that was counted."""

    told: _Told
    size: float
    counted: float = 0.0

    def count(self, share: float) -> None:
        """Count a share of this part, no more than is left."""
        more = min(share * self.size, self.size - self.counted)
        if more > 0:
            self.counted += more
            self.told.add(more)


_span: ContextVar[_Span | None] = ContextVar("stemscan_work", default=None)


@contextmanager
def told_of_work(share: Callable[[float], None], doing: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Ask for news of the work of this block.

    Parameters
    ----------
    share : callable
        Called with the share that is done, from 0 to 1, in whatever thread.
    doing : callable
        Called with what is being done, where that is another thing than the block's own; with an empty text at its end.
    """
    token = _span.set(_Span(_Told(share, doing), 1.0))
    try:
        yield
    finally:
        _span.reset(token)


@contextmanager
def part(share: float) -> Iterator[None]:
    """Part of the work at hand: its share of that, by what it costs. At its end all of it is counted."""
    outer = _span.get()
    if outer is None:
        yield
        return
    inner = _Span(outer.told, share * outer.size)
    if outer.told.done == 0.0:
        outer.told.share(0.0)  # it begins
    token = _span.set(inner)
    try:
        yield
    finally:
        _span.reset(token)
        inner.count(1.0)
        outer.counted += inner.size


def in_part(share: float, task: Callable[[], Item]) -> Callable[[], Item]:
    """A task as a part of the work that is at hand where it runs."""

    def run() -> Item:
        with part(share):
            return task()

    return run


def stepped(items: Iterable[Item], number: int) -> Iterator[Item]:
    """Items of a loop, each an equal part of the work at hand; counted when the next one is asked for."""
    span = _span.get()
    for item in items:
        yield item
        if span is not None:
            span.count(1.0 / number)


@contextmanager
def doing(text: str) -> Iterator[None]:
    """Say what is done in this block, where that is another thing than what was begun."""
    span = _span.get()
    if span is None:
        yield
        return
    span.told.doing(text)
    try:
        yield
    finally:
        span.told.doing("")
