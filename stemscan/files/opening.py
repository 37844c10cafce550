"""Files that are opened to be read: there, and neither folder nor pipe, device or socket, which may never end."""

from __future__ import annotations

from pathlib import Path

from stemscan.errors import InputNotFoundError, StemscanError, UsageError

__all__ = ["require_file"]


def require_file(path: Path, what: str, error: type[StemscanError] = UsageError) -> None:
    """Refuse a path without a file.

    Parameters
    ----------
    what : str
        Thing that is expected, with its article, for messages.
    error : type
        Of what is raised where something else is there.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    error
        When it is a folder, pipe, device or socket.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise error(f"expected {what}, got {str(path)!r}, which is a folder; name a file")
    if not path.exists():
        raise InputNotFoundError(f"expected {what}, got {str(path)!r}, which does not exist; check the name")
    raise error(
        f"expected {what}, got {str(path)!r}, which is a pipe, device or socket; copy what it gives into a file"
    )
