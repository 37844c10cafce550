"""The rooms that stand beside this package in a checkout, and in it by links, which not every git makes."""

from __future__ import annotations

import os

__all__ = ["require_rooms"]


def require_rooms(package: str) -> None:
    """Refuse a package without its rooms, as git leaves it on Windows where it may make no links.

    Parameters
    ----------
    package : str
        Folder of the package.

    Raises
    ------
    MissingDependencyError
        An `ImportError`.
    """
    for room in ("recon", "simulators", "cli"):
        place = os.path.join(package, room)
        if not os.path.isdir(place):
            from stemscan.errors import MissingDependencyError

            raise MissingDependencyError(
                f"expected a folder or a link to one at {place!r}, got none; where git made no links, clone again with "
                "'git clone -c core.symlinks=true' (Windows: in developer mode), or install a wheel"
            )
