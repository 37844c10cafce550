"""Making the folder of a store: claimed by a lock, filled, and a store only when its record is written, last.

Killed at any moment before that, the folder is recognised as half made; it holds no sample, so it is emptied and begun
again when that is asked for. Nothing that is not recognised as a store is ever touched.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import OutputExistsError, StoreError, UsageError
from stemscan.files.writing import require_folder
from stemscan.runtime.failpoints import failpoint
from stemscan.store.files import (
    ROOT,
    FolderKind,
    Json,
    StoreLock,
    folder_kind,
    read_json,
    refuse_links,
    remove_store,
    require_space,
    size_on_disk,
    sync_folder,
    write_durably,
    writing,
)
from stemscan.store.record import StoreRecord
from stemscan.store.record_parts import ArrayRecord, DigestsRecord
from stemscan.store.schema import ArraySpec, Layout, ome_attributes

if TYPE_CHECKING:
    from stemscan.store.digests import DigestWriter

__all__ = [
    "GROUP_DOCUMENT",
    "RootFile",
    "checked_truth",
    "claim_folder",
    "fill_folder",
    "load_root",
    "with_arrays",
    "without_record",
]

GROUP_DOCUMENT: Final = b'{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}\n'
"""Metadata of a group."""


class RootFile:
    """The root's `zarr.json`: the record, and attributes that are not ours, which stay as they are.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    document : dict
        Content of the file.
    record : StoreRecord
        Its `stemscan` attribute.
    """

    def __init__(self, folder: Path, document: Json, record: StoreRecord) -> None:
        self.folder = folder
        self.record = record
        self._document = document
        self._saving = threading.Lock()

    @classmethod
    def new(cls, folder: Path, layout: Layout, record: StoreRecord) -> RootFile:
        """A root that is not written yet."""
        document = {"attributes": {"ome": ome_attributes(layout)}, "zarr_format": 3, "node_type": "group"}
        return cls(folder, document, record)

    def save(self, **changes: Any) -> None:
        """Change fields of the record and write it durably; threads may change different fields."""
        self.update(lambda _: changes)

    def update(self, changes_of: Callable[[StoreRecord], Mapping[str, Any]]) -> None:
        """Change fields of the record by what they are, and write it durably; threads may change the same fields."""
        with self._saving:
            record = self.record.model_copy(update=changes_of(self.record))
            self._document["attributes"]["stemscan"] = record.to_json()
            write_durably(self.folder / ROOT, (json.dumps(self._document, indent=2) + "\n").encode())
            sync_folder(self.folder)
            self.record = record

    @property
    def ome(self) -> object:
        """The attribute that viewers read."""
        return self._document["attributes"].get("ome")

    def describe(self, ome: Json) -> None:
        """Put the image that viewers see into the attribute `ome`, whose other entries stay, and write it durably."""
        there = self.ome
        self._document["attributes"]["ome"] = (there if isinstance(there, dict) else {}) | ome
        self.save()

    def is_current(self) -> bool:
        """Tell whether the file still speaks of the same store, as far as it was read, or further."""
        try:
            now = load_root(self.folder).record
        except StoreError:
            return False
        old = self.record
        again = now.history[: len(old.history)] == old.history and now.samples_committed >= old.samples_committed
        return again and (old.state != "complete" or now.state == "complete")

    def explained(self, problem: StoreError) -> StoreError:
        """An error of reading, or another where the store was replaced meanwhile and is not damaged at all."""
        if self.is_current():
            return problem
        return StoreError(
            f"expected {str(self.folder)!r} to stay while it was read, got another writer that replaces it or goes "
            "back in it; open it again"
        )


def load_root(folder: Path) -> RootFile:
    """Read the root of a store.

    Raises
    ------
    StoreError
        When the folder is no store, a half-made one, damaged, or of another schema.
    """
    kind = folder_kind(folder)
    if kind == "half-made" and StoreLock.is_held(folder):
        raise StoreError(
            f"expected an acquisition store at {str(folder)!r}, got one that another process is making or replacing; "
            "open it again in a moment"
        )
    if kind == "without-record":
        raise StoreError(without_record(folder))
    if kind == "half-made":
        raise StoreError(
            f"expected an acquisition store at {str(folder)!r}, got one whose creation was cut short, without samples; "
            "resume it to begin"
        )
    if kind not in ("store", "damaged"):
        raise StoreError(f"expected an acquisition store at {str(folder)!r}, got something else; check the path")
    document = read_json(folder / ROOT)
    if (document.get("zarr_format"), document.get("node_type")) != (3, "group"):
        raise StoreError(
            f"expected the metadata of a group of zarr format 3 in {str(folder / ROOT)!r}, got "
            f"{document.get('node_type')!r} of format {document.get('zarr_format')!r}; restore it from a copy"
        )
    record = StoreRecord.from_json(document["attributes"]["stemscan"], str(folder / ROOT))
    return RootFile(folder, document, record)


def without_record(folder: Path) -> str:
    """Report of a store that lacks its record."""
    return (
        f"expected an acquisition store at {str(folder)!r}, got samples without their record, {str(folder / ROOT)!r}; "
        "restore that file from a copy, or overwrite the samples"
    )


def claim_folder(path: Path, need: int, *, overwrite: bool, resume: bool) -> StoreLock:
    """Make an empty, locked folder for a store of at most `need` bytes.

    Raises
    ------
    InputNotFoundError
        When the parent folder does not exist.
    OutputExistsError
        When something is there that may not be removed.
    DiskSpaceError, StoreError
        When the disk is too small, or another writer is at work.
    """
    require_folder(path)
    kind = folder_kind(path)
    _refuse(path, kind, overwrite=overwrite, resume=resume)
    old = size_on_disk(path) if kind not in ("missing", "empty") else 0
    require_space(path.parent, need - old)
    with writing(path):
        path.mkdir(exist_ok=True)
    failpoint("create:folder")
    lock = StoreLock(path)
    try:
        now = folder_kind(path)
        if now != "half-made":
            _refuse(path, now, overwrite=overwrite, resume=resume)
        sync_folder(path.parent)
        failpoint("create:locked")
        refuse_links(path)
        remove_store(path)
    except BaseException:
        lock.release()
        raise
    return lock


def _refuse(path: Path, kind: FolderKind, *, overwrite: bool, resume: bool) -> None:
    """Refuse a path at which no store may be made."""
    if kind == "foreign":
        raise OutputExistsError(
            f"expected a new path or a stemscan store, got {str(path)!r}, which is something else; choose another name"
        )
    if kind == "half-made" and not (overwrite or resume):
        raise OutputExistsError(
            f"expected a new path, got {str(path)!r}, a store whose creation was cut short; resume or overwrite it"
        )
    if kind == "without-record" and not overwrite:
        raise OutputExistsError(without_record(path))
    if kind in ("store", "damaged") and not overwrite:
        raise OutputExistsError(
            f"expected a new path, got {str(path)!r}, which is a store; choose another name, resume or overwrite it"
        )


def fill_folder(folder: Path, specs: dict[str, ArraySpec], truth: NDArray[np.float32] | None) -> DigestWriter:
    """Write the metadata of all arrays, and the truth, beyond a power failure; the record is still to come."""
    from stemscan.store.arrays import ArrayWriter, create_array
    from stemscan.store.digests import DigestWriter

    for spec in specs.values():
        create_array(folder, spec)
    digests = DigestWriter.create(folder, specs)
    write_durably(folder / "samples" / ROOT, GROUP_DOCUMENT)
    failpoint("create:arrays")
    if truth is not None:
        writer = ArrayWriter(folder, specs["truth"], digests)
        writer.write((0, 0), truth)
        writer.sync()
    digests.flush()
    failpoint("create:truth")
    sync_folder(folder / "samples")
    sync_folder(folder)
    failpoint("create:synced")
    return digests


def with_arrays(
    record: StoreRecord, specs: dict[str, ArraySpec], digests: DigestWriter, *, complete: bool = False
) -> StoreRecord:
    """A record that knows its arrays and binds their digests: none of samples, or all of a complete store."""
    arrays = {name: ArrayRecord(dtype=spec.dtype.name, chunks=list(spec.chunks)) for name, spec in specs.items()}
    bound = DigestsRecord(
        samples=digests.samples(digests.rows.total if complete else 0),
        pictures=digests.pictures() if complete else None,
        truth=digests.truth() if "truth" in specs else None,
    )
    return record.model_copy(update={"arrays": arrays, "digests": bound})


def checked_truth(truth: NDArray[Any] | None, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The truth as float32, or an error when it does not fit the grid or is not finite."""
    if truth is None:
        return None
    array = np.asarray(truth)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise UsageError(f"expected a truth of real numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    converted = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(converted).all():
        raise UsageError("expected a truth of finite numbers, got NaN or infinity; mend the specimen")
    return converted
