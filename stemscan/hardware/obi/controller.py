"""A scan controller that drives an Open Beam Interface device over TCP.

Callers see the synchronous `ScanController`; writing and reading go on in a thread with an event loop of its own, also
while the caller is busy. Where the caller falls millions of samples behind, the beam is blanked and parked until it has
caught up.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.scan_controller import Capabilities
from stemscan.errors import ControllerError, ProfileError, StemscanError, UsageError
from stemscan.hardware.obi.address import format_address
from stemscan.hardware.obi.chunks import parking_times
from stemscan.hardware.obi.commands import CYCLE_NS, LONGEST_DWELL
from stemscan.hardware.obi.cookies import LARGEST_INDEX
from stemscan.hardware.obi.encoder import StepEncoder
from stemscan.hardware.obi.link import DeviceSetup, ObiLink
from stemscan.hardware.program import Program
from stemscan.store.batch import DetectorInfo, SampleBatch
from stemscan.store.ledger import BeamTimes

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.path.scan_path import ScanPath

__all__ = ["ObiController"]

_MAX_BATCH: Final = 1 << 20
_MOST_UNREAD: Final = 1 << 22
_LONGEST_TIMEOUT_S: Final = 1e6

Result = TypeVar("Result")


class ObiController:
    """A device at a TCP port.

    Parameters
    ----------
    profile : ControllerProfile
        Of the device; ADC cycles are its dwell quanta.
    detector : DetectorInfo
        Meaning of its numbers: counted electrons (a virtual device), or averaged 14-bit ADC codes with unit "adu",
        gain and offset (a real one). With 8 `output_bits` numbers are the upper 8 of 14 bits, 0 to 255.
    timeout : float
        Longest wait in seconds beyond the dwells themselves, above 0 and up to 1e6.
    round_dwell : bool
        See `stemscan.hardware.program.Program`.
    most_unread : int
        Samples that may wait for `read` before the beam is blanked.
    connect : bool
        Connect at once, rather than when it is armed.

    Raises
    ------
    ProfileError
        When the profile cannot be that of such a device: it needs its dwell quantum, a blanker and a park position.
    ControllerError
        When no device answers there.
    """

    def __init__(
        self,
        host: str,
        port: int,
        profile: ControllerProfile,
        *,
        detector: DetectorInfo | None = None,
        timeout: float = 10.0,
        round_dwell: bool = False,
        most_unread: int = _MOST_UNREAD,
        connect: bool = True,
    ) -> None:
        if not 0 < timeout <= _LONGEST_TIMEOUT_S:
            raise UsageError(f"expected a timeout above 0 and up to {_LONGEST_TIMEOUT_S:g} s, got {timeout}")
        if most_unread < 1:
            raise UsageError(f"expected room for at least 1 unread sample, got {most_unread}")
        _check_profile(profile)
        self._detector = detector or DetectorInfo()
        if profile.output_bits == 8 and self._detector.unit == "electron":
            raise UsageError(
                f"expected a detector with gain and offset for {profile.name}, whose output_bits are 8, the upper ones "
                "of 14, got one that counts electrons; say how many of these numbers an electron gives (--detector "
                "GAIN,OFFSET)"
            )
        self._place, self._profile, self._timeout = (host, port), profile, timeout
        self._round, self._most_unread = round_dwell, most_unread
        self._program: Program | None = None
        self._range: tuple[int, int] | None = None
        self._link: ObiLink | None = None
        self._running: Any = None
        self._ready = threading.Condition()
        self._unread: deque[NDArray[np.uint16]] = deque()
        self._at = self._waiting = self._reached = 0
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="obi", daemon=True)
        self._thread.start()
        if connect:
            try:
                self._connect()
            except BaseException:
                self.close()
                raise

    @property
    def capabilities(self) -> Capabilities:
        """Any range of any path that its profile can represent."""
        return Capabilities(
            name=self._name, max_batch=_MAX_BATCH, actual_positions=False, resumable=True, moves_field=True
        )

    @property
    def detector(self) -> DetectorInfo:
        """Meaning of the counts."""
        return self._detector

    @property
    def _name(self) -> str:
        return f"the Open Beam Interface at {format_address(*self._place)}"

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        """Get ready for samples start .. stop - 1; what was armed before is dropped.

        Raises
        ------
        ControllerError, ProfileError
            When the range is not inside the path, the device is gone, or it cannot do the plan.
        """
        if not 0 <= start <= stop <= min(len(path), LARGEST_INDEX):
            raise ControllerError(f"expected a range inside samples 0 to {len(path)}, got {start} to {stop}")
        self.abort()
        self._program = self._program_of(path)
        if self._link is None:
            self._connect()
        if self._link is not None:
            self._link.reached = start
        self._range = (start, stop)

    def move_field(self, path: ScanPath, number: int, offset: tuple[float, float]) -> tuple[float, float]:
        """Move the origin of what is armed from now on; the offset in pixels that whole codes inside the field make."""
        del number
        self._program, (done,) = self._program_of(path).moved([offset])
        return done

    def _program_of(self, path: ScanPath) -> Program:
        """The program of a path: the one that there is, with its field where it was moved, or a new one."""
        if self._program is not None and self._program.plan == path.plan:
            return self._program
        program = Program(path.plan, self._profile, round_dwell=self._round)
        StepEncoder(blanked=True).encode(program.steps(0, min(1, len(path))))  # compiled before the beam waits
        return program

    def start(self) -> None:
        """Begin to expose the armed range."""
        if self._range is None or self._program is None or self._link is None:
            raise ControllerError("expected an armed range before the start, got none, call arm first")
        if self._running is not None:
            raise ControllerError("expected one start of an armed range, got a second, call arm again")
        start, stop = self._range
        self._at, self._waiting = start, 0
        self._unread.clear()
        run = self._link.run(self._program, start, stop, self._deliver, self._room)
        self._loop.call_soon_threadsafe(self._room.set)
        self._running = asyncio.run_coroutine_threadsafe(run, self._loop)
        self._running.add_done_callback(self._wake)

    def read(self, max_samples: int) -> SampleBatch | None:
        """Wait for the next 1 .. max_samples samples; None when the armed range was delivered.

        Raises
        ------
        ControllerError
            When the device is gone, keeps silent or breaks its protocol.
        """
        if max_samples < 1:
            raise ControllerError(f"expected to read at least 1 sample, got {max_samples}")
        with self._ready:
            running = self._running
            if running is None:
                raise ControllerError("expected a started scan to read from, got none, call arm and start first")
            self._ready.wait_for(lambda: self._unread or running.done() or self._running is not running)
            if self._running is not running:
                raise ControllerError("expected a running scan to read from, got an abort, call arm and start again")
            counts = self._take(min(max_samples, _MAX_BATCH))
        if counts is not None:
            batch = SampleBatch(self._at, counts)
            self._at += len(counts)
            return batch
        self._running, self._range = None, None
        self._finish(running)
        return None

    @property
    def reached(self) -> int:
        """The first sample of the range armed last that was surely not exposed since."""
        return self._reached if self._link is None else self._link.reached

    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        """Times of the beam for samples start .. stop - 1; for the first, also of parking and coming from there.

        Waits between ranges are not counted: how long they are depends on the store, and the beam is blanked.
        """
        program = self._program
        if program is None or program.plan != path.plan:
            program = Program(path.plan, self._profile, round_dwell=self._round)
        times = program.beam_times(start, stop)
        return times + parking_times(program) if start == 0 < stop else times

    def abort(self) -> None:
        """Blank the beam, drop the armed range and park; harmless when nothing is armed."""
        with self._ready:
            running, self._running, self._range = self._running, None, None
            self._unread.clear()
            self._ready.notify_all()
        if running is None or self._link is None or self._program is None:
            return
        parking = self._program.parking()
        try:
            self._call(self._link.abort(parking), self._timeout + 5)
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """Blank and park if something runs, and let go of the device."""
        if not self._thread.is_alive():
            return
        with suppress(ControllerError):
            self.abort()
        self._drop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _connect(self) -> None:
        """Open the connection."""
        setup = DeviceSetup.of(self._profile)
        opening = ObiLink.open(*self._place, self._timeout, setup)
        self._link = self._call(opening, 3 * self._timeout + setup.switch_s + 5)

    def _drop(self) -> None:
        """Blank and close the connection, whatever its state."""
        link, self._link = self._link, None
        if link is not None:
            self._reached = link.reached
            with suppress(ControllerError):
                self._call(link.close(None if self._program is None else self._program.parking()), 5)

    def _call(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """Let the loop do something, and wait for it."""
        result: Result = self._outcome(asyncio.run_coroutine_threadsafe(work, self._loop), seconds)
        return result

    def _finish(self, running: Any) -> None:
        """Raise what ended a run."""
        try:
            self._outcome(running, 0.0)
        except BaseException:
            self._drop()
            raise

    def _outcome(self, future: Any, seconds: float) -> Any:
        """Result of something in the loop, its errors in the words of this project."""
        try:
            return future.result(seconds)
        except StemscanError:
            raise
        except TimeoutError:
            future.cancel()
            raise ControllerError(
                f"expected an answer of {self._name} within {self._timeout:g} s, got none; check the device and resume"
            ) from None
        except (OSError, EOFError) as problem:
            what = "the end of the connection" if isinstance(problem, EOFError) else _reason(problem)
            raise ControllerError(
                f"expected {self._name} to answer, got {what}; see that no other client uses it, and try again"
            ) from problem

    def _deliver(self, counts: NDArray[np.uint16]) -> None:
        """Keep counts for `read`; ask the writer to wait when there are too many."""
        with self._ready:
            self._unread.append(counts)
            self._waiting += len(counts)
            if self._waiting > self._most_unread:
                self._room.clear()
            self._ready.notify_all()

    def _take(self, most: int) -> NDArray[np.uint16] | None:
        """Up to so many of the counts that wait, None without any."""
        parts, number = [], 0
        while self._unread and number < most:
            part = self._unread.popleft()
            if number + len(part) > most:
                self._unread.appendleft(part[most - number :])
                part = part[: most - number]
            parts.append(part)
            number += len(part)
        full = self._waiting > self._most_unread
        self._waiting -= number
        if full and self._waiting <= self._most_unread:
            self._loop.call_soon_threadsafe(self._room.set)
        return np.concatenate(parts) if parts else None

    def _wake(self, _: Any) -> None:
        """Tell a waiting `read` that the run ended."""
        with self._ready:
            self._ready.notify_all()


def _check_profile(profile: ControllerProfile) -> None:
    """Refuse a profile under which the beam could not be parked blanked, or would dwell other times than planned."""
    quantum, largest = profile.dwell.quantum_ns, profile.dwell.largest
    if quantum != CYCLE_NS or largest > LONGEST_DWELL or profile.blanker == "none" or profile.park is None:
        raise ProfileError(
            f"expected dwells of at most {LONGEST_DWELL} times {CYCLE_NS} ns, a blanker and a park position for the "
            f"Open Beam Interface, got {profile.name} with {largest} times {quantum} ns, blanker {profile.blanker} and "
            f"park {profile.park}; take the obi profile"
        )


def _reason(problem: OSError) -> str:
    """The system's word for a failed connection, without Python's."""
    return os.strerror(problem.errno).lower() if problem.errno else str(problem)
