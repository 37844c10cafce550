"""Renames, deletions and syncs on every system, also while another program has a file open.

POSIX renames and deletes a file that somebody reads. Windows refuses to, with a sharing violation or with "access is
denied", as long as a reader, an indexer or a virus scanner has the file open, which is for a moment as a rule. Each
step here is therefore tried again for some seconds. Where it is refused for good, it fails with one `OSError` and
nothing is changed.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["discard", "patiently", "put_folder", "remove", "remove_tree", "replace", "size_of", "sync_folder"]

Result = TypeVar("Result")

PATIENCE_S: Final = 10.0
"""Seconds for which a step is tried again while another program has the file open."""

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.5

_IN_USE: Final = {
    5: "another program has it open, or its permissions forbid it",
    32: "another program has it open",
    33: "another program has locked it",
}
"""Errors of Windows for what is in use: ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION."""


def patiently(step: Callable[[], Result], path: Path) -> Result:
    """Take a step, and take it again while Windows says that another program has the file open.

    Parameters
    ----------
    step : callable
        One that changes nothing where it fails.
    path : pathlib.Path
        Subject of the message.

    Returns
    -------
    object
        Result of the step.

    Raises
    ------
    OSError
        Of the system; with `errno.EBUSY` where the file stayed open for `PATIENCE_S`.
    """
    end, pause = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
    while True:
        try:
            return step()
        except PermissionError as problem:
            reason = _IN_USE.get(getattr(problem, "winerror", None) or 0)
            if reason is None:
                raise
            if time.monotonic() > end:
                raise OSError(errno.EBUSY, reason, str(path)) from problem
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def replace(source: Path, target: Path) -> None:
    """Give a file or folder another name at once; a file of that name is replaced."""
    patiently(lambda: os.replace(source, target), target)


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    patiently(lambda: path.unlink(missing_ok=True), path)


def remove_tree(folder: Path) -> None:
    """Delete a folder with all that is in it, if it is there; of a link to one, the link alone."""
    if folder.is_symlink():
        remove(folder)
        return
    for where, folders, files in os.walk(folder, topdown=False):
        for name in files:
            remove(Path(where, name))
        for name in folders:
            _remove_folder(Path(where, name))
    if folder.exists():
        _remove_folder(folder)


def _remove_folder(path: Path) -> None:
    """Delete an empty folder, or a link to one."""
    patiently(path.unlink if path.is_symlink() else path.rmdir, path)


def discard(path: Path) -> None:
    """Delete a file, link or folder as far as possible, without a word."""
    with suppress(OSError):
        (remove_tree if path.is_dir() else remove)(path)


def put_folder(filled: Path, path: Path) -> None:
    """Put a folder in its place; what is there is deleted, after that, and put back where this fails.

    Parameters
    ----------
    filled : pathlib.Path
        The folder, beside `path`, with a name that no other process gives.
    path : pathlib.Path
        Its place.
    """
    old = filled.with_name(f"{filled.name}.old")
    if path.exists() or path.is_symlink():
        replace(path, old)
    try:
        replace(filled, path)
    except OSError:
        if old.exists() or old.is_symlink():
            replace(old, path)
        raise
    discard(old)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can (Windows opens no folders)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def size_of(found: os.stat_result) -> int:
    """Bytes that a file takes on the disk; its length where the system does not tell."""
    blocks: int | None = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else 512 * blocks
