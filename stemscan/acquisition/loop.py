"""The loop behind `run_scan`: exposes segments, keeps what comes, and blanks when anything is wrong.

The main thread arms the controller and reads from it; `Committer` appends and commits behind it. A segment is armed,
durably, before it is exposed; the beam is blanked between segments, and stays so while the store is behind by more
than a segment, while a rule decides between passes, and from the first error on. A segment whose readings cannot be
told apart (`UnprovenError`) is exposed again from the last sample that is proven, a few times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.acquisition.committer import Committer
from stemscan.acquisition.reports import channels_of, controller_errors, reach_of
from stemscan.acquisition.segment import Segment
from stemscan.acquisition.stopping import is_limit
from stemscan.acquisition.timed_controller import TimedController, aside
from stemscan.errors import (
    ControllerError,
    DiskSpaceError,
    StemscanError,
    StoreError,
    StoreMismatchError,
    UnprovenError,
)
from stemscan.runtime.interrupts import Interrupted, Interrupts
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from stemscan.store.schema import counts_dtypes
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.acquisition.following import FieldMoves
    from stemscan.acquisition.requests import ScanRequests
    from stemscan.acquisition.scan_controller import ScanController
    from stemscan.acquisition.stopping import StopRule
    from stemscan.store.writer import AcquisitionWriter

__all__ = ["AcquireLoop"]

_MOST_TRIES: Final = 4  # exposures of one place; what cannot be proven by then will not be
_GRACE_S: Final = 1.0  # for blanking the beam, once the user insists


@dataclass
class AcquireLoop:
    """One scan: exposes and commits until the store has every sample or a rule says it is enough."""

    controller: ScanController
    writer: AcquisitionWriter
    progress: Callable[[int, int], None] | None
    batch_samples: int
    commit_samples: int
    stall_timeout: float | None
    stop_rules: Sequence[StopRule]
    moves: FieldMoves | None = None
    requests: ScanRequests | None = None
    arm_samples: int = 0
    pauses: int = 0
    paused_seconds: float = 0.0
    stopped: str | None = None
    unproven: int = 0
    _received: int = field(default=0, init=False)
    _armed: int = field(default=0, init=False)
    _stuck_at: int = field(default=-1, init=False)
    _tries: int = field(default=0, init=False)

    def check(self) -> None:
        """Refuse a controller that cannot do what the store needs, before anything is exposed."""
        store, able = self.writer, self.controller.capabilities
        if not able.resumable and store.samples_committed:
            raise ControllerError(
                f"expected a controller that can begin at sample {store.samples_committed}, got {able.name}, which "
                "only runs whole scans; acquire into a new store"
            )
        if store.record.detectors != (channels := channels_of(self.controller)):
            begun, now = (", ".join(map(str, one)) for one in (store.record.detectors, channels))
            raise StoreMismatchError(
                f"expected the detector with which {str(store.path)!r} was begun ({begun}), got {now}; make the store "
                "with the detector of its controller"
            )
        if able.actual_positions != store.record.actual_positions:
            has, gives = ("with", "none") if not able.actual_positions else ("without", "some")
            raise StoreMismatchError(
                f"expected a controller for {str(store.path)!r}, which was begun {has} actual positions, got "
                f"{able.name}, which gives {gives}; make the store with what its controller can do"
            )

    def run(self) -> None:
        """Expose and commit; blank the beam and keep what came, whatever goes wrong."""
        store = self.writer
        self._received = store.samples_committed
        self._dtypes = counts_dtypes(store.record, store.layout)
        self._path = store.scan_path
        committer = Committer(store, self.controller, self._path, self.commit_samples, self.arm_samples)
        with Interrupts() as interrupts, self._timed() as self._calls:
            try:
                self._expose(interrupts, committer)
                committer.finish()
                self._note_requests()
                interrupts.check()
                if self.stopped is not None:
                    store.disarm(store.samples_committed)
                store.complete(stopped=self.stopped)
            except (StoreError, DiskSpaceError) as problem:
                self._blank(interrupts, problem)
                with suppress(StemscanError):
                    committer.finish()
                raise
            except BaseException as problem:
                if self._blank(interrupts, problem):
                    with suppress(StemscanError):  # what led here matters more
                        self._disarm()
                self._end_doubt(problem, committer)
                committer.finish()
                self._note_requests()
                if isinstance(problem, Interrupted):
                    store.abort()
                raise
            finally:
                self.pauses, self.paused_seconds = committer.pauses, committer.paused_seconds
            interrupts.check()  # a signal while the store was completed

    @contextmanager
    def _timed(self) -> Iterator[ScanController]:
        """The controller, called in this thread, or in another where waiting has an end."""
        if self.stall_timeout is None:
            yield self.controller
            return
        timed = TimedController(self.controller, self.stall_timeout)
        try:
            yield timed
        finally:
            timed.let_go()

    def _expose(self, interrupts: Interrupts, committer: Committer) -> None:
        """Segment after segment."""
        total = self.writer.total_samples
        if self.requests is not None:
            self.requests.begin(self.writer.layout.pass_starts, whole=not self.controller.capabilities.resumable)
        self._restore_field(interrupts)
        while self._received < total:
            interrupts.check()
            self._obey(self._received)
            self._note_requests()
            if self._enough(interrupts, committer):
                return
            self._follow(interrupts, committer)
            committer.room()
            try:
                self._segment(interrupts, committer)
            except UnprovenError as problem:
                self._go_back(problem, interrupts, committer)

    def _enough(self, interrupts: Interrupts, committer: Committer) -> bool:
        """Between passes, ask the rules and those who watch whether to stop; the beam is blanked meanwhile."""
        asked, edges = self.requests is not None and self.requests.stops, self.writer.layout.pass_starts
        if not (self.stop_rules or asked) or self._received not in edges[1:]:
            return False
        committer.drain()
        with interrupts.immediate():
            self.stopped = self._reason(edges.index(self._received), asked)
        return self.stopped is not None

    def _reason(self, passes: int, asked: bool) -> str | None:
        """Reason to stop after so many passes; one that is no limit may wait for a pass that was asked for."""
        acquired, waits = Acquisition.open(self.writer.path), False
        for rule in self.stop_rules:
            reason = rule(acquired, passes)
            if reason is None:
                continue
            waits = waits or (self.requests is not None and not is_limit(rule) and self.requests.postponed())
            if is_limit(rule) or not waits:
                return reason
        if not asked or waits or (self.requests is not None and self.requests.postponed()):
            return None
        return "asked for"

    def _obey(self, received: int) -> None:
        """Park where that was asked for."""
        if self.requests is not None:
            self.requests.check(received)

    def _note_requests(self) -> None:
        """Write into the history what was asked for."""
        for asked in self.requests.notes() if self.requests is not None else ():
            self.writer.note("asked", request=asked)

    def _follow(self, interrupts: Interrupts, committer: Committer) -> None:
        """Before a pass, move the field by the drift that those before predict; the beam is blanked meanwhile."""
        starts, moves = self.writer.layout.pass_starts[:-1], self.moves
        if moves is None or self._received not in starts or moves.known > (number := starts.index(self._received)):
            return
        committer.drain()
        with interrupts.immediate():
            acquired = Acquisition.open(self.writer.path) if number else None
            moves.begin(self._calls, self._path, number, acquired)

    def _restore_field(self, interrupts: Interrupts) -> None:
        """Move the field to where the record has it."""
        if self.moves is not None:
            with interrupts.immediate():
                self.moves.restore(self._calls, self._path)

    def _segment(self, interrupts: Interrupts, committer: Committer) -> None:
        """Arm and expose the next segment, and hand what is proven of it to the committer."""
        store, able = self.writer, self.controller.capabilities
        segment = Segment(self._received, self._segment_end(), committer.put, until_proven=able.resumable)
        self._arm(segment)
        try:
            with interrupts.immediate(), self._errors():
                self._calls.arm(self._path, segment.start, segment.stop)
                self._calls.start()
            while (batch := self._read(interrupts, able.name)) is not None:
                segment.add(batch, self._dtypes, actual=store.record.actual_positions)
                committer.check()
                if self.progress is not None:
                    self.progress(segment.received, store.total_samples)
                self._obey(segment.received)
            segment.end(able.name)
        except UnprovenError as problem:
            segment.give(problem.proven)
            raise
        except BaseException:
            segment.give(segment.stop)
            raise
        finally:
            self._received = segment.received

    def _arm(self, segment: Segment) -> None:
        """Record, before it is exposed, that a segment may be; in steps of `arm_samples` where segments are shorter."""
        if segment.stop > self._armed:
            step = max(self.arm_samples, 1)
            self._armed = min(-(-segment.stop // step) * step, self.writer.total_samples)
            self.writer.arm(self._armed, start=segment.start)

    def _go_back(self, problem: UnprovenError, interrupts: Interrupts, committer: Committer) -> None:
        """Get ready to expose again from the last sample that is proven; raises after too many tries at one place."""
        store, able = self.writer, self.controller.capabilities
        proven = min(problem.proven, self._received)
        self.unproven += 1
        self._tries = self._tries + 1 if proven <= self._stuck_at else 1
        self._stuck_at = max(self._stuck_at, proven)
        if not able.resumable:
            raise problem
        if self._tries == _MOST_TRIES:
            last = UnprovenError(
                f"expected {able.name} to prove which reading belongs to which sample from sample {proven} on, got no "
                f"proof in {self._tries} tries; see that nothing else loads this computer or its link, and resume",
                proven=problem.proven,
            )
            last.add_note(f"the last try: {problem}")
            raise last from problem
        if not self._blank(interrupts, problem):
            raise problem
        self._disarm()
        if proven < self._received:
            self._doubt(problem, committer)
            proven = min(proven, store.samples_committed)
            store.rewind(proven, str(problem))
        self._received, self._armed = proven, 0
        self._restore_field(interrupts)

    def _end_doubt(self, problem: BaseException, committer: Committer) -> None:
        """Mark what was kept and is not proven, where an acquisition ends with it."""
        if isinstance(problem, UnprovenError) and problem.proven < self._received:
            self._doubt(problem, committer)

    def _doubt(self, problem: UnprovenError, committer: Committer) -> None:
        """Record from which sample on the store is in doubt, before anything else is written."""
        committer.discard()
        store = self.writer
        store.mark_doubt(min(problem.proven, store.samples_committed), str(problem))

    def _disarm(self) -> None:
        """Record how far the beam went, where the controller knows."""
        if (reached := reach_of(self.controller)) is not None:
            self.writer.disarm(max(reached, self._received))

    def _segment_end(self) -> int:
        """End of the segment that begins after what was received."""
        total = self.writer.total_samples
        if not self.controller.capabilities.resumable:
            return total
        stop = min(total, (self._received // self.commit_samples + 1) * self.commit_samples)
        if self.stop_rules or self.moves is not None or (self.requests is not None and self.requests.stops):
            stop = min(stop, next(edge for edge in self.writer.layout.pass_starts if edge > self._received))
        return stop

    def _read(self, interrupts: Interrupts, name: str) -> SampleBatch | None:
        """The controller's next batch, of the size asked for."""
        size = min(self.batch_samples, self.controller.capabilities.max_batch)
        with interrupts.immediate(), self._errors():
            batch = self._calls.read(size)
        if batch is not None and not isinstance(batch, SampleBatch):
            raise ControllerError(f"expected a SampleBatch or None from {name}, got {type(batch).__name__}")
        if batch is not None and (got := len(np.atleast_1d(batch.counts))) > size:
            raise ControllerError(f"expected at most {counted(size, 'sample')} a batch from {name}, got {got}")
        return batch

    def _errors(self) -> AbstractContextManager[None]:
        """Name the controller in its errors, and what goes on from there."""
        resumable = self.controller.capabilities.resumable
        return controller_errors(self.controller, "resume to go on" if resumable else "acquire into a new store")

    def _blank(self, interrupts: Interrupts, problem: BaseException) -> bool:
        """Abort the controller; the error that led here matters more than one of abort's own, which it notes.

        In a thread, so that another signal ends the waiting for it, soon, and not the blanking itself.
        """
        blanking = aside(self.controller.abort, "abort")
        try:
            try:
                with interrupts.second_chance():
                    blanking.result(self.stall_timeout)
            except Interrupted:
                blanking.result(_GRACE_S)
        except BaseException as failure:  # noqa: BLE001 - told by a note
            why = f"{type(failure).__name__}: {failure}" if blanking.done() else "no answer"
            note = (
                f"expected {self.controller.capabilities.name} to blank and park the beam, got {why}; see that it is "
                "blanked"
            )
            if note not in getattr(problem, "__notes__", ()):
                problem.add_note(note)
            return False
        return True
