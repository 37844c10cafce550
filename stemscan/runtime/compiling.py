"""News that code is being compiled, for those who show people what takes so long; imports no numba."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["compilation_begins", "told_of_compilation"]

_told: list[Callable[[], None]] = []


@contextmanager
def told_of_compilation(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell`, in whatever thread, each time that a function is compiled in this block, not read from the cache."""
    _told.append(tell)
    try:
        yield
    finally:
        _told.remove(tell)


def compilation_begins() -> None:
    """Tell all who want to know."""
    for tell in tuple(_told):
        tell()
