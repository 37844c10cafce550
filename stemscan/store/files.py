"""Files of a store: locked by one writer, written whole and durably, and deleted only where they are ours.

A file is written beside its place, synced, and renamed; folders are synced when a step ends. A folder is recognised
as a store by the record in its `zarr.json`, and as one whose creation was cut short by its lock file without a record.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal

from stemscan.errors import DiskSpaceError, StemscanError, StoreError, refusal
from stemscan.runtime import durable
from stemscan.runtime.failpoints import failpoint
from stemscan.runtime.locks import is_locked, lock, open_lock

__all__ = [
    "DRIFT",
    "ROOT",
    "FolderKind",
    "Json",
    "StoreLock",
    "folder_kind",
    "partials",
    "read_json",
    "refuse_links",
    "remove_store",
    "require_space",
    "size_on_disk",
    "sweep_partials",
    "sync_folder",
    "write_durably",
    "writing",
]

Json = dict[str, Any]

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.02
LOCK = ".stemscan.lock"
ROOT = "zarr.json"
ARRAYS = (
    *("frames", "visits", "samples/counts", "samples/position", "samples/actual"),
    *("truth_trajectory", "truth_current", "truth_fading", "truth_contamination"),
    *("truth", "truth_columns", "digests"),
)
GROUPS = ("samples",)
DRIFT = "drift"
"""Group of a trajectory that was estimated, which may be there; see `stemscan.store.drift`."""

REMOVED = "removed"
"""State of the record of a store that is being deleted."""

FolderKind = Literal["missing", "empty", "half-made", "store", "damaged", "without-record", "foreign"]


class StoreLock:
    """The right to write a store, held by one process at a time and given back by the kernel when it dies.

    Parameters
    ----------
    folder : pathlib.Path
        The store; it must exist.

    Raises
    ------
    StoreError
        When another writer holds it.
    """

    def __init__(self, folder: Path) -> None:
        if (folder / LOCK).is_symlink():
            raise _linked(folder / LOCK)
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


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
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
    except (ValueError, RecursionError) as problem:
        raise StoreError(
            f"expected JSON in {str(path)!r}, got damaged text ({problem}); restore it from a copy"
        ) from problem
    except OSError as problem:
        raise StoreError(f"expected to read {str(path)!r}, got: {refusal(problem)}") from problem


def folder_kind(path: Path) -> FolderKind:
    """Kind of a path: nothing, an empty folder, a store (whole, half made, damaged), or something not ours.

    A store whose record is missing counts as half made only where it holds no samples.
    """
    if not path.is_dir():
        return "foreign" if path.exists() or path.is_symlink() else "missing"
    root, locked = path / ROOT, (path / LOCK).exists()
    if not root.exists():
        if _has_samples(path):
            return "without-record"
        return "half-made" if locked else "foreign" if any(path.iterdir()) else "empty"
    try:
        ours = read_json(root)["attributes"]["stemscan"]
        # A reconstruction says what kind it is; an acquisition never does.
        if not isinstance(ours, dict) or "kind" in ours:
            return "foreign"
        return "half-made" if ours.get("state") == REMOVED else "store"
    except (KeyError, TypeError):
        return "foreign"
    except StoreError:
        return "damaged" if locked else "foreign"


def _has_samples(folder: Path) -> bool:
    """Tell whether there is a chunk of samples."""
    return any(
        name.rpartition(".")[2] != "partial"
        for array in ARRAYS
        if array.startswith("samples/")
        for _, _, names in os.walk(folder / array / "c")
        for name in names
    )


def refuse_links(folder: Path) -> None:
    """Refuse a store in which the folder of an array, of a group or of chunks is a link to another place.

    Raises
    ------
    StoreError
        Naming the link.
    """
    for name in (*GROUPS, *ARRAYS, DRIFT):
        if (folder / name).is_symlink():
            raise _linked(folder / name)
        for where, folders, _ in os.walk(folder / name):
            for inner in folders:
                if os.path.islink(os.path.join(where, inner)):
                    raise _linked(Path(where, inner))


def _linked(path: Path) -> StoreError:
    """The error for a link where a store has folders and files of its own."""
    return StoreError(
        f"expected a part of the store itself at {str(path)!r}, got a link to {os.readlink(path)!r}, which is never "
        "written through; put what it points to in its place"
    )


def remove_store(folder: Path) -> None:
    """Delete the arrays and the record of a store, the record last; what is not ours stays.

    Until then the record says that the store is being deleted, so that one cut short is half made, whatever it holds.
    """
    failpoint("remove:begin")
    if (folder / ROOT).exists() or _has_samples(folder):
        root = {"attributes": {"stemscan": {"state": REMOVED}}, "zarr_format": 3, "node_type": "group"}
        write_durably(folder / ROOT, (json.dumps(root, indent=2) + "\n").encode())
        sync_folder(folder)
    failpoint("remove:record")
    with writing(folder):
        for name in (*ARRAYS, *GROUPS):
            part = folder / name
            durable.remove_tree(part / "c")
            durable.remove(part / ROOT)
        durable.remove_tree(folder / DRIFT)
        sweep_partials(folder)
        for name in (*ARRAYS, *GROUPS):
            with suppress(OSError):
                (folder / name).rmdir()
        sync_folder(folder)
        durable.remove(folder / ROOT)
        sync_folder(folder)
    failpoint("remove:done")


def partials(folder: Path) -> list[Path]:
    """Unfinished files, and folders of trajectories, that killed writers left."""
    found = [path for name in ("", *GROUPS) for path in (folder / name).glob(f"{ROOT}.*.partial")]
    found += folder.glob(f"{DRIFT}.*.partial")
    return found + [path for name in ARRAYS for path in (folder / name).rglob("*.partial")]


def sweep_partials(folder: Path) -> None:
    """Delete what killed writers left of unfinished files."""
    with writing(folder):
        for partial in partials(folder):
            if partial.is_dir():
                durable.remove_tree(partial)
            else:
                durable.remove(partial)


def size_on_disk(folder: Path) -> int:
    """Bytes that the files under a folder take."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += durable.size_of(os.lstat(os.path.join(where, name)))
    return total


def require_space(folder: Path, need: int) -> None:
    """Refuse to start what the disk of `folder` cannot hold.

    Raises
    ------
    DiskSpaceError
        Naming what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    if free < need:
        raise DiskSpaceError(
            f"expected {_amount(need)} free for the store in {str(folder)!r}, got {_amount(free)}; free some space or "
            "choose another disk",
        )


def _amount(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.2f} MB"
