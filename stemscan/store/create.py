"""Making the folder of a store: claimed by a lock, filled, and a store only when its record is written, last.

Killed at any moment before that, the folder is recognised as half made; it holds no sample, so it is emptied and begun
again when that is asked for. Nothing that is not recognised as a store is ever touched.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import OutputExistsError, UsageError
from stemscan.files.writing import require_folder
from stemscan.runtime.failpoints import failpoint
from stemscan.runtime.interrupts import Interrupts
from stemscan.runtime.roomy import bands
from stemscan.store.arrays import ArrayWriter, create_array
from stemscan.store.digest_table import DigestWriter
from stemscan.store.files import ROOT, StoreLock, sync_folder, write_durably, writing
from stemscan.store.folders import (
    FolderKind,
    folder_kind,
    refuse_links,
    remove_store,
    require_space,
    size_on_disk,
    sweep_partials,
)
from stemscan.store.opening import OpenStore, check_newest
from stemscan.store.record import StoreRecord
from stemscan.store.record_parts import ArrayRecord, DigestsRecord
from stemscan.store.root import RootFile, without_record
from stemscan.store.schema import TRUTHS, ArraySpec, Layout, worst_case_bytes

if TYPE_CHECKING:
    from stemscan.store.provenance import Provenance

__all__ = ["GROUP_DOCUMENT", "check_place", "make_store", "sweep_store"]

GROUP_DOCUMENT: Final = b'{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}\n'
"""Metadata of a group."""


def make_store(
    path: Path,
    layout: Layout,
    record: StoreRecord,
    specs: dict[str, ArraySpec],
    provenance: Provenance,
    *,
    overwrite: bool,
    resume: bool = False,
    fill: Callable[[DigestWriter], None] | None = None,
) -> tuple[RootFile, StoreLock]:
    """Make a store: its folder, its arrays and, last, its record.

    Parameters
    ----------
    path : pathlib.Path
        Of the new folder; its parent must exist.
    record : StoreRecord
        Without arrays and digests.
    specs : dict
        Its arrays by path.
    provenance : Provenance
        Its truth is written, of which the record and the arrays speak.
    overwrite, resume : bool
        True if a store, or a half-made one, that is there may be removed.
    fill : callable, optional
        Writes all samples and pictures of a store that is complete at once, and their digests.

    Raises
    ------
    InputNotFoundError, OutputExistsError
        When the parent folder is missing, or something is there that may not be removed.
    UsageError
        When the truth does not fit.
    DiskSpaceError, StoreError
        When the disk cannot hold the store, refuses to write, or another writer is at work.
    """
    truths = _truths(provenance, layout.shape, len(record.channels))
    lock = _claim_folder(path, worst_case_bytes(specs.values(), layout), overwrite=overwrite, resume=resume)
    try:
        with Interrupts(polite=True) as interrupts:  # zarr writes in a thread, which would go on
            digests = _fill_folder(path, specs, truths)
            if fill is not None:
                fill(digests)
            root = RootFile.new(path, layout, _with_arrays(record, specs, digests, complete=fill is not None))
            root.save()
        interrupts.check()
        failpoint("create:done")
    except BaseException:
        lock.release()
        raise
    return root, lock


def check_place(path: Path, *, overwrite: bool, resume: bool = False) -> None:
    """Refuse a path at which no store may be made or gone on with, before anything slow is done.

    Raises
    ------
    InputNotFoundError
        When the parent folder does not exist.
    OutputExistsError
        When something is there that may not be removed.
    """
    require_folder(path)
    kind = folder_kind(path)
    if not (resume and kind in ("store", "damaged")):
        _refuse(path, kind, overwrite=overwrite, resume=resume)


def sweep_store(store: OpenStore) -> None:
    """Get a store ready to go on: check that it is the newest, whole and has room, and delete unfinished files.

    Raises
    ------
    DiskSpaceError, StoreError
        When it cannot go on.
    """
    folder = store.folder
    require_space(folder, worst_case_bytes(store.specs.values(), store.layout) - size_on_disk(folder))
    check_newest(store.record, store.specs, folder)
    refuse_links(folder)
    sweep_partials(folder)
    failpoint("resume:swept")


def _claim_folder(path: Path, need: int, *, overwrite: bool, resume: bool) -> StoreLock:
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
            f"expected a new path, got {str(path)!r}, which is a store; choose another name, resume or overwrite it "
            "(--resume or --overwrite)"
        )


def _fill_folder(folder: Path, specs: dict[str, ArraySpec], truths: dict[str, NDArray[Any]]) -> DigestWriter:
    """Write the metadata of all arrays, and the truths, beyond a power failure; the record is still to come."""
    for spec in specs.values():
        create_array(folder, spec)
    digests = DigestWriter.create(folder, specs)
    write_durably(folder / "samples" / ROOT, GROUP_DOCUMENT)
    failpoint("create:arrays")
    for name in (name for name in TRUTHS if name in specs):
        writer, truth = ArrayWriter(folder, specs[name], digests), truths[name]
        for first, band in bands(truth, specs[name].chunks[0]):
            writer.write((first,) + (0,) * (truth.ndim - 1), band)
        writer.sync()
    digests.flush()
    failpoint("create:truth")
    sync_folder(folder / "samples")
    sync_folder(folder)
    failpoint("create:synced")
    return digests


def _with_arrays(
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


def _truths(provenance: Provenance, grid: tuple[int, int], channels: int) -> dict[str, NDArray[Any]]:
    """Truth of the specimen, by array; an error when it does not fit the grid or is not finite."""
    if provenance.truth is None:
        return {}
    array, shape = np.asarray(provenance.truth), grid if channels == 1 else (channels, *grid)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise UsageError(f"expected a truth of real numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    converted = np.ascontiguousarray(array, np.float32)
    if not all(np.isfinite(band).all() for _, band in bands(converted)):
        raise UsageError("expected a truth of finite numbers, got NaN or infinity; mend the specimen")
    columns = provenance.truth_columns
    return {"truth": converted} | ({} if columns is None else {"truth_columns": columns.values})
