"""Appends and commits in the background while the controller exposes: a thread fed by a bounded queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from stemscan.acquisition.reports import beam_times_of
from stemscan.errors import ControllerError

if TYPE_CHECKING:
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.path.scan_path import ScanPath
    from stemscan.store.batch import SampleBatch
    from stemscan.store.writer import AcquisitionWriter

__all__ = ["Committer"]

_SEGMENTS_WAITING: Final = 2


class Committer:
    """Writes what was received to a store, in order, and commits it every `commit_samples`.

    An error of the thread is raised in the caller, from the next call of any method; what is queued after it is
    dropped. A controller that fails to report the times of its beam ends the acquisition after the segment, and what
    came is committed, with its dwells alone in the ledger.

    Parameters
    ----------
    store : AcquisitionWriter
        Being written; armed at least once.
    controller : ScanController
        Asked for the times of its beam.
    path : ScanPath
        Of the store's plan.
    commit_samples : int
        Samples between two commits.
    waiting_samples : int, optional
        Samples that may wait to be committed while others are exposed; `commit_samples` unless more.
    """

    def __init__(
        self,
        store: AcquisitionWriter,
        controller: ScanController,
        path: ScanPath,
        commit_samples: int,
        waiting_samples: int = 0,
    ) -> None:
        self._store, self._controller, self._path = store, controller, path
        self._size, self._room = commit_samples, max(commit_samples, waiting_samples)
        self._queue: deque[SampleBatch] = deque()
        self._waiting = 0
        self._closing = False
        self._error: BaseException | None = None
        self._unreported: ControllerError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
        self.pauses = 0
        """Times that the queue was full."""
        self.paused_seconds = 0.0
        """Seconds that this lasted."""

    def put(self, batch: SampleBatch) -> None:
        """Hand over the next samples; waits while the queue is full."""
        with self._changed:
            self._wait(_SEGMENTS_WAITING * self._room)
            self._queue.append(batch)
            self._waiting += len(batch.counts)
            self._changed.notify_all()
        if self._thread.ident is None:  # one that ended with an error must not be started again
            self._thread.start()

    def check(self) -> None:
        """Raise the thread's error, if there was one."""
        self._fail()

    def room(self) -> None:
        """Wait until no more samples are waiting than may."""
        with self._changed:
            self._wait(self._room)
        self._raise()

    def drain(self) -> None:
        """Wait until everything is committed."""
        with self._changed:
            while self._waiting and self._error is None:
                self._changed.wait()
        self._fail()
        self._commit()
        self._raise()

    def discard(self) -> None:
        """Drop what is queued, and wait until what is being appended is."""
        with self._changed:
            self._waiting -= sum(len(batch.counts) for batch in self._queue)
            self._queue.clear()
            while self._waiting and self._error is None:
                self._changed.wait()
        self._fail()

    def finish(self) -> None:
        """Commit everything and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._fail()
        self._commit()
        self._raise()

    def _wait(self, limit: int) -> None:
        """Wait, with the lock, until no more than `limit` samples are waiting, and count the pause."""
        self._fail()
        if self._waiting <= limit:
            return
        began = time.perf_counter()
        while self._waiting > limit and self._error is None:
            self._changed.wait()
        self.pauses += 1
        self.paused_seconds += time.perf_counter() - began
        self._fail()

    def _fail(self) -> None:
        """Raise the thread's error here."""
        if self._error is not None:
            raise self._error

    def _raise(self) -> None:
        """Raise the thread's error here, or that the controller does not report times."""
        self._fail()
        if self._unreported is not None:
            raise self._unreported

    def _work(self) -> None:
        """Append and commit until told to finish."""
        try:
            while (batch := self._next()) is not None:
                self._store.append(batch)
                if self._due():
                    self._commit()
                with self._changed:
                    self._waiting -= len(batch.counts)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> SampleBatch | None:
        """The next batch; None when told to finish and nothing is left."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return self._queue.popleft() if self._queue else None

    def _due(self) -> bool:
        """Tell whether the samples up to a multiple of the commit size, or all, are there."""
        appended, committed = self._store.samples_appended, self._store.samples_committed
        return appended // self._size > committed // self._size or appended == self._store.total_samples

    def _commit(self) -> None:
        """Commit what was appended, with what the beam did for it."""
        start, stop = self._store.samples_committed, self._store.samples_appended
        times = None
        if stop > start and self._unreported is None:
            try:
                times = beam_times_of(self._controller, self._path, start, stop)
            except ControllerError as error:
                self._unreported = error
        self._store.commit(times)
