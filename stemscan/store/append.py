"""Writing an acquisition store: arm, append, commit, complete, in this order of durability.

`arm` records how far the beam may go before it goes there. `commit` writes samples, then the record that speaks of
them, then the pictures of passes that became whole; pictures may lag, for they can be drawn again at any time.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from stemscan.errors import StoreError, UsageError
from stemscan.runtime.failpoints import failpoint
from stemscan.store.batch import SampleBatch, check_batch
from stemscan.store.create import RootFile
from stemscan.store.files import StoreLock
from stemscan.store.ledger import BeamTimes, electrons_per_ns
from stemscan.store.pictures import PictureWriter
from stemscan.store.read import StoreReader
from stemscan.store.record import StoreRecord, event
from stemscan.store.record_parts import DigestsRecord, DoubtRecord, LedgerRecord, StoppedRecord
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.digests import DigestWriter
    from stemscan.store.writer import SampleWriter

__all__ = ["StoreAppender"]


class StoreAppender(StoreReader):
    """A store that its one writer, who holds the lock, appends to; without a lock it is only read."""

    def __init__(self, root: RootFile, lock: StoreLock | None = None) -> None:
        super().__init__(root)
        self._lock = lock
        self._armed = self._armed_before = 0
        self._path: ScanPath | None = None
        self._writer: SampleWriter | None = None
        self._digests: DigestWriter | None = None
        self._pictures = PictureWriter(self.path, self._specs, self.layout)

    @property
    def scan_path(self) -> ScanPath:
        """The points of the plan.

        Raises
        ------
        StoreError
            When there is no plan, as for data measured elsewhere.
        """
        if self._path is None:
            from stemscan.path.scan_path import ScanPath

            if self.plan is None:
                raise StoreError(f"expected a store with a plan, got {str(self.path)!r}, which was imported")
            self._path = ScanPath(self.plan)
        return self._path

    @property
    def samples_appended(self) -> int:
        """Samples received so far, committed or not."""
        return self.samples_committed if self._writer is None else self._writer.appended

    def arm(self, stop: int, *, start: int | None = None) -> None:
        """Record, durably, that samples up to `stop` may be exposed from now on.

        Parameters
        ----------
        stop : int
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
        self._samples()
        if not self.samples_appended < stop <= self.total_samples:
            raise UsageError(
                f"expected to arm up to sample {self.samples_appended + 1} .. {self.total_samples}, got {stop}"
            )
        failpoint("arm:begin")
        self._armed_before = self.samples_armed
        again = max(0, min(stop, self.samples_armed) - (self.samples_appended if start is None else start))
        if stop > self.samples_armed or again:
            armed = max(stop, self.samples_armed)
            more = {"samples_exposed_again_at_most": again, "times_exposed_again": int(again > 0)}
            self._root.update(lambda record: {"samples_armed": armed, "ledger": _more(record, more)})
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
            self._root.update(lambda _: {"samples_armed": armed})

    def append(self, block: SampleBatch) -> None:
        """Add the next samples in scan order; they last only after `commit`.

        Raises
        ------
        ControllerError
            When the block does not continue where the last one ended, goes past what was armed, or holds what cannot
            be kept unchanged (NaN, negative or too large counts, another kind of number); nothing of it is added.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        writer = self._samples()
        check_batch(block, writer.appended, self._armed, writer.dtype, actual=writer.has_actual)
        writer.append(block.counts, block.actual)

    def commit(self, times: BeamTimes | None = None) -> None:
        """Make all samples appended so far last, then record it, then draw the passes that became whole.

        Parameters
        ----------
        times : BeamTimes, optional
            What the beam did for the samples since the last commit, for the ledger; their dwells unless given.

        Raises
        ------
        StoreError, DiskSpaceError
            When the store cannot be written; what was committed before stays committed.
        """
        writer = self._samples()
        failpoint("commit:begin")
        if writer.appended > self.samples_committed:
            writer.flush()
            failpoint("commit:synced")
            if times is None and self.plan is not None:
                times = BeamTimes.dwells(writer.appended - self.samples_committed, self.plan.dwell_ns)
            committed = writer.appended
            bound = self._bound(committed, writer.tail())
            self._root.update(
                lambda record: {"samples_committed": committed, "ledger": self._with(record, times)} | bound
            )
            failpoint("commit:recorded")
        if self._pictures.is_due(self.samples_committed):
            self._pictures.draw(self.samples_committed, self._digest_writer(), self._checks())

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
        committed = self.samples_committed
        wanted = (
            "the samples of whole passes" if stopped is not None else counted(self.total_samples, "committed sample")
        )
        if committed not in (self.layout.pass_starts[1:] if stopped is not None else (self.total_samples,)):
            raise StoreError(
                f"expected {wanted} before {str(self.path)!r} is complete, got {committed}; acquire the rest"
            )
        doubt = self._root.record.doubt
        if doubt is not None:
            raise StoreError(
                f"expected samples beyond doubt before {str(self.path)!r} is complete, got doubt from sample "
                f"{doubt.proven} on ({doubt.reason}); resume it, which exposes them again"
            )
        failpoint("complete:begin")
        changes: dict[str, object] = {}
        digests = self._digest_writer()
        if stopped is not None and committed < self.total_samples:
            self._pictures.draw_empty(digests)
            passes = self.layout.pass_starts.index(committed)
            changes["stopped"] = StoppedRecord(passes=passes, samples=committed, reason=stopped)
        if digests is not None and self._root.record.digests is not None:
            changes["digests"] = self._root.record.digests.model_copy(update={"pictures": digests.pictures()})
        self._root.save(state="complete", history=[*self._root.record.history, event("completed")], **changes)
        failpoint("complete:recorded")
        self.close()

    def abort(self) -> None:
        """Commit what came, record that the user gave the acquisition up, and give the lock back; `resume` goes on."""
        self.commit()
        self._root.save(state="aborted", history=[*self._root.record.history, event("aborted")])
        failpoint("abort:recorded")
        self.close()

    def rewind(self, samples: int, reason: str) -> None:
        """Take back committed samples, to be exposed again: what follows begins after the first `samples`.

        What was appended and not committed is dropped. The record says so: an entry `rewound` in the history, the
        number of samples taken back in the ledger. Its times stay, for those electrons met the specimen.

        Parameters
        ----------
        samples : int
            Committed samples to keep, 0 to `samples_committed`.
        reason : str
            Why the others are not to be trusted; one line.

        Raises
        ------
        UsageError
            When fewer are committed.
        StoreError, DiskSpaceError
            When the store cannot be written, or what is kept is damaged; nothing is taken back then.
        """
        self._samples()
        committed = self.samples_committed
        if not 0 <= samples <= committed:
            raise UsageError(f"expected to go back to 0 .. {committed} committed samples, got {samples}")
        failpoint("rewind:begin")
        self._writer = None
        self._armed = samples
        bound = self._bound(samples, self._writer_from(samples).tail(), flush=False)
        entry = event("rewound", samples_committed=committed, samples_kept=samples, reason=reason)
        self._root.update(
            lambda record: {
                "samples_committed": samples,
                "doubt": None if record.doubt is None or record.doubt.proven >= samples else record.doubt,
                "ledger": _more(record, {"samples_taken_back": committed - samples}),
                "history": [*record.history, entry],
                **bound,
            }
        )
        self._pictures.rewind(samples)
        if self._digests is not None:
            self._digests.forget(samples)
        failpoint("rewind:recorded")

    def mark_doubt(self, proven: int, reason: str) -> None:
        """Record, durably, that committed samples from `proven` on may belong to other positions than theirs.

        Until a resumption goes back to `proven`, readers say so, and the store cannot be completed. Of two doubts the
        one that begins earlier counts.

        Parameters
        ----------
        proven : int
            Samples that are beyond doubt, 0 to `samples_committed`.
        reason : str
            One line.

        Raises
        ------
        UsageError
            When fewer are committed.
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        self._samples()
        if not 0 <= proven <= self.samples_committed:
            raise UsageError(
                f"expected the number of samples beyond doubt to be 0 .. {self.samples_committed}, got {proven}"
            )
        entry = event("doubted", samples_committed=self.samples_committed, samples_proven=proven, reason=reason)
        self._root.update(
            lambda record: {
                "doubt": record.doubt
                if record.doubt is not None and record.doubt.proven <= proven
                else DoubtRecord(proven=proven, reason=reason),
                "history": [*record.history, entry],
            }
        )
        failpoint("doubt:recorded")

    def close(self) -> None:
        """Give the lock back; samples that are not committed are dropped. Harmless on a reader, or twice."""
        self._writer = self._digests = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _with(self, record: StoreRecord, times: BeamTimes | None) -> LedgerRecord | None:
        """The ledger with what the beam did for more samples."""
        if self.plan is None or times is None:
            return record.ledger
        return (record.ledger or LedgerRecord()).plus(times, electrons_per_ns(self.plan))

    def _samples(self) -> SampleWriter:
        """The writer of samples, or an error on a store that is only read."""
        if self._lock is None:
            raise StoreError(
                f"expected a store opened by create or resume and not closed, got {str(self.path)!r} for reading"
            )
        if self._writer is None:
            self._writer = self._writer_from(self.samples_committed)
        return self._writer

    def _writer_from(self, committed: int) -> SampleWriter:
        """A writer that goes on after committed samples."""
        from stemscan.store.writer import SampleWriter

        positions = self.scan_path.positions
        return SampleWriter(self.path, self._specs, positions, committed, self._digest_writer(), self._checks())

    def _digest_writer(self) -> DigestWriter | None:
        """The writer of digests; None where the schema has none."""
        if self._digests is None and self._root.record.digests is not None:
            from stemscan.store.digests import DigestWriter

            self._digests = DigestWriter.resume(self.path, self._specs, self._root.record)
        return self._digests

    def _bound(self, committed: int, tail: dict[str, str], *, flush: bool = True) -> dict[str, DigestsRecord]:
        """The change of the record that binds the digests of so many samples, which are on the disk before it."""
        digests, before = self._digest_writer(), self._root.record.digests
        if digests is None or before is None:
            return {}
        if flush:
            digests.flush()
            failpoint("commit:digests")
        return {"digests": DigestsRecord(samples=digests.samples(committed), tail=tail, truth=before.truth)}


def _more(record: StoreRecord, numbers: dict[str, int]) -> LedgerRecord | None:
    """The ledger with more in some of its numbers."""
    if not any(numbers.values()):
        return record.ledger
    ledger = record.ledger or LedgerRecord()
    return ledger.model_copy(update={name: getattr(ledger, name) + more for name, more in numbers.items()})
