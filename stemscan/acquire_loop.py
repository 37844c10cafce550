"""The loop behind `stemscan.controller.acquire`: exposes segments, keeps what comes, and blanks when anything is wrong.

The main thread arms the controller and reads from it; `Committer` appends and commits behind it. A segment is armed,
durably, before it is exposed; the beam is blanked between segments, and stays so while the store is behind by more
than a segment, while a rule decides between passes, and from the first error on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from stemscan.committer import Committer
from stemscan.errors import ControllerError, DiskSpaceError, StemscanError, StoreError, StoreMismatchError
from stemscan.interrupts import Interrupted, Interrupts
from stemscan.path import ScanPath
from stemscan.sample_block import SampleBlock, check_block
from stemscan.store.schema import counts_dtype
from stemscan.timed_controller import TimedController, aside
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.scan_controller import ScanController
    from stemscan.stopping import StopRule
    from stemscan.store import Acquisition

__all__ = ["AcquireLoop"]

_GRACE_S: Final = 1.0  # for blanking the beam, once the user insists


@dataclass
class AcquireLoop:
    """One call of `acquire`: exposes and commits until the store has every sample or a rule says it is enough."""

    controller: ScanController
    acquisition: Acquisition
    progress: Callable[[int, int], None] | None
    block_samples: int
    commit_samples: int
    stall_timeout: float | None
    stop_rules: Sequence[StopRule]
    pauses: int = 0
    paused_seconds: float = 0.0
    stopped: str | None = None
    _received: int = field(default=0, init=False)

    def check(self) -> None:
        """Refuse a controller that cannot do what the store needs, before anything is exposed."""
        store, able = self.acquisition, self.controller.capabilities
        if not able.resumable and store.samples_committed:
            raise ControllerError(
                f"expected a controller that can begin at sample {store.samples_committed}, got {able.name}, which "
                "only runs whole scans; acquire into a new store"
            )
        if store.detector != self.controller.detector:
            raise StoreMismatchError(
                f"expected the detector with which {str(store.path)!r} was begun ({store.detector}), got "
                f"{self.controller.detector}; make the store with the detector of its controller"
            )
        if able.actual_positions != ("samples/actual" in store.arrays):
            has, gives = ("with", "none") if not able.actual_positions else ("without", "some")
            raise StoreMismatchError(
                f"expected a controller for {str(store.path)!r}, which was begun {has} actual positions, got "
                f"{able.name}, which gives {gives}; make the store with what its controller can do"
            )

    def run(self) -> None:
        """Expose and commit; blank the beam and keep what came, whatever goes wrong."""
        store = self.acquisition
        self._received = store.samples_committed
        self._dtype = counts_dtype(store.detector, store.noise, store.electrons_per_sample)
        self._path = ScanPath(store.scan_path.plan)
        committer = Committer(store, self.controller, ScanPath(store.scan_path.plan), self.commit_samples)
        with Interrupts() as interrupts, self._timed() as self._calls:
            try:
                self._expose(interrupts, committer)
                committer.finish()
                interrupts.check()
                store.complete(stopped=self.stopped)
            except (StoreError, DiskSpaceError) as problem:
                self._blank(interrupts, problem)
                with suppress(StemscanError):
                    committer.finish()
                raise
            except BaseException as problem:
                self._blank(interrupts, problem)
                committer.finish()
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
        total = self.acquisition.total_samples
        while self._received < total:
            interrupts.check()
            if self._enough(interrupts, committer):
                return
            committer.room()
            self._segment(interrupts, committer)

    def _enough(self, interrupts: Interrupts, committer: Committer) -> bool:
        """Between passes, ask the rules whether to stop; the beam is blanked meanwhile."""
        if not self.stop_rules or self._received not in self.acquisition.layout.pass_starts[1:]:
            return False
        committer.drain()
        passes = self.acquisition.layout.pass_starts.index(self._received)
        with interrupts.immediate():
            reasons = (rule(self.acquisition, passes) for rule in self.stop_rules)
            self.stopped = next((reason for reason in reasons if reason is not None), None)
        return self.stopped is not None

    def _segment(self, interrupts: Interrupts, committer: Committer) -> None:
        """Arm and expose the next segment, and hand it to the committer."""
        store, name = self.acquisition, self.controller.capabilities.name
        start, stop = self._received, self._segment_end()
        store.arm(stop, start=start)
        with interrupts.immediate(), _as_controller_error(name):
            self._calls.arm(self._path, start, stop)
            self._calls.start()
        while (block := self._read(interrupts, name)) is not None:
            check_block(block, self._received, stop, self._dtype, actual="samples/actual" in store.arrays)
            self._received += len(block.counts)
            committer.put(block)
            if self.progress is not None:
                self.progress(self._received, store.total_samples)
        if self._received != stop:
            raise ControllerError(
                f"expected samples up to {stop} from {name}, got an end after {self._received}; resume to go on"
            )

    def _segment_end(self) -> int:
        """Where the segment ends that begins after what was received."""
        total = self.acquisition.total_samples
        if not self.controller.capabilities.resumable:
            return total
        stop = min(total, (self._received // self.commit_samples + 1) * self.commit_samples)
        if self.stop_rules:
            stop = min(stop, next(edge for edge in self.acquisition.layout.pass_starts if edge > self._received))
        return stop

    def _read(self, interrupts: Interrupts, name: str) -> SampleBlock | None:
        """The controller's next block, of the size asked for."""
        size = min(self.block_samples, self.controller.capabilities.max_block)
        with interrupts.immediate(), _as_controller_error(name):
            block = self._calls.read(size)
        if block is not None and not isinstance(block, SampleBlock):
            raise ControllerError(f"expected a SampleBlock or None from {name}, got {type(block).__name__}")
        if block is not None and np.size(block.counts) > size:
            raise ControllerError(
                f"expected at most {counted(size, 'sample')} a block from {name}, got {np.size(block.counts)}"
            )
        return block

    def _blank(self, interrupts: Interrupts, problem: BaseException) -> None:
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
            problem.add_note(
                f"expected {self.controller.capabilities.name} to blank and park the beam, got {why}; see that it is "
                "blanked"
            )


@contextmanager
def _as_controller_error(name: str) -> Iterator[None]:
    """Turn whatever a controller raises into `ControllerError`."""
    try:
        yield
    except StemscanError:
        raise
    except Exception as error:
        raise ControllerError(
            f"expected {name} to work, got {type(error).__name__}: {error}; resume to go on"
        ) from error
