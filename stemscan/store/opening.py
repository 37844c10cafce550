"""What is looked at when a store is opened: that it is one, its plan and layout, its progress, its arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stemscan.errors import InputNotFoundError, PlanError, StoreError
from stemscan.store.create import RootFile, load_root
from stemscan.store.record import StoreRecord
from stemscan.store.schema import SAMPLES, ArraySpec, Layout, array_specs, counts_dtype, spec_on_disk
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["check_newest", "check_progress", "open_root", "plan_and_layout", "recorded_specs", "specs_of"]


def open_root(path: str | Path) -> RootFile:
    """The root of the store at a path.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    StoreError
        When there is no store, or a damaged one.
    """
    path = Path(path)
    if not path.exists():
        raise InputNotFoundError(f"expected an acquisition store, got {str(path)!r}, which does not exist")
    return load_root(path)


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
    dtype = counts_dtype(record.detector, record.noise, layout.electrons_per_sample)
    channels = None if record.schema_version == 1 else len(record.channels)
    usual = array_specs(layout, dtype, actual=record.actual_positions, truth=record.truth, channels=channels)
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
        chunks = (int(entry.name) for entry in (folder / name / "c").glob("*") if entry.name.isdigit())
        if (index := max(chunks, default=-1)) >= armed:
            file = spec.chunk_file(folder, (index,) + (0,) * (len(spec.shape) - 1))
            raise StoreError(
                f"expected the newest record in {str(folder / 'zarr.json')!r}, got one older than the samples in "
                f"{str(file)!r}; restore the newest from a copy, or overwrite the samples"
            )
