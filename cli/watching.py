"""The page of `stemscan acquire --watch`: its options, and the page itself beside the acquisition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemscan.cli.options import option
from stemscan.cli.shared_options import Shared

if TYPE_CHECKING:
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.cli.common import Talk
    from stemscan.recon.view.showing import Shown

__all__ = ["PageOptions", "check_port", "page_settings", "watched"]

_PORTS = 1 << 16


@dataclass(frozen=True)
class PageOptions(Shared):
    """Where the page of an acquisition is served; None where not given."""

    host: Annotated[
        str | None,
        option(
            panel="Page in the browser", help="Address to listen at, with --watch.", metavar="HOST", default="127.0.0.1"
        ),
    ] = None
    port: Annotated[
        int | None,
        option(panel="Page in the browser", help="Port, with --watch.", metavar="PORT", default="a free one"),
    ] = None
    allow_remote: Annotated[
        bool | None,
        option(
            "--allow-remote",
            panel="Page in the browser",
            help="Listen at addresses that other machines reach, with --watch.",
        ),
    ] = None


def page_settings(watch: bool, page: PageOptions, store: Path, *, overwrite: bool) -> Shown | None:
    """Settings of the page; None where it is not asked for.

    Raises
    ------
    UsageError
        When its options come without it, or cannot be.
    MissingDependencyError
        When its packages are missing.
    """
    from stemscan.errors import UsageError

    if not watch:
        if given := next(iter(page.given()), None):
            raise UsageError(f"--{given.replace('_', '-')}: expected --watch beside it, got it alone; add that")
        return None
    from stemscan.recon.view.guards import check_listening, new_token
    from stemscan.recon.view.showing import Shown, require_page

    require_page()
    host, port = page.host or "127.0.0.1", page.port or 0
    check_listening(host, allow_remote=bool(page.allow_remote))
    check_port(port)
    return Shown(store, host, port, new_token(), replaces=overwrite)


def check_port(port: int) -> None:
    """Refuse a port that is none."""
    from stemscan.errors import UsageError

    if not 0 <= port < _PORTS:
        raise UsageError(f"--port: expected 0 to {_PORTS - 1}, got {port}")


@contextmanager
def watched(shown: Shown | None, talk: Talk) -> Iterator[ScanRequests | None]:
    """The page beside what is done inside of this context; None, and no page, where it is not asked for."""
    if shown is None:
        yield None
        return
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.recon.view.beside import page_beside

    requests = ScanRequests()
    with page_beside(shown, requests, talk.warn) as address:
        typer.echo(f"watch: {address}", err=True)
        yield requests
