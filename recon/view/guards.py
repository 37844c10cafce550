"""Guards of the page: who may look, and who may press a button that moves a beam.

The page listens on this machine's loopback unless told otherwise. Its address carries a token in the part behind `#`,
which browsers keep to themselves; every request for data must have it. Requests must name this machine as their host,
so that a foreign page cannot reach it by a name of its own; presses must come from the page itself (`Origin`).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from stemscan.errors import UsageError

__all__ = ["HEADERS", "check_listening", "is_known_host", "is_own_origin", "is_token", "new_token"]

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every answer."""


def new_token() -> str:
    """A token that nobody can guess, for one run of a page."""
    return secrets.token_urlsafe(24)


def is_token(given: str | None, token: str) -> bool:
    """Tell whether the right token was given, in a time that tells nothing of it."""
    return given is not None and hmac.compare_digest(given.encode(), token.encode())


def check_listening(host: str, *, allow_remote: bool) -> None:
    """Refuse an address that other machines reach, unless that is wanted.

    Raises
    ------
    UsageError
    """
    if not (_is_loopback(host) or allow_remote):
        raise UsageError(
            f"--host: expected a loopback address such as 127.0.0.1, got {host!r}, which other machines reach; tunnel "
            "to this one (ssh -L), or add --allow-remote if the network is trusted"
        )


def is_known_host(header: str, listening: str) -> bool:
    """Tell whether a `Host` header names this machine: loopback, or its addresses and name where it listens to others.

    Examples
    --------
    >>> is_known_host("localhost:8000", "127.0.0.1"), is_known_host("evil.example:8000", "127.0.0.1")
    (True, False)
    """
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if _is_loopback(name):
        return True
    return not _is_loopback(listening) and (_is_address(name) or name in _own_names(listening))


def is_own_origin(origin: str | None, host: str) -> bool:
    """Tell whether an `Origin` header is that of the page which the `Host` header names."""
    return origin is not None and origin in (f"http://{host}", f"https://{host}")


def _is_loopback(name: str) -> bool:
    """Tell whether a name or address is of this machine's loopback."""
    if name == "localhost":
        return True
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _is_address(name: str) -> bool:
    """Tell whether a name is an address in numbers."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names(listening: str) -> Collection[str]:
    """Names by which others may call this machine."""
    return {listening.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
