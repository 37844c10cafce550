"""A virtual Open Beam Interface device: executes commands, in order and at once, and answers as the device does.

Its beam and clock are in `stemscan.simulators.obi.beam`, the counts of its pixels in `stemscan.simulators.obi.counts`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import encode
from stemscan.simulators.obi.beam import DeviceBeam, DeviceLedger
from stemscan.simulators.obi.counts import LARGEST_COUNT, PixelCounts
from stemscan.simulators.obi.raster import Raster

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["LARGEST_COUNT", "DeviceLedger", "VirtualObiDevice"]

_BATCH: Final = 1 << 16
_FREE_RUN: Final = 1 << 12
_FREE_RUN_NS: Final = 10_000_000
_MASK: Final = obi.CODES - 1


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Pixels that were exposed: codes, dwells in cycles, and whether the beam was off."""

    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    dwell: NDArray[np.int64]
    blanked: NDArray[np.bool_]

    def part(self, cut: slice) -> _Pixels:
        """Some of them."""
        return _Pixels(self.x[cut], self.y[cut], self.dwell[cut], self.blanked[cut])


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
        self.ledger = DeviceLedger()
        self.keeps_back = False
        """Tell whether the last pixel's answer waits for the next command, which may switch the beam before its end."""
        self._clock = clock
        self._moment: int | None = None
        self._counts = PixelCounts(plan, profile, specimen, seed=seed, round_dwell=round_dwell)
        self._beam = DeviceBeam(
            self.ledger,
            self._counts.electrons_per_ns,
            lambda: self._clock() if self._moment is None else self._moment,
            beam=obi.Beam[profile.beam.upper()],
            switch_ns=profile.ext_switch_delay_ns,
        )
        Decoder().feed(encode(obi.VectorPixel(0, 0, 0)))  # compiled before a client waits for it
        self.begin()

    def begin(self) -> None:
        """Reset the device, as is done for each client."""
        self._beam.reset()
        self._counts.begin()
        self._output = obi.Output.SIXTEEN_BIT
        self._raster = Raster()
        self._free_run: int | None = None
        self._open: _Pixels | None = None
        self.hung: str | None = None
        """Command at which a device hangs until it is reset: nothing that comes after it is done."""

    @contextmanager
    def arrived(self) -> Iterator[None]:
        """Do what comes inside this context as having come now, however long it takes."""
        self._moment = self._clock()
        try:
            yield
        finally:
            self._moment = None

    def end(self) -> None:
        """Book what the beam did until its client left."""
        self._free_run = None
        self._beam.hold()

    @property
    def beam_on(self) -> bool:
        """Tell whether electrons meet the specimen, as far as the device goes."""
        return self._beam.on

    @property
    def left_plan_at(self) -> int | None:
        """Sample that this client's cookies led to and in whose place it sent another pixel; None if it did not."""
        return self._counts.left_plan_at

    @property
    def ahead_ns(self) -> int:
        """Time that the dwells already executed still take."""
        return self._beam.ahead_ns

    @property
    def running_free(self) -> bool:
        """Tell whether pixels go on until the next command."""
        return self._free_run is not None

    @property
    def open_ns(self) -> int:
        """Time for which a command can still switch the beam in the pixel whose answer waits; 0 without one."""
        return 0 if self._open is None else max(min(self._beam.ahead_ns, int(self._open.dwell[0]) * obi.CYCLE_NS), 0)

    def free_run(self) -> bytes:
        """Answer to the next pixels of a free run, at most 4096 and about 10 ms."""
        dwell = self._free_run or 0
        if not self._raster.left:
            self._raster.again()
        number = max(1, min(_FREE_RUN, _FREE_RUN_NS // ((dwell + 1) * obi.CYCLE_NS), self._raster.left))
        return self._raster_pixels(number, dwell) + self.finish()

    def execute(self, command: obi.Command | obi.VectorPixels) -> bytes:
        """Do one command; what the device answers to it, and the answer that was kept back before."""
        if self.hung is not None:
            return b""
        if self._free_run is not None:
            self._free_run = None
            self._raster.leave()
        self._state(command)
        answer = self.finish()
        answer += self._exposure(command)
        return answer if self.keeps_back else answer + self.finish()

    def finish(self) -> bytes:
        """Answer of the pixel that was kept back."""
        if (last := self._open) is None:
            return b""
        self._open = None
        lit = None
        if self._beam.lit_at_last is not None:
            share = 1 / int(last.dwell[0])
            lit = share if self._beam.lit_at_last else 1 - share
        return self._count(last, lit)

    def _state(self, command: obi.Command | obi.VectorPixels) -> None:
        """Do what exposes and answers nothing."""
        match command:
            case obi.Blank(enable, inline):
                self._beam.blank(enable, inline)
            case obi.ExternalCtrl(enable):
                self._beam.control(enable)
            case obi.BeamSelect(beam):
                self._beam.select(beam)
            case obi.Delay(units):
                self._beam.delay(units)
            case obi.RasterRegion():
                self._raster.begin(command)

    def _exposure(self, command: obi.Command | obi.VectorPixels) -> bytes:
        """Do what exposes or answers."""
        match command:
            case obi.VectorPixels(x, y, dwell, blank):
                return self._expose(x, y, dwell, blank)
            case obi.Synchronize(cookie, _, output):
                self._output = output
                self._counts.synchronize(cookie)
                return b"\xff\xff" + cookie.to_bytes(2, "big")
            case obi.RasterPixel(dwell):
                return self._raster_pixels(1, dwell)
            case obi.RasterPixelRun(length, dwell):
                return self._raster_pixels(length, dwell)
            case obi.RasterPixelFreeRun(dwell):
                self._free_run = dwell
        return b""

    def fill(self, command: obi.RasterPixelFill) -> Sequence[obi.RasterPixelRun]:
        """The runs of at most 65536 pixels of which a fill consists: none without a region that goes on."""
        left = 0 if self.hung else self._raster.left
        return [obi.RasterPixelRun(min(_BATCH, left - at), command.dwell) for at in range(0, left, _BATCH)]

    def _raster_pixels(self, number: int, dwell: int) -> bytes:
        """Expose pixels of the region; hang where it has not so many."""
        there = min(number, self._raster.left)
        if there < number:
            self.hung = (
                "a pixel beyond the end of its region" if there or self._raster.has_region else "a pixel of no region"
            )
        return self._expose(*self._raster.take(there), np.full(there, dwell, np.int32), None)

    def _expose(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        field: NDArray[np.int32],
        blank: NDArray[np.int8] | None,
    ) -> bytes:
        """Expose pixels; answer all but the last, which is kept back."""
        if not len(x):
            return b""
        self._beam.hold()
        blanked = self._beam.blanked(blank, len(x))
        if max(int(x.max()), int(y.max())) > _MASK:
            self.ledger.masked_codes += int(((x > _MASK) | (y > _MASK)).sum())
            x, y = x & np.uint16(_MASK), y & np.uint16(_MASK)
        dwell = np.maximum(field, 0).astype(np.int64) + 1
        self._beam.expose((int(x[-1]), int(y[-1])), dwell, blanked)
        pixels = _Pixels(x, y, dwell, blanked)
        self._open = pixels.part(slice(-1, None))
        return self._count(pixels.part(slice(-1)), None)

    def _count(self, pixels: _Pixels, lit: float | None) -> bytes:
        """Draw the counts of pixels, and answer."""
        if not len(pixels.x):
            return b""
        counts = self._counts.take(pixels.x, pixels.y, pixels.dwell, pixels.blanked, lit)
        counts[pixels.dwell > obi.LONGEST_DWELL] = 0
        self.ledger.plan_samples = self._counts.plan_samples
        return self._answer(counts)

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
