"""A virtual Open Beam Interface device: executes commands on a specimen and answers as the protocol says.

Which count a pixel gives: where the latest three Synchronize cookies name a sample of the device's plan (see
`stemscan.hardware.obi.cookies`) and pixels come as the plan's program says, each exposed sample gives the count that
the virtual microscope gives for it; blanked pixels between them, such as a parked beam's, change nothing and give 0.
All other pixels, of foreign clients for one, draw new counts, with indices after
those of the plan, from the specimen pixel that is nearest to their codes.

The device's clock is that of the world, its work takes no time. Where the next pixel comes later than the dwells before
it took, the beam stands on the last code meanwhile; if it is not blanked, that is underrun, and counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.cookies import COOKIES, index_of
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import encode
from stemscan.program import Program, Steps
from stemscan.simulators.detector import detect
from stemscan.simulators.obi_raster import Raster

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan import ScanPlan
    from stemscan.simulators.specimen import Specimen

__all__ = ["LARGEST_COUNT", "DeviceLedger", "VirtualObiDevice"]

LARGEST_COUNT: Final = (1 << 14) - 1
_LARGEST_DOSE: Final = 15000.0
_BATCH: Final = 1 << 16
_MASK: Final = obi.CODES - 1


@dataclass
class DeviceLedger:
    """What a device did since it was made.

    Attributes
    ----------
    pixels, plan_samples : int
        Pixels executed, and those of them that were samples of the plan.
    blanked_pixels : int
    dwell_ns : int
        Unblanked time that was asked for.
    held_ns : int
        Unblanked time on the last code while nothing came (underrun, or a beam that was not parked).
    held_electrons : float
        Expected detected electrons of that time.
    masked_codes : int
        Pixels with codes beyond 14 bits, which were masked.
    saturated : int
        Pixels with more than 16383 counts.
    """

    pixels: int = 0
    plan_samples: int = 0
    blanked_pixels: int = 0
    dwell_ns: int = 0
    held_ns: int = 0
    held_electrons: float = 0.0
    masked_codes: int = 0
    saturated: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


class VirtualObiDevice:
    """A device with a specimen under its beam.

    Parameters
    ----------
    plan : ScanPlan
        Gives grid, dose and the samples that are recognised.
    profile : ControllerProfile
        Lays the grid on codes.
    specimen : Specimen
        On the plan's grid.
    seed : int
        Of the detector.
    round_dwell : bool
        As the client's program has it.
    clock : callable
        Time in ns.

    Raises
    ------
    UsageError
        When the dose is more than 16383 counts can hold, or the specimen is on another grid.
    """

    def __init__(
        self,
        plan: ScanPlan,
        profile: ControllerProfile,
        specimen: Specimen,
        *,
        seed: int,
        round_dwell: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if specimen.shape != plan.shape:
            raise UsageError(f"expected a specimen of the plan's shape {plan.shape}, got {specimen.shape}")
        if plan.electrons_per_sample > _LARGEST_DOSE:
            raise UsageError(
                f"expected at most {_LARGEST_DOSE:g} electrons a sample for 14-bit counts, got "
                f"{plan.electrons_per_sample:g}; lower the dose"
            )
        self.ledger = DeviceLedger()
        self.plan = plan
        self._program = Program(plan, profile, round_dwell=round_dwell)
        self._signal = np.ascontiguousarray(specimen.signal, np.float32).reshape(-1)
        self._seed, self._clock = seed, clock
        self._foreign = plan.total_samples
        self._across, self._down = self._nearest_pixels()
        self._code = (0, 0)
        self._busy_until = clock()
        self._blanked = True
        self._next_blank: bool | None = None
        # Compiled before a client waits for it.
        detect(self._signal[:1], electrons_per_sample=plan.electrons_per_sample, seed=seed)
        Decoder().feed(encode(obi.VectorPixel(0, 0, 0)))
        self.begin()

    def begin(self) -> None:
        """Forget what a client left that concerns answers; the beam stays as it is."""
        self._output = obi.Output.SIXTEEN_BIT
        self._cookies: tuple[int, ...] = ()
        self._raster = Raster()
        self._free_run: int | None = None
        self._expected: Steps | None = None
        self._at = self._from = 0

    @property
    def running_free(self) -> bool:
        """Whether pixels go on until the next command."""
        return self._free_run is not None

    def free_run(self, number: int) -> bytes:
        """Answer to the next pixels of a free run."""
        dwell = self._free_run or 0
        return self._expose(*self._raster.take(number), np.full(number, dwell, np.int32))

    def execute(self, command: obi.Command | obi.VectorPixels) -> bytes:
        """Do one command; what the device answers to it."""
        self._free_run = None
        match command:
            case obi.VectorPixels(x, y, dwell, blank):
                return self._vector(x, y, dwell, blank)
            case obi.Synchronize(cookie, _, output):
                return self._synchronize(cookie, output)
            case obi.Blank(enable, inline):
                self._blank(enable, inline)
            case obi.RasterRegion():
                self._raster = Raster(command)
            case obi.RasterPixel(dwell):
                return self._raster_pixels(1, dwell)
            case obi.RasterPixelRun(length, dwell):
                return self._raster_pixels(length, dwell)
            case obi.RasterPixelFreeRun(dwell):
                self._free_run = dwell
            case obi.Abort():
                self._expected, self._cookies = None, ()
        return b""

    def fill(self, command: obi.RasterPixelFill) -> Sequence[tuple[int, int]]:
        """The runs (length, dwell) of at most 65536 pixels of which a fill consists."""
        left = self._raster.left
        return [(min(_BATCH, left - at), command.dwell) for at in range(0, left, _BATCH)]

    def _blank(self, enable: bool, inline: bool) -> None:
        """Blank or unblank now, or on the next move."""
        if inline:
            self._next_blank = enable
        else:
            self._hold()
            self._blanked = enable

    def _synchronize(self, cookie: int, output: obi.Output) -> bytes:
        """Echo the cookie; see whether it completes the name of a sample."""
        self._output = output
        self._cookies = (*self._cookies, cookie)[-COOKIES:]
        self._expected = None
        if len(self._cookies) == COOKIES and not any(one & 1 for one in self._cookies):
            start = index_of(self._cookies)
            if start < self.plan.total_samples:
                self._from = start
                self._expected, self._at = self._next_steps(), 0
        return b"\xff\xff" + cookie.to_bytes(2, "big")

    def _raster_pixels(self, number: int, dwell: int) -> bytes:
        """Expose pixels of the region."""
        return self._expose(*self._raster.take(number), np.full(number, dwell, np.int32))

    def _vector(
        self, x: NDArray[np.uint16], y: NDArray[np.uint16], dwell: NDArray[np.int32], blank: NDArray[np.int8]
    ) -> bytes:
        """Expose vector pixels, with inline blanking."""
        told = blank >= 0
        if not told.any():
            return self._expose(x, y, dwell)
        latest = np.maximum.accumulate(np.where(told, np.arange(len(x)), -1))
        before = self._blanked if self._next_blank is None else self._next_blank
        return self._expose(x, y, dwell, np.where(latest >= 0, blank[latest] == 1, before))

    def _expose(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        field: NDArray[np.int32],
        blanked: NDArray[np.bool_] | None = None,
    ) -> bytes:
        """Expose pixels and answer."""
        if not len(x):
            return b""
        self._cookies = ()
        if blanked is None:
            blanked = np.full(len(x), self._blanked if self._next_blank is None else self._next_blank)
        self._hold()
        if max(int(x.max()), int(y.max())) > _MASK:
            self.ledger.masked_codes += int(((x > _MASK) | (y > _MASK)).sum())
            x, y = x & np.uint16(_MASK), y & np.uint16(_MASK)
        dwell = np.maximum(field, 0).astype(np.int64) + 1
        counts = self._counts(x, y, dwell, blanked)
        self._account(x, y, dwell, blanked)
        return self._answer(counts)

    def _account(
        self, x: NDArray[np.uint16], y: NDArray[np.uint16], dwell: NDArray[np.int64], blanked: NDArray[np.bool_]
    ) -> None:
        """Move the clock and the beam, and book the time."""
        open_cycles = int(dwell[~blanked].sum())
        self.ledger.pixels += len(x)
        self.ledger.blanked_pixels += int(blanked.sum())
        self.ledger.dwell_ns += open_cycles * obi.CYCLE_NS
        self._busy_until = max(self._busy_until, self._clock()) + int(dwell.sum()) * obi.CYCLE_NS
        self._code = (int(y[-1]), int(x[-1]))
        self._blanked, self._next_blank = bool(blanked[-1]), None

    def _hold(self) -> None:
        """Book the time for which the beam stood on the last code with nothing to do."""
        late = self._clock() - self._busy_until
        if late <= 0:
            return
        self._busy_until += late
        if not self._blanked:
            signal = self._seen(np.array([self._code[1]]), np.array([self._code[0]]))[0]
            self.ledger.held_ns += late
            self.ledger.held_electrons += float(signal) * self.plan.electrons_per_sample * late / self.plan.dwell_ns

    def _counts(
        self, x: NDArray[np.uint16], y: NDArray[np.uint16], dwell: NDArray[np.int64], blanked: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Counts of pixels: of the plan's samples as far as they come as expected, then of others."""
        counts = np.zeros(len(x), np.int64)
        done = 0
        while self._expected is not None and done < len(x):
            steps = self._expected
            n = min(len(x) - done, len(steps) - self._at)
            here, there = slice(done, done + n), slice(self._at, self._at + n)
            same = (
                (steps.x[there] == x[here])
                & (steps.y[there] == y[here])
                & (steps.dwell[there] == dwell[here])
                & (steps.blanked[there] == blanked[here])
            )
            if not same.all():
                n = int(same.argmin())
                here, there = slice(done, done + n), slice(self._at, self._at + n)
                if not blanked[done + n]:
                    self._expected = None
            counts[here] = self._plan_counts(steps.sample[there])
            done, self._at = done + n, self._at + n
            if self._expected is not None and not same.all():
                done += _passed_over(steps, self._at, x[done:], y[done:], dwell[done:], blanked[done:])
            if self._expected is not None and self._at == len(steps):
                self._expected, self._at = self._next_steps(), 0
        if done < len(x):
            counts[done:] = self._other_counts(x[done:], y[done:], dwell[done:], blanked[done:])
        return counts

    def _plan_counts(self, sample: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts of consecutive steps of the program; 0 for waiting, whose answers nobody keeps."""
        counts = np.zeros(len(sample), np.int64)
        exposed = np.flatnonzero(sample >= 0)
        if exposed.size:
            first, last = int(sample[exposed[0]]), int(sample[exposed[-1]])
            positions = self._program.path.positions(first, last + 1)
            signal = self._signal.take(positions[:, 0].astype(np.int64) * self.plan.shape[1] + positions[:, 1])
            dose = self.plan.electrons_per_sample
            counts[exposed] = detect(signal, electrons_per_sample=dose, seed=self._seed, start=first)
            self.ledger.plan_samples += exposed.size
        return counts

    def _other_counts(
        self, x: NDArray[np.uint16], y: NDArray[np.uint16], dwell: NDArray[np.int64], blanked: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Counts of pixels that are none of the plan's samples, proportional to their dwell."""
        relative = dwell * obi.CYCLE_NS / self.plan.dwell_ns
        signal = np.where(blanked, 0.0, self._seen(x, y) * relative).astype(np.float32)
        # Far beyond what 14 bits hold, one count is as good as another.
        signal = np.minimum(signal, np.float32(4 * LARGEST_COUNT / self.plan.electrons_per_sample))
        start, self._foreign = self._foreign, self._foreign + len(x)
        dose = self.plan.electrons_per_sample
        return detect(signal, electrons_per_sample=dose, seed=self._seed, start=start).astype(np.int64)

    def _next_steps(self) -> Steps | None:
        """The program's next steps; none at its end."""
        start = self._from
        self._from = min(start + _BATCH, self.plan.total_samples)
        return self._program.steps(start, self._from) if start < self._from else None

    def _nearest_pixels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each code of a column and of a row, its part of the number of the nearest pixel, row by row."""
        every, first = np.arange(obi.CODES), np.zeros(obi.CODES, np.int64)
        lattice, width = self._program.lattice, self.plan.shape[1]
        across, down = lattice.pixels(every, first).astype(np.int64), lattice.pixels(first, every).astype(np.int64)
        down -= down[0]
        return across[:, 0] * width + across[:, 1], down[:, 0] * width + down[:, 1]

    def _seen(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
        """Signal of the specimen pixel nearest to codes."""
        seen: NDArray[np.float32] = self._signal.take(self._across[x] + self._down[y])
        return seen

    def _answer(self, counts: NDArray[np.int64]) -> bytes:
        """Counts as the output mode sends them."""
        if self._output is obi.Output.NONE:
            return b""
        if counts.max() > LARGEST_COUNT:
            self.ledger.saturated += int((counts > LARGEST_COUNT).sum())
            counts = np.minimum(counts, LARGEST_COUNT)
        if self._output is obi.Output.EIGHT_BIT:
            return (counts >> 6).astype(np.uint8).tobytes()
        return (counts << 2).astype(">u2").tobytes()


def _passed_over(
    steps: Steps,
    at: int,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    dwell: NDArray[np.int64],
    blanked: NDArray[np.bool_],
) -> int:
    """How many blanked pixels come before one that exposes, or that is step `at`."""
    expected = (x == steps.x[at]) & (y == steps.y[at]) & (dwell == steps.dwell[at]) & steps.blanked[at]
    ends = ~blanked | expected
    return int(ends.argmax()) if ends.any() else len(x)
