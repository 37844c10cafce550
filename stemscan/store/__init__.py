"""Acquisition: the store of one acquisition, contract 2. Made, appended to, committed, resumed, and read.

The record of samples comes first, the root's record of progress after it, and pictures (`frames`, `visits`) follow
when a pass is whole. So whatever stops the process, the samples that the root speaks of are there, and a reader of a
store that is not complete draws the pictures from exactly those. Reading is `stemscan.store.read`, files and locks
`stemscan.store.files`, zarr `stemscan.store.arrays`, what a store holds `stemscan.store.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.files.writing import require_folder
from stemscan.runtime.failpoints import failpoint
from stemscan.runtime.interrupts import Interrupts
from stemscan.store.append import StoreAppender
from stemscan.store.batch import DetectorInfo
from stemscan.store.create import RootFile, checked_truth, claim_folder, fill_folder, load_root, with_arrays
from stemscan.store.files import StoreLock, folder_kind, refuse_links, require_space, size_on_disk, sweep_partials
from stemscan.store.opening import check_newest, open_root
from stemscan.store.record import StoreRecord, check_same, event, new_record, specimen_of
from stemscan.store.schema import Layout, Noise, array_specs, counts_dtype, worst_case_bytes

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["Acquisition"]


class Acquisition(StoreAppender):
    """The store of one acquisition.

    `open` reads one. `create` and `resume` give the one writer of it, which holds a lock until `complete`, `abort` or
    `close`; use it as a context manager. Samples are appended in scan order, after `arm` has recorded how far the
    beam may go; `commit` makes them last.
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a store, complete or not.

        Raises
        ------
        InputNotFoundError
            When there is nothing.
        StoreError
            When there is something else, a half-made store, a damaged one, or one of another schema.
        """
        root = open_root(path)
        try:
            return cls(root)
        except StoreError as problem:
            raise root.explained(problem) from problem

    @classmethod
    def create(
        cls,
        path: str | Path,
        plan: ScanPlan,
        *,
        detector: DetectorInfo,
        seed: int | None = None,
        noise: Noise = "poisson",
        specimen_name: str | None = None,
        specimen_sha256: str | None = None,
        specimen_record: Mapping[str, object] | None = None,
        truth: NDArray[Any] | None = None,
        actual_positions: bool = False,
        coil_tau_ns: float | None = None,
        coil_waits: str | None = None,
        session: Mapping[str, object] | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Make a new store and become its writer.

        Parameters
        ----------
        path : str or Path
            Of the new folder; its parent must exist.
        plan : ScanPlan
        detector : DetectorInfo
            What the counts mean.
        seed : int, optional
            Of the virtual detector.
        noise : {"poisson", "eq5"}
            Statistics of the counts.
        specimen_name, specimen_sha256, specimen_record : optional
            The specimen of a simulation: name and sha256 belong together; the record says what was done to it.
        truth : ndarray, optional
            The specimen's signal, real, (H, W).
        actual_positions : bool
            Whether blocks carry the positions where the beam was.
        coil_tau_ns : float, optional
            Time constant of the scan coils that these positions follow, where it is known.
        coil_waits : str, optional
            Digest of the waits before dwells that they follow too (`ControllerProfile.waits_digest`).
        session : mapping, optional
            What the operator wants kept in the history, such as operator or kV.
        overwrite : bool
            Whether a store that is there may be removed; anything else never is.

        Returns
        -------
        Acquisition

        Raises
        ------
        InputNotFoundError, OutputExistsError
            When the parent folder is missing, or something is there.
        DiskSpaceError, StoreError
            When the disk cannot hold the store, refuses to write, or another writer is at work.
        """
        record = new_record(
            detector,
            noise,
            plan=plan,
            seed=seed,
            specimen=specimen_of(specimen_name, specimen_sha256, specimen_record),
            actual_positions=actual_positions,
            truth=truth is not None,
            coil_tau_ns=coil_tau_ns,
            coil_waits=coil_waits,
        )
        return cls._begin(Path(path), plan, record, truth, session, overwrite=overwrite, resume=False)

    @classmethod
    def resume(
        cls,
        path: str | Path,
        plan: ScanPlan,
        *,
        detector: DetectorInfo,
        seed: int | None = None,
        noise: Noise = "poisson",
        specimen_name: str | None = None,
        specimen_sha256: str | None = None,
        specimen_record: Mapping[str, object] | None = None,
        truth: NDArray[Any] | None = None,
        actual_positions: bool = False,
        coil_tau_ns: float | None = None,
        coil_waits: str | None = None,
        session: Mapping[str, object] | None = None,
    ) -> Self:
        """Go on with a store after its last committed sample, or make it when it is missing or half made.

        Where its samples are in doubt (`mark_doubt`), those are taken back first, and it goes on after the others.

        A complete store is opened for reading and left as it is. Parameters are those of `create`.

        Raises
        ------
        StoreMismatchError
            When the store was begun with another plan, detector, noise, seed, specimen or coil lag; the message names
            which.
        InputNotFoundError, OutputExistsError, DiskSpaceError, StoreError
            As `create` and `open`.
        """
        path = Path(path)
        record = new_record(
            detector,
            noise,
            plan=plan,
            seed=seed,
            specimen=specimen_of(specimen_name, specimen_sha256, specimen_record),
            actual_positions=actual_positions,
            truth=truth is not None,
            coil_tau_ns=coil_tau_ns,
            coil_waits=coil_waits,
        )
        require_folder(path)
        if folder_kind(path) in ("missing", "empty", "half-made"):
            return cls._begin(path, plan, record, truth, session, overwrite=False, resume=True)
        root = load_root(path)
        check_same(root.record, record, path)
        if root.record.state == "complete":
            return cls(root)
        lock = StoreLock(path)
        try:
            acquisition = cls(load_root(path), lock)
            check_same(acquisition._root.record, record, path)
            if acquisition.state == "complete":  # by another writer, before this one had the lock
                acquisition.close()
                return acquisition
            acquisition._go_on(session)
        except BaseException:
            lock.release()
            raise
        return acquisition

    @classmethod
    def create_imported(
        cls,
        path: str | Path,
        *,
        counts: NDArray[Any],
        positions: NDArray[Any],
        actual: NDArray[Any] | None = None,
        samples_per_pass: Sequence[int],
        shape: tuple[int, int],
        electrons_per_sample: float,
        pixel_size_nm: float | None = None,
        detector: DetectorInfo | None = None,
        noise: Noise = "poisson",
        record: Mapping[str, object] | None = None,
        truth: NDArray[Any] | None = None,
        session: Mapping[str, object] | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Make a complete store of data measured elsewhere; there is no plan.

        Parameters
        ----------
        path : str or Path
            Of the new folder; its parent must exist.
        counts : ndarray
            (N,) counts in scan order, pass after pass, at least 0; floats are kept as float32. Readings of a detector
            in adu may be negative.
        positions : ndarray
            (N, 2) integer pixels (row, column); a pixel may be visited several times.
        actual : ndarray, optional
            (N, 2) where the beam was, in pixels, where that is between them; `positions` are the nearest pixels.
        samples_per_pass : sequence of int
            Samples of each pass; N together.
        shape : tuple of int
            Rows and columns of the grid.
        electrons_per_sample : float
            Dose per sample, lambda.
        pixel_size_nm : float, optional
            Distance of neighbouring pixels, where it is known.
        detector : DetectorInfo, optional
            What the counts mean; counted electrons unless given.
        noise : {"poisson", "eq5"}
            Statistics of the counts.
        record : mapping, optional
            Where the data come from and what was done to them.
        truth : ndarray, optional
            (H, W) signal, where it is known.
        session : mapping, optional
            What to keep in the history.
        overwrite : bool
            Whether a store that is there may be removed.

        Returns
        -------
        Acquisition
            Open for reading.

        Raises
        ------
        UsageError
            When the data are impossible; the message names the first wrong value.
        InputNotFoundError, OutputExistsError, DiskSpaceError, StoreError
            As `create`.
        """
        from stemscan.store.importing.imported import checked_import, checked_measurement, write_imported

        detector = detector or DetectorInfo()
        imported = checked_import(shape, samples_per_pass, electrons_per_sample, pixel_size_nm, record)
        layout = Layout.of_import(imported)
        measured = checked_measurement(counts, positions, layout, detector, noise, actual)
        detector = replace(detector, dtype=measured.dtype_name)
        filled = new_record(
            detector, noise, imported=imported, truth=truth is not None, actual_positions=actual is not None
        )
        history = [event("imported", session)]
        return cls(write_imported(Path(path), layout, filled, measured, truth, history, overwrite=overwrite))

    @classmethod
    def _begin(
        cls,
        path: Path,
        plan: ScanPlan,
        record: StoreRecord,
        truth: NDArray[Any] | None,
        session: Mapping[str, object] | None,
        *,
        overwrite: bool,
        resume: bool,
    ) -> Self:
        """Make the folder, its arrays and, last, its record."""
        layout = Layout.of_plan(plan, record.specimen)
        truth32 = checked_truth(truth, layout.shape)
        dtype = counts_dtype(record.detector, record.noise, layout.electrons_per_sample)
        specs = array_specs(
            layout,
            dtype,
            frames=np.dtype(np.uint32) if plan.repeats_pixels and dtype.kind == "u" else None,
            visits=np.dtype(np.uint16) if plan.repeats_pixels else None,
            actual=record.actual_positions,
            truth=record.truth,
        )
        created = event("created", session)
        lock = claim_folder(path, worst_case_bytes(specs.values(), layout), overwrite=overwrite, resume=resume)
        try:
            with Interrupts(polite=True) as interrupts:  # zarr writes in a thread, which would go on
                digests = fill_folder(path, specs, truth32)
                root = RootFile.new(path, layout, with_arrays(record, specs, digests))
                root.save(history=[created])
            interrupts.check()
            failpoint("create:done")
            return cls(root, lock)
        except BaseException:
            lock.release()
            raise

    def _go_on(self, session: Mapping[str, object] | None) -> None:
        """Sweep up after a killed writer and note the resumption."""
        need = worst_case_bytes(self._specs.values(), self.layout)
        require_space(self.path, need - size_on_disk(self.path))
        check_newest(self._root.record, self._specs, self.path)
        refuse_links(self.path)
        sweep_partials(self.path)
        failpoint("resume:swept")
        if (doubt := self._root.record.doubt) is not None:
            self.rewind(doubt.proven, doubt.reason)
        entry = event("resumed", session, samples_committed=self.samples_committed, samples_armed=self.samples_armed)
        self._root.save(state="acquiring", history=[*self._root.record.history, entry])
        failpoint("resume:recorded")
