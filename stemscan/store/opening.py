"""Opening of a store, to read or to write: its plan and layout, its progress, its arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stemscan.errors import PlanError, StoreError
from stemscan.store.batch import common_dtype
from stemscan.store.record import StoreRecord
from stemscan.store.root import RootFile
from stemscan.store.schema import LEVELS, SAMPLES, ArraySpec, Layout, array_specs, counts_dtypes, spec_on_disk
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.digests import ChunkChecks
    from stemscan.store.record_parts import DigestsRecord

__all__ = ["OpenStore", "check_newest", "check_progress", "plan_and_layout", "recorded_specs", "specs_of"]


class OpenStore:
    """Common part of readers and the writer of a store: its root, plan, layout and arrays, and checks of its chunks.

    Raises
    ------
    StoreError
        When the record contradicts itself, or an array is missing or another one.
    """

    def __init__(self, root: RootFile) -> None:
        self.root = root
        self.folder = root.folder
        self.plan, self.layout = plan_and_layout(root.record, root.folder)
        check_progress(root.record, self.layout, root.folder)
        self.specs = specs_of(root.record, self.layout, root.folder)
        self._checks: tuple[DigestsRecord, ChunkChecks] | None = None

    @property
    def record(self) -> StoreRecord:
        """The record as it is now."""
        return self.root.record

    def checks(self) -> ChunkChecks | None:
        """Digests that chunks must have, as the record states them now; None where the schema has none."""
        digests = self.record.digests
        if digests is None:
            return None
        if self._checks is None or self._checks[0] is not digests:
            from stemscan.store.digest_table import read_checks

            self._checks = digests, read_checks(self.folder, self.specs, self.record)
        return self._checks[1]

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Tell a store that was replaced while it was read from a damaged one."""
        try:
            yield
        except StoreError as problem:
            raise self.root.explained(problem) from problem


def plan_and_layout(record: StoreRecord, folder: Path) -> tuple[ScanPlan | None, Layout]:
    """The plan, and what follows from it or from the record of an import."""
    from stemscan.plan.scan_plan import ScanPlan

    where = f"expected a sound record in {str(folder / 'zarr.json')!r}"
    if record.origin == "imported":
        if record.imported is None:
            raise StoreError(f"{where}, got imported data without its record; restore it from a copy")
        return None, Layout.of_import(record.imported)
    try:
        plan = ScanPlan.from_dict(record.plan)
    except PlanError as problem:
        raise StoreError(f"{where}, got a damaged plan ({problem}); restore it from a copy") from problem
    if plan.digest() != record.plan_digest:
        raise StoreError(f"{where}, got a plan that does not have its digest; restore it from a copy")
    return plan, Layout.of_plan(plan, record.specimen)


def check_progress(record: StoreRecord, layout: Layout, folder: Path) -> None:
    """Refuse a record whose numbers contradict one another."""
    committed, armed, total = record.samples_committed, record.samples_armed, layout.total_samples
    last = total if record.stopped is None else record.stopped.samples
    unbound = record.digests is not None and record.digests.pictures is None
    wrong = record.state == "complete" and (committed != last or unbound or record.doubt is not None)
    if not committed <= armed <= total or wrong:
        raise StoreError(
            f"expected a sound record in {str(folder / 'zarr.json')!r}, got state {record.state} with {committed} "
            f"committed and {armed} armed of {counted(total, 'sample')}; restore it from a copy"
        )


def specs_of(record: StoreRecord, layout: Layout, folder: Path) -> dict[str, ArraySpec]:
    """The arrays that must be there, as they are.

    Raises
    ------
    StoreError
        When one is missing or another one.
    """
    known, exactly = recorded_specs(record, layout, folder), record.schema_version > 1
    return {name: spec_on_disk(folder, spec, exactly=exactly) for name, spec in known.items()}


def recorded_specs(record: StoreRecord, layout: Layout, folder: Path) -> dict[str, ArraySpec]:
    """The arrays that the record speaks of; for schema 1, which does not, those that are usual.

    Raises
    ------
    StoreError
        When the record contradicts itself.
    """
    dtype = common_dtype(counts_dtypes(record, layout))
    channels = None if record.schema_version == 1 else len(record.channels)
    known = None if record.truth_columns is None else record.truth_columns.shape
    usual = array_specs(
        layout,
        dtype,
        actual=record.actual_positions,
        truth=record.truth,
        columns=known,
        tracks=record.tracks,
        channels=channels,
        levels=sum(name in record.arrays for name in LEVELS),
    )
    if channels is None:
        return usual
    if record.digests is None or set(record.arrays) != set(usual):
        raise StoreError(
            f"expected a sound record in {str(folder / 'zarr.json')!r}, got one that does not know its arrays and "
            "their digests; restore it from a copy"
        )
    return {
        name: replace(spec, dtype=np.dtype(record.arrays[name].dtype), chunks=tuple(record.arrays[name].chunks))
        for name, spec in usual.items()
    }


def check_newest(record: StoreRecord, specs: dict[str, ArraySpec], folder: Path) -> None:
    """Refuse a record that is older than the samples: a chunk that begins beyond what it says was armed is there.

    Raises
    ------
    StoreError
        Naming the chunk.
    """
    for name in (name for name in SAMPLES if name in specs):
        spec = specs[name]
        armed = -(-record.samples_armed // spec.chunks[0])
        there = folder / name / "c"
        chunks = [int(one.name) for one in there.iterdir() if one.name.isdigit()] if there.is_dir() else []
        if (index := max(chunks, default=-1)) >= armed:
            file = spec.chunk_file(folder, (index,) + (0,) * (len(spec.shape) - 1))
            raise StoreError(
                f"expected the newest record in {str(folder / 'zarr.json')!r}, got one older than the samples in "
                f"{str(file)!r}; restore the newest from a copy, or overwrite the samples"
            )
