"""A page from its beginning to its end: `show_store` for a store, whoever writes it."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stemscan.errors import MissingDependencyError
from stemscan.recon.view.making import METHOD

if TYPE_CHECKING:
    from stemscan.recon.view.feed import Feed
    from stemscan.recon.view.server import Press

__all__ = ["Shown", "check_method", "require_page", "show_store"]

_LAST_S: Final = 1.5
"""Time for viewers to take the last message and its pictures, once an acquisition is over."""


@dataclass(frozen=True)
class Shown:
    """Settings of a page.

    Parameters
    ----------
    host : str
        Address to listen at.
    port : int
        0 for a free one.
    token : str
        That every request for data must have.
    speed : float or None
        Seconds of the scan in a second at which a finished store is replayed; None to show it as it is.
    method : str
        Of the images.
    threads : int or None
        At most, for images; half of the processors unless given.
    replaces : bool
        True where a store that is there now is about to be replaced.
    """

    store: Path
    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    speed: float | None = None
    channel: int | str = 0
    method: str = METHOD
    threads: int | None = None
    replaces: bool = False


def require_page() -> None:
    """Refuse to go on without the packages of the page.

    Raises
    ------
    MissingDependencyError
    """
    try:
        import tornado.web  # noqa: F401
    except ImportError as problem:
        raise MissingDependencyError(
            "expected the package tornado to show a page, got none; install it by: pip install 'stemscan[view]'"
        ) from problem


def check_method(method: str | None) -> None:
    """Refuse a method that does not exist, or that needs weights of its own.

    Raises
    ------
    UsageError
    """
    if method is not None:
        from stemscan.recon.registry import method_of

        method_of(method)


def _load() -> None:
    """Load what the first picture needs, before there is anything to show."""
    for name in ("PIL.Image", "scipy.special", "stemscan.store.reading"):
        importlib.import_module(name)


async def show_store(
    shown: Shown,
    told: Callable[[str], None],
    *,
    press: Press | None = None,
    over: Callable[[Feed], Awaitable[str]] | None = None,
) -> None:
    """Serve the page of a store until cancelled, or until its acquisition is over.

    Parameters
    ----------
    told : callable
        Takes the address of the page, with its token.
    press : Press, optional
        Action of its buttons.
    over : callable, optional
        Takes the feed, waits until the acquisition is over and returns why, in a sentence for viewers.

    Raises
    ------
    UsageError
        When the address cannot be listened at.
    """
    from stemscan.recon.view.feed import Feed
    from stemscan.recon.view.growing import GrowingScan
    from stemscan.recon.view.making import Maker
    from stemscan.recon.view.replaying import Replay
    from stemscan.recon.view.server import Server

    _load()
    scan = GrowingScan(shown.store, shown.channel)
    if shown.replaces:
        scan.ignore_present()
    threads = shown.threads or max(1, (os.cpu_count() or 2) // 2)
    maker = Maker(shown.store, shown.channel, shown.method, threads)
    feed = Feed(scan, maker, None if shown.speed is None else Replay(shown.speed))
    server = Server(feed, shown.token, press)
    told(server.listen(shown.host, shown.port))
    looking = asyncio.ensure_future(feed.run())
    try:
        if over is None:
            await looking
            return
        ending = asyncio.ensure_future(over(feed))
        await asyncio.wait({looking, ending}, return_when=asyncio.FIRST_COMPLETED)
        if looking.done():
            await looking
        feed.state.ended = ending.result()
        await feed.tell()
        await asyncio.sleep(_LAST_S if server.viewers else 0)
    finally:
        looking.cancel()
        maker.close()  # also where a signal came before it was looked at
        await server.close()
