"""Locks of open files that the system gives back when their process ends, however it does.

They are `flock` where there is one, and a locked byte on Windows, far behind the end so that nobody who reads or copies
the file meets it.
"""

from __future__ import annotations

import os
import sys

__all__ = ["is_locked", "lock", "open_lock"]

if sys.platform == "win32":
    import msvcrt

    _BYTE = 1 << 30

    def _change(handle: int, mode: int) -> bool:
        """Lock or unlock the byte that stands for the file; False where another one has locked it."""
        os.lseek(handle, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, mode, 1)
        except PermissionError:
            return False
        return True

    def _lock(handle: int) -> bool:
        return _change(handle, msvcrt.LK_NBLCK)

    def _is_locked(handle: int) -> bool:
        return not (_lock(handle) and _change(handle, msvcrt.LK_UNLCK))

else:
    import fcntl

    def _change(handle: int, mode: int) -> bool:
        """Lock the file; False where another one has locked it."""
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(handle: int) -> bool:
        return _change(handle, fcntl.LOCK_EX)

    def _is_locked(handle: int) -> bool:
        return not _change(handle, fcntl.LOCK_SH)


def open_lock(path: str | os.PathLike[str], *, create: bool = False) -> int:
    """Open a file to lock it; a link is not followed, where the system can tell.

    Parameters
    ----------
    create : bool
        Make the file if it is missing, and open it for writing.

    Returns
    -------
    int
        Descriptor, which processes that this one starts do not inherit.
    """
    ways = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
    return os.open(path, ways | getattr(os, "O_NOFOLLOW", 0), 0o666)


def lock(handle: int) -> bool:
    """Lock an open file until it is closed; False where another one has locked it.

    Raises
    ------
    OSError
        When the file system has no locks.
    """
    return _lock(handle)


def is_locked(handle: int) -> bool:
    """Tell whether another one has locked an open file, which is to be closed then: asking may take a lock itself.

    Raises
    ------
    OSError
        When the file system has no locks.
    """
    return _is_locked(handle)
