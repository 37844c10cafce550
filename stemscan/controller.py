"""ScanController: what a microscope, real or virtual, must do; and the loop that acquires with one.

A controller is armed with a range of samples of a path, started, and read until it has delivered that range in scan
order. `acquire` drives it, one segment at a time: the store first records durably how far the controller will be
armed, then the segment is exposed, appended and committed. Whatever stops the loop, a committed sample is never
exposed again, and at most the samples armed but not committed are exposed twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from stemscan.errors import (
    ControllerError,
    DiskSpaceError,
    StemscanError,
    StoreError,
    StoreMismatchError,
    UsageError,
)
from stemscan.interrupts import Interrupts
from stemscan.sample_block import DetectorInfo, SampleBlock

if TYPE_CHECKING:
    from stemscan.path import ScanPath
    from stemscan.plan import ScanPlan
    from stemscan.store import Acquisition

__all__ = [
    "BLOCK_SAMPLES",
    "COMMIT_SAMPLES",
    "AcquireResult",
    "Capabilities",
    "DetectorInfo",
    "SampleBlock",
    "ScanController",
    "acquire",
]

BLOCK_SAMPLES = 1 << 18
COMMIT_SAMPLES = 1 << 18


@dataclass(frozen=True)
class Capabilities:
    """What a controller can do.

    Parameters
    ----------
    name : str
        Of the controller, for messages.
    max_block : int
        Most samples that one `read` returns.
    actual_positions : bool
        Whether blocks carry the positions that the beam really had.
    resumable : bool
        Whether it can be armed at any sample of a path; else only with a whole path from its beginning.
    """

    name: str
    max_block: int = BLOCK_SAMPLES
    actual_positions: bool = False
    resumable: bool = True


@runtime_checkable
class ScanController(Protocol):
    """A microscope: exposes samples of a path and delivers their counts."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    @property
    def detector(self) -> DetectorInfo:
        """What its numbers mean."""
        ...

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready to expose samples start .. stop - 1 of `path`; nothing is exposed yet."""
        ...

    def start(self) -> None:
        """Begin to expose the armed range."""
        ...

    def read(self, max_samples: int) -> SampleBlock | None:
        """Wait for the next 1 .. max_samples samples, in scan order; None when the armed range was delivered."""
        ...

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range; harmless when nothing is armed."""
        ...

    def close(self) -> None:
        """Release the hardware."""
        ...


@dataclass(frozen=True)
class AcquireResult:
    """What `acquire` did.

    Parameters
    ----------
    samples : int
        Samples acquired by this call.
    seconds : float
        Wall time.
    resumed_from : int
        Committed samples that were there already.
    exposed_twice_at_most : int
        Samples that an earlier, interrupted run may have exposed without committing them.
    """

    samples: int
    seconds: float
    resumed_from: int
    exposed_twice_at_most: int


def acquire(
    plan: ScanPlan,
    controller: ScanController,
    acquisition: Acquisition,
    *,
    progress: Callable[[int, int], None] | None = None,
    block_samples: int = BLOCK_SAMPLES,
    commit_samples: int = COMMIT_SAMPLES,
) -> AcquireResult:
    """Expose all samples of a plan that a store does not have yet, and complete the store.

    The bytes of the store depend neither on `block_samples` nor on `commit_samples`, nor on interruptions.

    Parameters
    ----------
    plan : ScanPlan
        The plan of the store.
    controller : ScanController
        Not closed here.
    acquisition : Acquisition
        From `Acquisition.create` or `Acquisition.resume`. On a complete one nothing happens.
    progress : callable, optional
        Called with (samples received, samples in total) after every block.
    block_samples : int
        Most samples of one read.
    commit_samples : int
        Samples between two durable commits, and most samples armed at once: what a crash can lose.

    Returns
    -------
    AcquireResult

    Raises
    ------
    ControllerError
        When the controller fails or breaks its protocol; what came before is committed.
    StoreError, DiskSpaceError
        When the store cannot be written.
    Interrupted
        A `KeyboardInterrupt`, on Ctrl-C and SIGTERM: the beam is blanked, what came is committed, and the store
        can be resumed.
    """
    if block_samples < 1 or commit_samples < 1:
        raise UsageError(f"expected block and commit sizes of at least 1, got {block_samples} and {commit_samples}")
    if acquisition.plan_digest != plan.digest():
        raise StoreMismatchError(
            f"expected the plan of {str(acquisition.path)!r} ({str(acquisition.plan_digest)[:12]}), got another "
            f"({plan.digest()[:12]}); give the plan it was begun with"
        )
    began = time.perf_counter()
    resumed_from = acquisition.samples_committed
    twice = acquisition.samples_armed - resumed_from
    if acquisition.state != "complete":
        loop = _Loop(controller, acquisition, progress, block_samples, commit_samples)
        loop.check()
        loop.run()
        acquisition.complete()
    samples = acquisition.samples_committed - resumed_from
    return AcquireResult(samples, time.perf_counter() - began, resumed_from, twice)


@dataclass
class _Loop:
    """One call of `acquire`: exposes and commits until the store has every sample."""

    controller: ScanController
    acquisition: Acquisition
    progress: Callable[[int, int], None] | None
    block_samples: int
    commit_samples: int

    def check(self) -> None:
        """Refuse a controller that cannot do what the store needs, before anything is exposed."""
        able = self.controller.capabilities
        if able.max_block < 1:
            raise ControllerError(f"expected {able.name} to deliver blocks of at least 1 sample, got {able.max_block}")
        if not able.resumable and self.acquisition.samples_committed:
            raise ControllerError(
                f"expected a controller that can begin at sample {self.acquisition.samples_committed}, got "
                f"{able.name}, which only runs whole scans; acquire into a new store"
            )

    def run(self) -> None:
        """Expose and commit; blank the beam and keep what came, whatever goes wrong."""
        with Interrupts() as interrupts:
            try:
                while self.acquisition.samples_committed < self.acquisition.total_samples:
                    self._segment(interrupts)
                interrupts.check()
            except (StoreError, DiskSpaceError):
                self._blank(interrupts)
                raise
            except BaseException:
                self._blank(interrupts)
                self.acquisition.commit()
                raise

    def _segment(self, interrupts: Interrupts) -> None:
        """Arm, expose and commit the next segment."""
        store, name = self.acquisition, self.controller.capabilities.name
        start, stop = store.samples_committed, store.total_samples
        if self.controller.capabilities.resumable:
            stop = min(stop, (start // self.commit_samples + 1) * self.commit_samples)
        store.arm(stop)
        with interrupts.immediate(), _as_controller_error(name):
            self.controller.arm(store.scan_path, start, stop)
            self.controller.start()
        while (block := self._read(interrupts, name)) is not None:
            store.append(block)
            if store.samples_appended - store.samples_committed >= self.commit_samples:
                store.commit()
            if self.progress is not None:
                self.progress(store.samples_appended, store.total_samples)
        if store.samples_appended != stop:
            raise ControllerError(
                f"expected samples up to {stop} from {name}, got an end after {store.samples_appended}; resume to go on"
            )
        store.commit()

    def _read(self, interrupts: Interrupts, name: str) -> SampleBlock | None:
        """The controller's next block, of the size asked for."""
        size = min(self.block_samples, self.controller.capabilities.max_block)
        with interrupts.immediate(), _as_controller_error(name):
            block = self.controller.read(size)
        if block is not None and np.size(block.counts) > size:
            raise ControllerError(f"expected at most {size} samples a block from {name}, got {np.size(block.counts)}")
        return block

    def _blank(self, interrupts: Interrupts) -> None:
        """Abort the controller; the error that led here matters more than one of abort's own."""
        with suppress(Exception, KeyboardInterrupt), interrupts.second_chance():
            self.controller.abort()


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
