"""Addresses of Open Beam Interface devices: obi://HOST:PORT, with an IPv6 address in brackets."""

from __future__ import annotations

from urllib.parse import urlsplit

from stemscan.errors import UsageError

__all__ = ["format_address", "parse_address"]


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``obi://HOST:PORT``.

    Raises
    ------
    UsageError
        When it is no such address.

    Examples
    --------
    >>> parse_address("obi://localhost:2224")
    ('localhost', 2224)
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if (
        host is None
        or not port
        or parts.scheme != "obi"
        or parts.path
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise UsageError(f"expected an address as obi://HOST:PORT with a port from 1 to 65535, got {text!r}")
    return host, port


def format_address(host: str, port: int) -> str:
    """HOST:PORT as `parse_address` reads it after ``obi://``.

    Examples
    --------
    >>> format_address("::1", 2224)
    '[::1]:2224'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
