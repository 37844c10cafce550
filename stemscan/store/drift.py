"""The group `drift/` of a store: a trajectory that was estimated from its samples, beside the record, which stays.

Three arrays, `drift/samples` (K,), `drift/offsets` (K, 2) and `drift/std` (K, 2), float64, of a `Trajectory`; the
attribute `stemscan` of the group says how it was estimated and of which samples, and binds the arrays by a digest. It
is filled under another name and renamed, so that it is there whole or not at all. Where a store has gone on since, the
trajectory is out of date, which readers say.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError

from stemscan.errors import StoreError, UsageError
from stemscan.runtime import durable
from stemscan.runtime.failpoints import failpoint
from stemscan.store.files import DRIFT, ROOT, Json, StoreLock, read_json, sync_folder, write_durably, writing
from stemscan.store.folders import refuse_links, sweep_partials
from stemscan.store.record import plain_json, record_digest
from stemscan.store.record_parts import Count, RecordPart
from stemscan.store.root import load_root, open_root
from stemscan.store.schema import ArraySpec
from stemscan.store.trajectory import Trajectory

if TYPE_CHECKING:
    from stemscan.store.record import StoreRecord

__all__ = ["StoredDrift", "bound_to", "read_drift", "remove_drift", "write_drift"]

_AXES: Final = {"samples": ("knot",), "offsets": ("knot", "axis"), "std": ("knot", "axis")}
_ADVICE: Final = "estimate it anew by stemscan drift, or remove it by --undo"


class _Record(RecordPart):
    """The attribute of the group."""

    version: Count
    knots: Count
    samples: Count
    bound_to: str
    arrays: str
    provenance: Json
    digest: str


@dataclass(frozen=True, eq=False)
class StoredDrift:
    """A trajectory that a store holds.

    Attributes
    ----------
    samples : int
        Number of samples from which it was estimated.
    current : bool
        True if these are those that the store has now.
    provenance : dict
        Settings of the estimate.
    """

    trajectory: Trajectory
    samples: int
    current: bool
    provenance: Json


def bound_to(record: StoreRecord) -> str:
    """SHA-256 of what the record says of its committed samples."""
    digests = record.digests
    known = None if digests is None else [digests.samples, digests.tail]
    return hashlib.sha256(json.dumps([record.samples_committed, known], sort_keys=True).encode()).hexdigest()


def write_drift(store: str | Path, trajectory: Trajectory, provenance: Mapping[str, object], *, of: str) -> None:
    """Write a trajectory into a store; one that is there is replaced.

    Parameters
    ----------
    provenance : mapping
        Settings of the estimate: plain data.
    of : str
        `bound_to` of the record whose samples it was estimated from.

    Raises
    ------
    InputNotFoundError, StoreError
        When there is no store, another writer is at work, or the store has other samples by now.
    DiskSpaceError
        When the disk is full.
    """
    folder = open_root(store).folder
    lock = StoreLock(folder)
    try:
        refuse_links(folder)
        sweep_partials(folder)
        record = load_root(folder).record
        if bound_to(record) != of:
            raise StoreError(f"expected {str(folder)!r} to stay as it was read, got other samples; estimate it again")
        filled = folder / f"{DRIFT}.{uuid.uuid4().hex}.partial"
        _fill(filled, trajectory, provenance, record)
        failpoint("drift:filled")
        _remove(folder)
        with writing(folder / DRIFT):
            durable.replace(filled, folder / DRIFT)
        sync_folder(folder)
        failpoint("drift:done")
    finally:
        lock.release()


def remove_drift(store: str | Path) -> bool:
    """Remove the trajectory from a store, and tell whether there was one; raises as `write_drift`."""
    folder = open_root(store).folder
    lock = StoreLock(folder)
    try:
        refuse_links(folder)
        sweep_partials(folder)
        there = (folder / DRIFT).exists()
        _remove(folder)
    finally:
        lock.release()
    return there


def read_drift(folder: Path, record: StoreRecord) -> StoredDrift | None:
    """The trajectory in a store; None where there is none.

    Raises
    ------
    StoreError
        When it is damaged.
    """
    if not (folder / DRIFT).exists():
        return None
    from stemscan.store.array_reader import ArrayReader

    file = folder / DRIFT / ROOT
    document = read_json(file)
    try:
        data = dict(document["attributes"]["stemscan"])
        known = _Record.model_validate_json(json.dumps(data))
    except (KeyError, TypeError, ValueError, ValidationError) as problem:
        raise _damaged(file, "a damaged one") from problem
    if record_digest(data) != known.digest:
        raise _damaged(file, "one that was changed")
    try:
        arrays = {spec.path: ArrayReader(folder / DRIFT, spec).all() for spec in _specs(known.knots)}
        if _digest(arrays) != known.arrays:
            raise _damaged(folder / DRIFT, "arrays that do not have their digest")
        trajectory = Trajectory.of(arrays["samples"], arrays["offsets"], arrays["std"])
    except UsageError as problem:
        raise _damaged(folder / DRIFT, "numbers that are no trajectory") from problem
    return StoredDrift(trajectory, known.samples, known.bound_to == bound_to(record), known.provenance)


def _damaged(file: Path, got: str) -> StoreError:
    """The error for a trajectory that cannot be used."""
    return StoreError(f"expected the record of a trajectory in {str(file)!r}, got {got}; {_ADVICE}")


def _remove(folder: Path) -> None:
    """Take away the group at once, and then its files."""
    if (folder / DRIFT).exists():
        gone = folder / f"{DRIFT}.{uuid.uuid4().hex}.partial"
        with writing(folder / DRIFT):
            durable.replace(folder / DRIFT, gone)
        sync_folder(folder)
        failpoint("drift:removed")
        with writing(gone):
            durable.remove_tree(gone)
    sync_folder(folder)


def _fill(folder: Path, trajectory: Trajectory, provenance: Mapping[str, object], record: StoreRecord) -> None:
    """Write the group into a new folder, beyond a power failure."""
    from stemscan.store.arrays import ArrayWriter, create_array

    arrays = {"samples": trajectory.samples, "offsets": trajectory.offsets, "std": trajectory.std}
    with writing(folder):
        folder.mkdir()
    for spec in _specs(len(trajectory.samples)):
        create_array(folder, spec)
        writer = ArrayWriter(folder, spec)
        writer.write((0,) * len(spec.shape), arrays[spec.path])
        writer.sync()
        failpoint("drift:array")
    data: dict[str, Any] = {
        "version": 1,
        "knots": len(trajectory.samples),
        "samples": record.samples_committed,
        "bound_to": bound_to(record),
        "arrays": _digest(arrays),
        "provenance": plain_json(provenance, "a provenance"),
    }
    data["digest"] = record_digest(data)
    root = {"attributes": {"stemscan": data}, "zarr_format": 3, "node_type": "group"}
    write_durably(folder / ROOT, (json.dumps(root, indent=2) + "\n").encode())
    sync_folder(folder)


def _specs(knots: int) -> list[ArraySpec]:
    """The arrays of a trajectory of so many knots."""
    shapes = {name: (knots, 2)[: len(axes)] for name, axes in _AXES.items()}
    return [ArraySpec(name, shapes[name], shapes[name], np.dtype(np.float64), _AXES[name]) for name in _AXES]


def _digest(arrays: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """SHA-256 of the arrays' values."""
    digest = hashlib.sha256()
    for name in _AXES:
        digest.update(np.ascontiguousarray(arrays[name], "<f8").tobytes())
    return digest.hexdigest()
