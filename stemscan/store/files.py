"""Files of a store: locked by one writer, written whole and durably.

A file is written beside its place, synced, and renamed; folders are synced when a step ends. In the place of files,
objects of a bucket are put, under a lease in the place of a lock; see `stemscan.objects`.
"""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from stemscan.errors import DiskSpaceError, StemscanError, StoreError, refusal
from stemscan.objects.path import ObjectPath
from stemscan.runtime import durable
from stemscan.runtime.failpoints import failpoint
from stemscan.runtime.locks import is_locked, lock, open_lock

__all__ = [
    "DRIFT",
    "LOCK",
    "ROOT",
    "Json",
    "StoreLock",
    "linked",
    "read_json",
    "remove_file",
    "sync_folder",
    "write_durably",
    "writing",
]

Json = dict[str, Any]

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.02
LOCK = ".stemscan.lock"
ROOT = "zarr.json"
DRIFT = "drift"
"""Group of a trajectory that was estimated, which may be there; see `stemscan.store.drift`."""


class StoreLock:
    """The right to write a store, held by one process at a time and given back by the kernel when it dies.

    Parameters
    ----------
    folder : pathlib.Path
        The store; it must exist. Of a URL, the right is a lease.

    Raises
    ------
    StoreError
        When another writer holds it.
    """

    def __init__(self, folder: Path) -> None:
        if isinstance(folder, ObjectPath):
            from stemscan.objects.lease import Lease

            lease = Lease(folder, LOCK)
            self._release: Callable[[], object] = weakref.finalize(self, lease.release)
            return
        if (folder / LOCK).is_symlink():
            raise linked(folder / LOCK)
        with writing(folder):
            handle = open_lock(folder / LOCK, create=True)
        self._release = weakref.finalize(self, os.close, handle)
        try:
            alone = _lock(handle)
        except OSError as problem:
            self.release()
            raise StoreError(
                f"expected a file system with locks for {str(folder)!r}, got: {problem.strerror}; write to a local disk"
            ) from problem
        if not alone:
            self.release()
            raise StoreError(
                f"expected to be the only writer of {str(folder)!r}, got one at work already; wait for it or stop it"
            )

    @staticmethod
    def is_held(folder: Path) -> bool:
        """Tell whether a writer is at work on a store, as far as that can be found out."""
        if isinstance(folder, ObjectPath):
            from stemscan.objects.lease import Lease

            return Lease.is_held(folder / LOCK)
        try:
            handle = open_lock(folder / LOCK)
        except OSError:
            return False
        try:
            return is_locked(handle)
        except OSError:
            return False
        finally:
            os.close(handle)

    def release(self) -> None:
        """Give the right back; again is harmless."""
        self._release()


def _lock(handle: int) -> bool:
    """Take a lock; a reader that asks whether there is a writer holds it for a moment."""
    for _ in range(_ATTEMPTS):
        if lock(handle):
            return True
        time.sleep(_PAUSE_S)
    return lock(handle)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one of our errors.

    Raises
    ------
    DiskSpaceError
        When the disk or quota is full.
    StoreError
        On any other refusal.
    """
    try:
        yield
    except StemscanError:
        raise
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskSpaceError(
                f"expected room to write {str(path)!r}, got a full disk; free some space and resume"
            ) from problem
        raise StoreError(f"expected to write {str(path)!r}, got: {refusal(problem)}") from problem


def write_durably(path: Path, data: bytes | memoryview) -> None:
    """Put a file in place at once, with its content on the disk before its name; its folder is not synced."""
    if isinstance(path, ObjectPath):
        from stemscan.objects.lease import lease_of

        failpoint("file:written")
        lease_of(path).put(path, bytes(data))
        failpoint("file:placed")
        return
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                failpoint("file:written")
                os.fsync(file.fileno())
            failpoint("file:synced")
            durable.replace(partial, path)
        except BaseException:
            durable.discard(partial)
            raise
    failpoint("file:placed")


def remove_file(path: Path) -> None:
    """Delete a file of a store, if it is there."""
    if isinstance(path, ObjectPath):
        from stemscan.objects.lease import lease_of

        lease_of(path).delete([path.key])
        return
    with writing(path):
        durable.remove(path)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; objects are safe as soon as they are put."""
    if isinstance(folder, ObjectPath):
        return
    with writing(folder):
        durable.sync_folder(folder)


def read_json(path: Path) -> Any:
    """Content of a JSON file of a store.

    Raises
    ------
    StoreError
        When it is missing or damaged.
    """
    try:
        return json.loads(durable.patiently(path.read_bytes, path))
    except StemscanError:
        raise
    except (ValueError, RecursionError) as problem:
        raise StoreError(
            f"expected JSON in {str(path)!r}, got damaged text ({problem}); restore it from a copy"
        ) from problem
    except OSError as problem:
        raise StoreError(f"expected to read {str(path)!r}, got: {refusal(problem)}") from problem


def linked(path: Path) -> StoreError:
    """The error for a link where a store has folders and files of its own."""
    return StoreError(
        f"expected a part of the store itself at {str(path)!r}, got a link to {os.readlink(path)!r}, which is never "
        "written through; put what it points to in its place"
    )
