"""Checking a whole store, file by file, and making anew what follows from its samples.

Everything is read: the record against its digest and its plan, metadata of arrays and groups, every chunk against its
CRC-32C and its digest, positions against the plan, and the pictures against the samples that they are drawn from. Of
schema 1, which has no digests, counts and record cannot be checked beyond that, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.path.scan_path import ScanPath
from stemscan.store.array_reader import ArrayReader, SampleReader
from stemscan.store.arrays import check_metadata
from stemscan.store.digest_table import DigestWriter, read_checks
from stemscan.store.digests import ChunkChecks, ChunkRows, unbound
from stemscan.store.drift import read_drift
from stemscan.store.files import DRIFT, ROOT, read_json
from stemscan.store.folders import GROUPS
from stemscan.store.levels import level_chunks
from stemscan.store.ome import ome_attributes
from stemscan.store.opening import check_newest, check_progress, plan_and_layout, recorded_specs
from stemscan.store.pictures import draw_pass
from stemscan.store.report import StoreReport
from stemscan.store.root import RootFile, open_root
from stemscan.store.schema import DRAWN, LEVELS, PICTURES, SAMPLES, spec_on_disk
from stemscan.units import counted

__all__ = ["verify_store"]

Progress = Callable[[int, int], None]

_COPY: Final = "restore it from a copy"
_REDRAW: Final = "redraw it by --repair"


def verify_store(path: str | Path, *, repair: bool = False, progress: Progress | None = None) -> StoreReport:
    """Check everything in a store.

    Parameters
    ----------
    repair : bool
        Make anew, from sound samples, what follows from them: `frames`, `visits`, the array `digests`,
        metadata of arrays and groups, the attribute `ome`. Another writer must not be at work.
    progress : callable, optional
        Called with (chunks read, chunks in all).

    Returns
    -------
    StoreReport
        Of the store as it is afterwards.

    Raises
    ------
    InputNotFoundError
        When there is nothing.
    StoreError
        When there is no store, or its record is damaged, without which nothing can be checked; when a repair is asked
        for and another writer is at work, or parts of the store are links.
    DiskSpaceError
        When a repair finds the disk full.
    """
    from stemscan.store.repair import repair_store

    report = _checked(path, progress)
    repaired: list[Path] = []
    while repair and (made := repair_store(path, report.repairable - set(repaired))):
        repaired += made  # metadata first: chunks can only be checked once these are there
        report = _checked(path, progress)
    report.repaired = repaired
    return report


def _checked(path: str | Path, progress: Progress | None) -> StoreReport:
    """The report of a store; a writer that replaces it meanwhile is told from damage."""
    root = open_root(path)
    report = _Check(root, progress).run()
    if report.problems and not root.is_current():
        raise root.explained(StoreError(report.problems[0].what))
    return report


class _Check:
    """One walk through a store."""

    def __init__(self, root: RootFile, progress: Progress | None) -> None:
        record = root.record
        self._root, self._folder, self._progress = root, root.folder, progress or (lambda done, total: None)
        self._plan, self._layout = plan_and_layout(record, root.folder)
        check_progress(record, self._layout, root.folder)
        self._specs = recorded_specs(record, self._layout, root.folder)
        self._committed, self._complete = record.samples_committed, record.state == "complete"
        self._readers: dict[str, ArrayReader] = {}
        self._total = 0
        self._report = StoreReport(root.folder, record.schema_version, record.state, record.samples_committed)

    def run(self) -> StoreReport:
        """Check everything that there is."""
        report = self._report
        self._groups()
        self._arrays()
        self._ome()
        self._drift()
        try:
            check_newest(self._root.record, self._specs, self._folder)
        except StoreError as problem:
            report.add(self._folder / ROOT, problem)
        checks, computed = self._digests()
        for name in (name for name in self._readers if name not in DRAWN):
            self._values(name, checks, computed)
        if computed is not None:
            checks = None
            self._computed(computed)
        sound = self._sound_samples()
        if not self._complete:
            report.unchecked.append("frames and visits: they are drawn from the samples until the scan is complete")
        elif sound and all(name in self._readers for name in PICTURES):
            self._drawn_pictures(checks)
            self._drawn_levels(checks)
        else:
            report.unchecked.append("whether frames and visits are those of the samples, for want of sound files")
            self._pictures(checks)
        if not sound:
            self._beyond_repair()
        if (doubt := self._root.record.doubt) is not None:
            report.unchecked.append(f"whether samples from {doubt.proven} on are at their positions: {doubt.reason}")
        if report.schema == 1:
            report.unchecked.append("whether record, counts and truth are what was written: schema 1 has no digests")
        return report

    def _sound_samples(self) -> bool:
        """Tell whether there is nothing to be said against the samples."""
        samples, group = self._folder / "samples", self._folder / "samples" / ROOT
        damaged = (one.file for one in self._report.problems if one.file != group)
        return not any(samples in (file, *file.parents) for file in damaged)

    def _beyond_repair(self) -> None:
        """Take back that pictures and digests can be made anew; metadata can."""
        self._report.problems = [
            replace(problem, repairable=problem.repairable and problem.file.name == ROOT)
            for problem in self._report.problems
        ]

    # ------------------------------------------------------------------ metadata

    def _groups(self) -> None:
        """Metadata of groups."""
        for name in GROUPS:
            file = self._folder / name / ROOT
            try:
                found = read_json(file)
            except StoreError as problem:
                self._report.add(file, problem, repairable=True)
                continue
            if not isinstance(found, dict) or (found.get("zarr_format"), found.get("node_type")) != (3, "group"):
                self._report.add(
                    file, f"expected the metadata of a group in {str(file)!r}, got {found}", repairable=True
                )

    def _arrays(self) -> None:
        """Metadata of arrays; only those that are sound are read."""
        exactly = self._report.schema > 1
        for name, spec in self._specs.items():
            try:
                self._specs[name] = spec_on_disk(self._folder, spec, exactly=exactly)
                check_metadata(self._folder, self._specs[name])
                self._readers[name] = ArrayReader(self._folder, self._specs[name])
            except StoreError as problem:
                self._report.add(self._folder / name / ROOT, problem, repairable=exactly or name in DRAWN)

    def _ome(self) -> None:
        """The attribute by which viewers find the frames and their scale."""
        wanted = ome_attributes(self._layout, self._root.record)["multiscales"]
        ome, file = self._root.ome, self._folder / ROOT
        if not isinstance(ome, dict) or ome.get("multiscales") != wanted:
            what = f"expected in {str(file)!r} the attribute 'ome' that follows from the record, got another"
            self._report.add(file, f"{what}; viewers may show another scale", repairable=True)

    def _drift(self) -> None:
        """The trajectory that was estimated, where there is one."""
        try:
            drift = read_drift(self._folder, self._root.record)
        except StoreError as problem:
            self._report.add(self._folder / DRIFT, problem)
            return
        if drift is not None and not drift.current:
            had = counted(drift.samples, "sample")
            self._report.unchecked.append(f"whether drift/ is that of these samples: it was estimated from {had}")

    def _digests(self) -> tuple[ChunkChecks | None, DigestWriter | None]:
        """The digests; where they are damaged, an empty table to be computed anew."""
        if self._root.record.digests is None:
            return None, None
        spec = ChunkRows(self._specs).spec
        try:
            check_metadata(self._folder, spec)
            return read_checks(self._folder, self._specs, self._root.record), None
        except StoreError as problem:
            self._report.add(self._folder / spec.path, problem, repairable=True)
        computed = DigestWriter(self._folder, self._specs)
        return ChunkChecks(self._folder, self._specs, self._root.record, computed.table), computed

    def _computed(self, computed: DigestWriter) -> None:
        """Check digests computed anew, in the place of damaged ones, against what the record binds."""
        record, bound = self._root.record, self._root.record.digests
        if bound is None or not self._sound_samples():
            return
        computed.forget(self._committed)
        known = record.model_copy(update={"digests": bound.model_copy(update={"pictures": None})})
        if (part := unbound(computed.table, computed.rows, known)) is not None:
            file = self._folder / part
            what = f"expected in {str(file)!r} what the record speaks of, got others; the damaged chunk cannot be told"
            self._report.add(file, f"{what} without the digests; {_COPY}")

    # ------------------------------------------------------------------ chunks

    def _indices(self, name: str) -> list[tuple[int, ...]]:
        """The chunks of an array that must be there."""
        spec = self._specs[name]
        if name in DRAWN and not self._complete:
            return []
        rows = -(-self._committed // spec.chunks[0]) if name in SAMPLES else spec.grid[0]
        return list(product(range(rows), *(range(number) for number in spec.grid[1:])))

    def _chunks(self, name: str) -> Iterator[tuple[Path, tuple[int, ...], NDArray[Any]]]:
        """File, index and values of each chunk that can be read, of samples as far as committed; others are noted."""
        spec = self._specs[name]
        for index in self._indices(name):
            file = spec.chunk_file(self._folder, index)
            values = self._chunk(name, index)
            if values is not None:
                yield file, index, values[: self._committed - index[0] * spec.chunks[0]] if name in SAMPLES else values

    def _chunk(self, name: str, index: tuple[int, ...]) -> NDArray[Any] | None:
        """One chunk; None where it cannot be read, which is noted."""
        if not self._total:
            self._total = sum(len(self._indices(array)) for array in self._readers)
        self._report.chunks += 1
        self._progress(self._report.chunks, self._total)
        try:
            return self._readers[name].chunk(index)
        except StoreError as problem:
            file = self._specs[name].chunk_file(self._folder, index)
            self._report.add(file, problem, repairable=name in DRAWN)
            return None

    def _values(self, name: str, checks: ChunkChecks | None, computed: DigestWriter | None) -> None:
        """Chunks of samples or of the truth."""
        path = None if self._plan is None or name != "samples/position" else ScanPath(self._plan)
        for file, index, values in self._chunks(name):
            if computed is not None:
                computed.put(name, index, values)
            if checks is not None and not checks.holds(name, index, values):
                self._report.add(
                    file, f"expected in {str(file)!r} the values that were written there, got others; {_COPY}"
                )
            first = index[0] * self._specs[name].chunks[0]
            if path is not None and not np.array_equal(path.positions(first, first + len(values)), values):
                self._report.add(file, f"expected in {str(file)!r} the positions of the plan, got others; {_COPY}")

    def _pictures(self, checks: ChunkChecks | None) -> None:
        """Chunks of frames, visits and levels, by their digests alone."""
        for name in (name for name in DRAWN if name in self._readers):
            for file, index, values in self._chunks(name):
                if checks is not None and not checks.holds(name, index, values):
                    self._not_drawn(file)

    def _drawn_pictures(self, checks: ChunkChecks | None) -> None:
        """Chunks of frames and visits, by their digests and by the samples."""
        specs, samples = self._specs, SampleReader(self._folder, self._specs)
        for index in range(self._layout.passes):
            for name, at, band in draw_pass(samples, self._layout, specs, index, self._committed):
                for place, part in specs[name].chunks_of(at, band.shape):
                    found = self._chunk(name, place)
                    good = found is None or (checks is None or checks.holds(name, place, found))
                    if not good or (found is not None and not np.array_equal(found, band[part])):
                        self._not_drawn(specs[name].chunk_file(self._folder, place))

    def _drawn_levels(self, checks: ChunkChecks | None) -> None:
        """Chunks of levels, by their digests and by the level before, as far as that can be read."""
        for name in (name for name in LEVELS if name in self._readers):
            with suppress(StoreError):  # which was noted of the level before
                for index, _, values in level_chunks(self._folder, self._specs, name):
                    found = self._chunk(name, index)
                    good = found is None or checks is None or checks.holds(name, index, found)
                    if not good or (found is not None and not np.array_equal(found, values)):
                        self._not_drawn(self._specs[name].chunk_file(self._folder, index))

    def _not_drawn(self, file: Path) -> None:
        """Note a picture that is not the one that was drawn."""
        self._report.add(
            file, f"expected in {str(file)!r} the picture of the samples, got another; {_REDRAW}", repairable=True
        )
