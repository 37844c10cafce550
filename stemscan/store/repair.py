"""Making anew what follows from sound samples: pictures, digests, metadata. Samples, truth and record are not touched.

Each step is durable by itself and leaves the store at least as sound as it was, so a repair may be killed and repeated.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.objects.path import as_path
from stemscan.runtime.failpoints import failpoint
from stemscan.store.array_reader import ArrayReader
from stemscan.store.arrays import create_array
from stemscan.store.create import GROUP_DOCUMENT
from stemscan.store.digest_table import DigestWriter
from stemscan.store.digests import ChunkChecks, ChunkRows
from stemscan.store.files import ROOT, StoreLock, remove_file, sync_folder, write_durably, writing
from stemscan.store.folders import GROUPS, partials, refuse_links, sweep_partials
from stemscan.store.levels import draw_levels
from stemscan.store.ome import ome_attributes
from stemscan.store.opening import OpenStore, plan_and_layout, recorded_specs
from stemscan.store.pictures import PictureWriter
from stemscan.store.record import event
from stemscan.store.root import RootFile, load_root
from stemscan.store.schema import SAMPLES, TRUTHS, ArraySpec

if TYPE_CHECKING:
    from stemscan.store.record import StoreRecord

__all__ = ["repair_store"]


def repair_store(path: str | Path, files: set[Path]) -> list[Path]:
    """Make files of a store anew, and delete unfinished ones; of metadata and others metadata alone, which come first.

    Parameters
    ----------
    files : set of Path
        Repairable ones of a `StoreReport`.

    Returns
    -------
    list of Path
        Files that were made; empty where none can be.

    Raises
    ------
    StoreError, DiskSpaceError
        When another writer is at work, parts of the store are links, or it cannot be written.
    """
    folder = as_path(path)
    if not files and not partials(folder):
        return []
    lock = StoreLock(folder)
    try:
        refuse_links(folder)
        sweep_partials(folder)
        root = load_root(folder)
        made = (_metadata(root, files) or _data(root, files)) if files else []
        failpoint("repair:made")
        return sorted(made)
    finally:
        lock.release()


def _metadata(root: RootFile, files: set[Path]) -> list[Path]:
    """Write metadata of groups and arrays, and the root's attribute `ome`."""
    folder, record, made = root.folder, root.record, list[Path]()
    _, layout = plan_and_layout(record, folder)
    for name in GROUPS:
        if (file := folder / name / ROOT) in files:
            with writing(file):
                file.parent.mkdir(exist_ok=True)
            write_durably(file, GROUP_DOCUMENT)
            sync_folder(file.parent)
            made.append(file)
    for name, spec in recorded_specs(record, layout, folder).items():
        if (file := folder / name / ROOT) in files:
            _array(folder, spec)
            made.append(file)
    if folder / ROOT in files:
        root.describe(ome_attributes(layout, record))
        made.append(folder / ROOT)
    return made


def _array(folder: Path, spec: ArraySpec) -> None:
    """Write the metadata of an array anew."""
    remove_file(folder / spec.path / ROOT)
    create_array(folder, spec)
    failpoint("repair:array")


def _data(root: RootFile, files: set[Path]) -> list[Path]:
    """Draw the pictures and write the digests, and record that this was done."""
    store = OpenStore(root)
    folder, record, specs = store.folder, store.record, store.specs
    digests = _digests(folder, specs, record, anew=folder / "digests" in files)
    if record.state == "complete":
        checks = None if digests is None else ChunkChecks(folder, specs, record, digests.table)
        pictures = PictureWriter(folder, specs, store.layout)
        pictures.draw(record.samples_committed, digests, checks)
        pictures.draw_empty(digests)
        draw_levels(folder, specs, digests)
    changes: dict[str, object] = {"history": [*record.history, event("repaired", files=len(files))]}
    if digests is not None:
        digests.flush()
        if record.digests is not None and record.state == "complete":
            changes["digests"] = record.digests.model_copy(update={"pictures": digests.pictures()})
    root.save(**changes)
    return list(files)


def _digests(folder: Path, specs: dict[str, ArraySpec], record: StoreRecord, *, anew: bool) -> DigestWriter | None:
    """The digests of samples and truth: as they are, or computed from these."""
    if record.digests is None:
        return None
    if not anew:
        return DigestWriter.resume(folder, specs, record)
    digests = DigestWriter(folder, specs)
    digests.forget(record.samples_committed)
    rows = ChunkRows(specs)
    whole = rows.whole(record.samples_committed)
    for name in (name for name in (*SAMPLES, *TRUTHS) if name in specs):
        reader, shape = ArrayReader(folder, specs[name]), list(specs[name].shape)
        if name in SAMPLES:
            shape[0] = min(shape[0], whole * specs[name].chunks[0])
        for index, _ in specs[name].chunks_of((0,) * len(shape), tuple(shape)):
            digests.put(name, index, reader.chunk(index))
    _array(folder, rows.spec)
    return digests
