"""Folders of stores: recognised, measured, and deleted only where they are ours.

A folder is a store by the record in its `zarr.json`, and one whose creation was cut short by its lock file without a
record. What stands below a URL is a folder, too.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Literal

from stemscan.errors import DiskSpaceError, StoreError
from stemscan.objects.path import ObjectPath
from stemscan.runtime import durable
from stemscan.runtime.failpoints import failpoint
from stemscan.store.files import DRIFT, LOCK, ROOT, linked, read_json, sync_folder, write_durably, writing

__all__ = [
    "GROUPS",
    "FolderKind",
    "folder_kind",
    "partials",
    "refuse_links",
    "remove_store",
    "require_space",
    "size_on_disk",
    "sweep_partials",
]

ARRAYS = (
    *("frames", "visits", "samples/counts", "samples/position", "samples/actual"),
    *("truth_trajectory", "truth_current", "truth_fading", "truth_contamination"),
    *("truth", "truth_columns", "digests", *(f"level{number}" for number in range(1, 13))),
)
GROUPS = ("samples",)
REMOVED = "removed"
"""State of the record of a store that is being deleted."""

FolderKind = Literal["missing", "empty", "half-made", "store", "damaged", "without-record", "foreign"]


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
    if isinstance(folder, ObjectPath):
        return any((folder / array / "c").is_dir() for array in ARRAYS if array.startswith("samples/"))
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
    if isinstance(folder, ObjectPath):
        return
    for name in (*GROUPS, *ARRAYS, DRIFT):
        if (folder / name).is_symlink():
            raise linked(folder / name)
        for where, folders, _ in os.walk(folder / name):
            for inner in folders:
                if os.path.islink(os.path.join(where, inner)):
                    raise linked(Path(where, inner))


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
    if isinstance(folder, ObjectPath):
        _remove_objects(folder)
        return
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


def _remove_objects(folder: ObjectPath) -> None:
    """Delete the objects of a store, the record last."""
    from stemscan.objects.lease import lease_of

    lease = lease_of(folder)
    parts = (*(f"{name}/c" for name in ARRAYS), *(f"{name}/{ROOT}" for name in (*ARRAYS, *GROUPS)))
    for part in (*parts, DRIFT, ROOT):
        lease.delete(lease.keys(folder / part))
    failpoint("remove:done")


def partials(folder: Path) -> list[Path]:
    """Unfinished files, and folders of trajectories, that killed writers left; objects are never unfinished."""
    if isinstance(folder, ObjectPath):
        return []
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
    """Bytes that the files under a folder take; 0 of objects, for which a bucket has room."""
    if isinstance(folder, ObjectPath):
        return 0
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += durable.size_of(os.lstat(os.path.join(where, name)))
    return total


def require_space(folder: Path, need: int) -> None:
    """Refuse to start what the disk of `folder` cannot hold; a bucket holds everything.

    Raises
    ------
    DiskSpaceError
        Naming what is needed and what is free.
    """
    if isinstance(folder, ObjectPath):
        return
    free = shutil.disk_usage(folder).free
    if free < need:
        raise DiskSpaceError(
            f"expected {_amount(need)} free for the store in {str(folder)!r}, got {_amount(free)}; free some space or "
            "choose another disk",
        )


def _amount(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.2f} MB"
