"""Named points between the steps of a durable write, at which tests kill the process.

A failpoint does nothing until a hook is installed with `installed`; nothing outside the running process (no flag, no
environment variable) can install one. A hook gets the name of each point as it is passed and may kill or raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["NAMES", "failpoint", "installed"]

NAMES: Final = frozenset(
    {
        "remove:begin",
        "remove:record",
        "remove:done",
        "create:folder",
        "create:locked",
        "create:arrays",
        "create:truth",
        "create:synced",
        "create:done",
        "resume:swept",
        "resume:recorded",
        "arm:begin",
        "arm:recorded",
        "move:recorded",
        "append:chunk",
        "commit:begin",
        "commit:chunks",
        "commit:synced",
        "commit:digests",
        "commit:recorded",
        "rewind:begin",
        "rewind:recorded",
        "doubt:recorded",
        "draw:pass",
        "draw:synced",
        "draw:level",
        "complete:begin",
        "complete:recorded",
        "abort:recorded",
        "repair:array",
        "repair:made",
        "file:written",
        "file:synced",
        "file:placed",
    }
)
"""Every failpoint there is."""

_hook: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """Tell the hook, if there is one, that this point was reached."""
    if _hook is not None:
        _hook(name)


@contextmanager
def installed(hook: Callable[[str], None]) -> Iterator[None]:
    """Call `hook` with the name of every failpoint that is passed inside the `with` block, from whatever thread."""
    global _hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before
