"""AcquisitionWriter: a store of one acquisition, contract 2, as it is made, appended to, committed and gone on with.

The record of samples comes first, the root's record of progress after it, and pictures (`frames`, `visits`) follow
when a pass is whole. So whatever stops the process, the samples that the root speaks of are there, and a reader of a
store that is not complete draws the pictures from exactly those. `arm` records how far the beam may go before it goes
there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from stemscan.errors import StoreError, UsageError
from stemscan.files.writing import require_folder
from stemscan.objects.path import as_path
from stemscan.runtime.failpoints import failpoint
from stemscan.store.batch import SampleBatch, check_batch
from stemscan.store.create import make_store, sweep_store
from stemscan.store.files import StoreLock
from stemscan.store.folders import folder_kind
from stemscan.store.going_back import RewindableStore
from stemscan.store.held_store import ledger_of
from stemscan.store.ledger import BeamTimes, electrons_per_ns
from stemscan.store.record import StoreRecord, check_same, event, new_record
from stemscan.store.record_parts import (
    PassMoveRecord,
    StoppedRecord,
)
from stemscan.store.root import load_root
from stemscan.store.schema import Layout, counts_dtypes, planned_specs
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.provenance import Provenance

__all__ = ["AcquisitionWriter"]


class AcquisitionWriter(RewindableStore):
    """The one writer of a store, which holds its lock until `complete`, `abort` or `close`.

    `create` and `resume` make one; use it as a context manager. Samples are appended in scan order, after `arm` has
    recorded how far the beam may go; `commit` makes them last.

    Attributes
    ----------
    path : pathlib.Path
        Folder of the store.
    layout : Layout
        Grid, samples of each pass, dose per sample, pixel size.
    scan_path : ScanPath
        Of the plan.
    """

    @classmethod
    def create(cls, path: str | Path, plan: ScanPlan, provenance: Provenance, *, overwrite: bool = False) -> Self:
        """Make a new store and become its writer.

        Parameters
        ----------
        path : str or Path
            Of the new folder; its parent must exist.
        provenance : Provenance
            Origin of its counts.
        overwrite : bool
            Remove a store that is there; anything else never is.

        Raises
        ------
        InputNotFoundError, OutputExistsError
            When the parent folder is missing, or something is there.
        UsageError
            When the provenance is impossible.
        DiskSpaceError, StoreError
            When the disk cannot hold the store, refuses to write, or another writer is at work.
        """
        record = new_record(provenance, plan=plan)
        return cls._begin(as_path(path), plan, record, provenance, overwrite=overwrite, resume=False)

    @classmethod
    def resume(cls, path: str | Path, plan: ScanPlan, provenance: Provenance) -> Self:
        """Go on with a store after its last committed sample, or make it when it is missing or half made.

        Where its samples are in doubt (`mark_doubt`), those are taken back first, and it goes on after the others.
        The writer of a complete store is closed and leaves it as it is. Parameters are those of `create`.

        Raises
        ------
        StoreMismatchError
            When the store was begun with another plan, detector, noise, seed, specimen or coil lag; the message names
            which.
        InputNotFoundError, OutputExistsError, DiskSpaceError, StoreError
            As `create`, and when the store is damaged.
        """
        path, record = as_path(path), new_record(provenance, plan=plan)
        require_folder(path)
        if folder_kind(path) in ("missing", "empty", "half-made"):
            return cls._begin(path, plan, record, provenance, overwrite=False, resume=True)
        root = load_root(path)
        check_same(root.record, record, path)
        if root.record.state == "complete":
            return cls(root, plan, None)
        lock = StoreLock(path)
        try:
            writer = cls(load_root(path), plan, lock)
            check_same(writer._store.record, record, path)
            if writer.state == "complete":  # by another writer, before this one had the lock
                writer.close()
            else:
                writer._go_on(provenance)
        except BaseException:
            lock.release()
            raise
        return writer

    @classmethod
    def _begin(
        cls, path: Path, plan: ScanPlan, record: StoreRecord, provenance: Provenance, *, overwrite: bool, resume: bool
    ) -> Self:
        """Make the store."""
        layout = Layout.of_plan(plan, record.specimen)
        specs = planned_specs(plan, record, layout)
        created = record.model_copy(update={"history": [event("created", provenance.session)]})
        root, lock = make_store(path, layout, created, specs, provenance, overwrite=overwrite, resume=resume)
        return cls(root, plan, lock)

    def _go_on(self, provenance: Provenance) -> None:
        """Sweep up after a killed writer and note the resumption."""
        store = self._store
        sweep_store(store)
        if (doubt := store.record.doubt) is not None:
            self.rewind(doubt.proven, doubt.reason)
        committed, armed = self.samples_committed, self.samples_armed
        entry = event("resumed", provenance.session, samples_committed=committed, samples_armed=armed)
        store.root.save(state="acquiring", history=[*store.record.history, entry])
        failpoint("resume:recorded")

    def arm(self, stop: int, *, start: int | None = None) -> None:
        """Record, durably, that samples up to `stop` may be exposed from now on.

        Parameters
        ----------
        start : int, optional
            First sample to be exposed; the first that was not received unless given. The ledger counts those among
            them that an earlier arming may have exposed already.

        Raises
        ------
        UsageError
            When `stop` is not ahead of what was received, or past the end.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        self._open_chunks().samples()
        if not self.samples_appended < stop <= self.total_samples:
            raise UsageError(
                f"expected to arm up to sample {self.samples_appended + 1} .. {self.total_samples}, got {stop}"
            )
        failpoint("arm:begin")
        self._armed_before = self.samples_armed
        again = max(0, min(stop, self.samples_armed) - (self.samples_appended if start is None else start))
        if stop > self.samples_armed or again:
            armed = max(stop, self.samples_armed)
            self._store.root.update(
                lambda record: {
                    "samples_armed": armed,
                    "ledger": ledger_of(record).counting(samples_exposed_again_at_most=again, times_exposed_again=1)
                    if again
                    else record.ledger,
                }
            )
        self._armed = stop
        failpoint("arm:recorded")

    def disarm(self, reached: int) -> None:
        """Record, durably, that of the samples armed last none from `reached` on was exposed.

        Raises
        ------
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        armed = max(reached, self._armed_before, self.samples_appended)
        if armed < self.samples_armed:
            self._store.root.save(samples_armed=armed)

    def move(self, move: PassMoveRecord) -> None:
        """Record, durably, the offset of the next pass's field, before it is exposed.

        Raises
        ------
        UsageError
            When the store was begun without following drift, or that pass is exposed already.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        self._open_chunks()
        known, starts = self.record.follow, self.layout.pass_starts[:-1]
        if known is None or len(known.passes) >= len(starts) or starts[len(known.passes)] < self.samples_appended:
            raise UsageError(f"expected a store that follows drift, and a pass to come, got neither in {self.path}")
        before = known.passes[-1].offset_px if known.passes else move.offset_px
        follow = known.model_copy(update={"passes": [*known.passes, move]})
        self._store.root.update(
            lambda record: {
                "follow": follow,
                "ledger": ledger_of(record).counting(field_moves=int(move.offset_px != before)),
            }
        )
        failpoint("move:recorded")

    def append(self, batch: SampleBatch) -> None:
        """Add the next samples in scan order; they last only after `commit`.

        Raises
        ------
        ControllerError
            When the batch does not continue where the last one ended, goes past what was armed, or holds what cannot
            be kept unchanged (NaN, negative or too large counts, another kind of number); nothing of it is added.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        samples = self._open_chunks().samples()
        dtypes = (samples.dtype,) if len(self.record.channels) == 1 else counts_dtypes(self.record, self.layout)
        check_batch(batch, samples.appended, self._armed, dtypes, actual=samples.has_actual, tracks=samples.tracks)
        samples.append(batch.counts, batch.actual, batch.truths)

    def commit(self, times: BeamTimes | None = None) -> None:
        """Make all samples appended so far last, then record it, then draw the passes that became whole.

        Parameters
        ----------
        times : BeamTimes, optional
            Times of the beam for the samples since the last commit, for the ledger; their dwells unless given.

        Raises
        ------
        StoreError, DiskSpaceError
            When the store cannot be written; what was committed before stays committed.
        """
        chunks = self._open_chunks()
        committed = chunks.samples().appended
        failpoint("commit:begin")
        if committed > self.samples_committed:
            bound = chunks.flush()
            beam = times or BeamTimes.dwells(committed - self.samples_committed, self.plan.dwell_ns)
            rate = electrons_per_ns(self.plan)
            self._store.root.update(
                lambda record: {"samples_committed": committed, "ledger": ledger_of(record).plus(beam, rate), **bound}
            )
            failpoint("commit:recorded")
        chunks.draw()

    def complete(self, *, stopped: str | None = None) -> None:
        """Draw what is left, record that the store is complete, and give the lock back.

        Parameters
        ----------
        stopped : str, optional
            Why the acquisition is complete although passes are left; whole passes must be committed.

        Raises
        ------
        StoreError, DiskSpaceError
            When samples are missing, or the store cannot be written.
        """
        self.commit()
        committed, total, ends = self.samples_committed, self.total_samples, self.layout.pass_starts[1:]
        wanted = "the samples of whole passes" if stopped is not None else counted(total, "committed sample")
        if committed not in (ends if stopped is not None else (total,)):
            raise StoreError(
                f"expected {wanted} before {str(self.path)!r} is complete, got {committed}; acquire the rest"
            )
        if (doubt := self.record.doubt) is not None:
            raise StoreError(
                f"expected samples beyond doubt before {str(self.path)!r} is complete, got doubt from sample "
                f"{doubt.proven} on ({doubt.reason}); resume it, which exposes them again"
            )
        failpoint("complete:begin")
        early: dict[str, StoppedRecord] = {}
        if stopped is not None and committed < total:
            early["stopped"] = StoppedRecord(passes=ends.index(committed) + 1, samples=committed, reason=stopped)
        bound = self._chunks.complete()
        self._store.root.save(state="complete", history=[*self.record.history, event("completed")], **early, **bound)
        failpoint("complete:recorded")
        self.close()

    def abort(self) -> None:
        """Commit what came, record that the user gave the acquisition up, and give the lock back; `resume` goes on."""
        self.commit()
        self._store.root.save(state="aborted", history=[*self.record.history, event("aborted")])
        failpoint("abort:recorded")
        self.close()
