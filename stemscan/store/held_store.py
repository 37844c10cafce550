"""Base of the writer of a store: what it has made of it so far, its history, and the lock that it holds."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from stemscan.errors import StoreError
from stemscan.path.scan_path import ScanPath
from stemscan.store.chunks import StoreChunks
from stemscan.store.opening import OpenStore
from stemscan.store.record import event
from stemscan.store.record_parts import LedgerRecord, State

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.store.files import StoreLock
    from stemscan.store.record import StoreRecord
    from stemscan.store.root import RootFile

__all__ = ["HeldStore", "ledger_of"]


class HeldStore:
    """A store that is written, under its lock.

    Parameters
    ----------
    lock : StoreLock or None
        None where nothing is to be written.
    """

    def __init__(self, root: RootFile, plan: ScanPlan, lock: StoreLock | None) -> None:
        self._store = OpenStore(root)
        self.plan, self.path, self.layout = plan, root.folder, self._store.layout
        self._lock = lock
        self._armed = self._armed_before = 0
        self.scan_path = ScanPath(plan)
        self._chunks = StoreChunks(self._store, self.scan_path)

    @property
    def record(self) -> StoreRecord:
        """The record as it is on the disk."""
        return self._store.record

    @property
    def state(self) -> State:
        """`acquiring`, `complete` or `aborted`."""
        return self._store.record.state

    @property
    def samples_committed(self) -> int:
        """Samples that are in the store for good."""
        return self._store.record.samples_committed

    @property
    def samples_appended(self) -> int:
        """Samples received so far, committed or not."""
        return self._chunks.appended

    @property
    def samples_armed(self) -> int:
        """Samples that may have been exposed."""
        return self._store.record.samples_armed

    @property
    def total_samples(self) -> int:
        """Samples of the whole scan, N."""
        return self._store.layout.total_samples

    def note(self, name: str, **more: str) -> None:
        """Add an entry to the history, durably.

        Raises
        ------
        StoreError, DiskSpaceError
            When the store cannot be written.
        """
        self._open_chunks()
        self._store.root.update(lambda record: {"history": [*record.history, event(name, None, **more)]})

    def close(self) -> None:
        """Give the lock back; samples that are not committed are dropped. Harmless when closed already."""
        self._chunks = StoreChunks(self._store, self.scan_path)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_chunks(self) -> StoreChunks:
        """The chunks to write, or an error when the lock was given back."""
        if self._lock is None:
            raise StoreError(
                f"expected a writer that create or resume made and that is not closed, got one of {str(self.path)!r} "
                "that is; resume the store, unless it is complete"
            )
        return self._chunks


def ledger_of(record: StoreRecord) -> LedgerRecord:
    """The ledger of a record, also where an early release wrote none."""
    return record.ledger or LedgerRecord()
