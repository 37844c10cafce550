"""The root of a store: its `zarr.json` with the record, read, changed and written durably."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stemscan.arguments import file_path
from stemscan.errors import InputNotFoundError, StoreError
from stemscan.store.files import ROOT, Json, StoreLock, read_json, sync_folder, write_durably
from stemscan.store.folders import folder_kind
from stemscan.store.ome import ome_attributes
from stemscan.store.record import StoreRecord
from stemscan.store.schema import Layout

__all__ = ["RootFile", "load_root", "open_root", "without_record"]


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
        document = {"attributes": {"ome": ome_attributes(layout, record)}, "zarr_format": 3, "node_type": "group"}
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
        got = "a file, and stores are folders" if folder.is_file() else "another folder"
        raise StoreError(f"expected an acquisition store at {str(folder)!r}, got {got}; check the path")
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


def open_root(path: str | Path) -> RootFile:
    """The root of the store at a path.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    StoreError
        When there is no store, or a damaged one.
    """
    path = file_path(path, "an acquisition store")
    if not path.exists():
        raise InputNotFoundError(f"expected an acquisition store, got {str(path)!r}, which does not exist")
    return load_root(path)
