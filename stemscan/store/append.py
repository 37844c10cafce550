"""Writing an acquisition store: arm, append, commit, complete, in this order of durability.

`arm` records how far the beam may go before it goes there. `commit` writes samples, then the record that speaks of
them, then the pictures of passes that became whole; pictures may lag, for they can be drawn again at any time.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from stemscan.errors import StoreError, UsageError
from stemscan.failpoints import failpoint
from stemscan.sample_block import SampleBlock, check_block
from stemscan.store.create import RootFile
from stemscan.store.files import StoreLock
from stemscan.store.pictures import PictureWriter
from stemscan.store.read import StoreReader
from stemscan.store.record import event

if TYPE_CHECKING:
    from stemscan.path import ScanPath
    from stemscan.store.writer import SampleWriter

__all__ = ["StoreAppender"]


class StoreAppender(StoreReader):
    """A store that its one writer, who holds the lock, appends to; without a lock it is only read."""

    def __init__(self, root: RootFile, lock: StoreLock | None = None) -> None:
        super().__init__(root)
        self._lock = lock
        self._armed = 0
        self._path: ScanPath | None = None
        self._writer: SampleWriter | None = None
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
            from stemscan.path import ScanPath

            if self.plan is None:
                raise StoreError(f"expected a store with a plan, got {str(self.path)!r}, which was imported")
            self._path = ScanPath(self.plan)
        return self._path

    @property
    def samples_appended(self) -> int:
        """Samples received so far, committed or not."""
        return self.samples_committed if self._writer is None else self._writer.appended

    def arm(self, stop: int) -> None:
        """Record, durably, that samples up to `stop` may be exposed from now on.

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
                f"expected to arm up to {self.samples_appended + 1} .. {self.total_samples} samples, got {stop}"
            )
        failpoint("arm:begin")
        if stop > self.samples_armed:
            self._root.save(samples_armed=stop)
        self._armed = stop
        failpoint("arm:recorded")

    def append(self, block: SampleBlock) -> None:
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
        check_block(block, writer.appended, self._armed, writer.dtype, actual=writer.has_actual)
        writer.append(block.counts, block.actual)

    def commit(self) -> None:
        """Make all samples appended so far last, then record it, then draw the passes that became whole.

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
            self._root.save(samples_committed=writer.appended)
            failpoint("commit:recorded")
        self._pictures.draw(self.samples_committed)

    def complete(self) -> None:
        """Draw what is left, record that the store is complete, and give the lock back.

        Raises
        ------
        StoreError, DiskSpaceError
            When samples are missing, or the store cannot be written.
        """
        self.commit()
        if self.samples_committed != self.total_samples:
            raise StoreError(
                f"expected {self.total_samples} committed samples before {str(self.path)!r} is complete, got "
                f"{self.samples_committed}; acquire the rest"
            )
        failpoint("complete:begin")
        self._root.save(state="complete", history=[*self._root.record.history, event("completed")])
        failpoint("complete:recorded")
        self.close()

    def abort(self) -> None:
        """Commit what came, record that the user gave the acquisition up, and give the lock back; `resume` goes on."""
        self.commit()
        self._root.save(state="aborted", history=[*self._root.record.history, event("aborted")])
        failpoint("abort:recorded")
        self.close()

    def close(self) -> None:
        """Give the lock back; samples that are not committed are dropped. Harmless on a reader, or twice."""
        self._writer = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _samples(self) -> SampleWriter:
        """The writer of samples, or an error on a store that is only read."""
        if self._lock is None:
            raise StoreError(
                f"expected a store opened by create or resume and not closed, got {str(self.path)!r} for reading"
            )
        if self._writer is None:
            from stemscan.store.writer import SampleWriter

            self._writer = SampleWriter(self.path, self._specs, self.scan_path.positions, self.samples_committed)
        return self._writer
