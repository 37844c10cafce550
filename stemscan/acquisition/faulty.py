"""A scan controller that spoils another one's work now and then, to see what becomes of the data.

Where it strikes and how follows from a seed and the index of the sample alone, not from the sizes of batches. Each
fault strikes once, so that an acquisition which is resumed after every error ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from stemscan.acquisition.following import Offset, move_field
from stemscan.acquisition.moved_readings import MovedReadings, with_reading
from stemscan.acquisition.reports import beam_times_of, channels_of, provenance_of, reach_of
from stemscan.acquisition.scan_controller import Capabilities, ScanController
from stemscan.errors import ControllerError, UsageError
from stemscan.random import Stream, bounded, random_words
from stemscan.store.batch import DetectorInfo, SampleBatch, head_of
from stemscan.store.ledger import BeamTimes
from stemscan.store.provenance import Provenance
from stemscan.types import SEEDS

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath

__all__ = ["FAULTS", "Fault", "FaultyController", "Struck"]

Fault = Literal["drop", "short", "disorder", "duplicate", "stall", "disconnect", "dtype", "nan", "lose", "add", "shift"]

_KNOWN: Final[tuple[Fault, ...]] = get_args(Fault)

FAULTS: Final = tuple(fault for fault in _KNOWN if fault != "shift")
"""All kinds that show in types, starts or numbers of samples; a shift shows in no way."""


class Struck(NamedTuple):
    """A fault that happened: its kind, and the sample at which it did."""

    fault: Fault
    sample: int


class FaultyController:
    """Wraps a controller; one fault in every stretch of so many samples of a path.

    ==========  ====================================================================
    fault       what happens
    ==========  ====================================================================
    drop        the rest of a batch is lost
    short       the range ends early
    disorder    a batch comes after the next one
    duplicate   a batch comes twice
    stall       nothing comes for a while
    disconnect  `read` raises ConnectionResetError, until the controller is armed again
    dtype       counts come as float64
    nan         a count is not a number
    lose        a reading is lost: later samples have the next one's counts, and the range ends one sample early
    add         a reading comes twice: later samples have the counts of the one before, and one sample comes too many
    shift       a reading is lost, and the last one comes twice: later samples have the next one's counts
    ==========  ====================================================================

    After a drop, short, disorder, duplicate, lose or add `acquire` exposes again what it cannot tell apart; after a
    stall that ends it has nothing to do; after the others it ends with a `ControllerError`. It commits nothing wrong. A
    shift it cannot see: only known counts, or those of another scan, show it.

    Parameters
    ----------
    controller : ScanController
        The one that works.
    seed : int
        0 to 2**64 - 1.
    faults : sequence of str
        Kinds that may happen, each as likely as the others; none of them makes a healthy controller.
    every : int
        Samples of a stretch.
    stall : float or callable
        Seconds that a stall lasts, or what to do then: return, or raise. `abort` from another thread ends the seconds.

    Attributes
    ----------
    struck : list of Struck
        Faults so far.

    Raises
    ------
    UsageError
        On an unknown fault, or sizes below their least.
    """

    def __init__(
        self,
        controller: ScanController,
        *,
        seed: int,
        faults: Sequence[Fault] = FAULTS,
        every: int = 1000,
        stall: float | Callable[[], None] = 1.0,
    ) -> None:
        unknown = [fault for fault in faults if fault not in _KNOWN]
        if unknown:
            raise UsageError(f"expected faults of {', '.join(_KNOWN)}, got {unknown[0]!r}")
        if not 0 <= seed < SEEDS:
            raise UsageError(f"expected a seed of 0 to 2**64 - 1, got {seed}")
        if every < 1 or (not callable(stall) and not 0 <= stall < threading.TIMEOUT_MAX):
            raise UsageError(
                f"expected stretches of at least 1 sample and a stall of 0 s or more, got {every} and {stall}"
            )
        self.struck: list[Struck] = []
        self._inner, self._seed, self._faults, self._every, self._stall = controller, seed, tuple(faults), every, stall
        self._done: set[int] = set()
        self._next: deque[SampleBatch | None] = deque()
        self._moved: MovedReadings | None = None
        self._connected = True
        self._aborted = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        """Those of the controller that works."""
        return self._inner.capabilities

    @property
    def detector(self) -> DetectorInfo:
        """That of the controller that works."""
        return self._inner.detector

    @property
    def channels(self) -> tuple[DetectorInfo, ...]:
        """Those of the controller that works."""
        return channels_of(self._inner)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1."""
        self._inner.arm(path, start, stop)
        self._next.clear()
        self._moved = None
        self._aborted.clear()
        self._connected = True

    def move_field(self, path: ScanPath, number: int, offset: Offset) -> Offset:
        """Move the field of the controller that works."""
        return move_field(self._inner, path, number, offset)

    def start(self) -> None:
        """Begin to expose the armed range."""
        self._inner.start()

    def read(self, max_samples: int) -> SampleBatch | None:
        """The next samples, or a fault."""
        if not self._connected:
            raise ConnectionResetError("the connection is lost")
        if self._next:
            return self._next.popleft()
        batch = self._inner.read(max_samples)
        if self._moved is not None:
            moved = self._moved.take(batch, max_samples)
            if batch is None and moved is not None:
                self._next.append(None)
            return moved if moved is not None or batch is None else self.read(max_samples)
        if batch is None:
            return None
        strike = self._strike(batch.start, batch.start + len(batch.counts))
        if strike is None:
            return batch
        self.struck.append(strike)
        return self._spoilt(strike, batch, max_samples)

    def abort(self) -> None:
        """Blank and park the beam and drop the armed range."""
        self._aborted.set()
        self._next.clear()
        self._inner.abort()

    @property
    def reached(self) -> int | None:
        """First sample that the wrapped controller's beam did not reach; None where it does not know."""
        return reach_of(self._inner)

    @property
    def provenance(self) -> Provenance:
        """That of the wrapped controller's samples."""
        return provenance_of(self._inner)

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the wrapped controller's beam for samples start .. stop - 1."""
        return beam_times_of(self._inner, path, start, stop)

    def close(self) -> None:
        """Close the controller that works."""
        self._aborted.set()
        self._next.clear()
        self._inner.close()

    def _strike(self, start: int, stop: int) -> Struck | None:
        """The first fault among samples start .. stop - 1 that did not happen yet."""
        if not self._faults:
            return None
        for number in range(start // self._every, (stop - 1) // self._every + 1):
            if number in self._done:
                continue
            words = random_words(np.uint64(self._seed), Stream.FAULT, np.uint64(number), 0)
            sample = number * self._every + int(bounded(words[0], self._every))
            if start <= sample < stop:
                self._done.add(number)
                return Struck(self._faults[int(bounded(words[1], len(self._faults)))], sample)
        return None

    def _spoilt(self, strike: Struck, batch: SampleBatch, max_samples: int) -> SampleBatch | None:
        """A fault in the place of a batch."""
        match strike.fault:
            case "drop":
                return _before(batch, strike.sample) or self.read(max_samples)
            case "short":
                self._next.append(None)
                return _before(batch, strike.sample) or self._next.popleft()
            case "disorder":
                later = self._inner.read(max_samples)
                if later is not None:
                    self._next.append(batch)
                return later
            case "duplicate":
                self._next.append(batch)
                return batch
            case "stall":
                self._wait()
                return batch
            case "disconnect":
                self._connected = False
                raise ConnectionResetError("the connection is lost")
            case "dtype":
                return replace(batch, counts=batch.counts.astype(np.float64))
            case "lose" | "add" | "shift" as fault:
                self._moved = MovedReadings(fault, batch.start)
                at = strike.sample - batch.start
                return self._moved.take(with_reading(batch, at, fault), max_samples) or self.read(max_samples)
            case "nan":
                counts = batch.counts.astype(np.float32)
                counts[strike.sample - batch.start] = np.nan
                return replace(batch, counts=counts)

    def _wait(self) -> None:
        """Let nothing come for a while."""
        if callable(self._stall):
            self._stall()
        elif self._aborted.wait(self._stall):
            raise ControllerError("expected a running scan to read from, got an abort, call arm and start again")


def _before(batch: SampleBatch, sample: int) -> SampleBatch | None:
    """The part of a batch before a sample, None where it is empty."""
    return head_of(batch, sample) if sample > batch.start else None
