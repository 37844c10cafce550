"""A virtual Open Beam Interface device: executes commands, in order and at once, and answers as the protocol says.

Its beam and clock are in `stemscan.simulators.obi_beam`, the counts of its pixels in `stemscan.simulators.obi_counts`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import encode
from stemscan.simulators.obi_beam import DeviceBeam, DeviceLedger
from stemscan.simulators.obi_counts import LARGEST_COUNT, PixelCounts
from stemscan.simulators.obi_raster import Raster

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan import ScanPlan
    from stemscan.simulators.specimen import Specimen

__all__ = ["LARGEST_COUNT", "DeviceLedger", "VirtualObiDevice"]

_BATCH: Final = 1 << 16
_FREE_RUN: Final = 1 << 12
_FREE_RUN_NS: Final = 10_000_000
_MASK: Final = obi.CODES - 1


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
        self._counts = PixelCounts(plan, profile, specimen, seed=seed, round_dwell=round_dwell)
        self._beam = DeviceBeam(self.ledger, self._counts.electrons_per_ns, clock)
        Decoder().feed(encode(obi.VectorPixel(0, 0, 0)))  # compiled before a client waits for it
        self.begin()

    def begin(self) -> None:
        """Forget what a client left that concerns answers; the beam stays as it is."""
        self._beam.hold()
        self._counts.begin()
        self._output = obi.Output.SIXTEEN_BIT
        self._raster = Raster()
        self._free_run: int | None = None

    def end(self) -> None:
        """Book what the beam did until its client left."""
        self._free_run = None
        self._beam.hold()

    @property
    def beam_on(self) -> bool:
        """Whether electrons meet the specimen."""
        return self._beam.on

    @property
    def left_plan_at(self) -> int | None:
        """Sample that this client's cookies led to and in whose place it sent another pixel; None if it did not."""
        return self._counts.left_plan_at

    @property
    def ahead_ns(self) -> int:
        """How much longer the dwells that were executed take."""
        return self._beam.ahead_ns

    @property
    def running_free(self) -> bool:
        """Whether pixels go on until the next command."""
        return self._free_run is not None

    def free_run(self) -> bytes:
        """Answer to the next pixels of a free run, at most 4096 and about 10 ms."""
        dwell = self._free_run or 0
        number = max(1, min(_FREE_RUN, _FREE_RUN_NS // ((dwell + 1) * obi.CYCLE_NS)))
        return self._raster_pixels(number, dwell)

    def execute(self, command: obi.Command | obi.VectorPixels) -> bytes:
        """Do one command; what the device answers to it."""
        self._free_run = None
        match command:
            case obi.VectorPixels(x, y, dwell, blank):
                return self._expose(x, y, dwell, blank)
            case obi.Synchronize(cookie, _, output):
                self._output = output
                self._counts.synchronize(cookie)
                return b"\xff\xff" + cookie.to_bytes(2, "big")
            case obi.Blank(enable, inline):
                self._beam.blank(enable, inline)
            case obi.ExternalCtrl(enable):
                self._beam.control(enable)
            case obi.BeamSelect(beam):
                self._beam.select(beam)
            case obi.Delay(units):
                self._beam.delay(units)
            case obi.RasterRegion():
                self._raster = Raster(command)
            case obi.RasterPixel(dwell):
                return self._raster_pixels(1, dwell)
            case obi.RasterPixelRun(length, dwell):
                return self._raster_pixels(length, dwell)
            case obi.RasterPixelFreeRun(dwell):
                self._free_run = dwell
            case obi.Abort():
                self._raster.restart()
        return b""

    def fill(self, command: obi.RasterPixelFill) -> Sequence[tuple[int, int]]:
        """The runs (length, dwell) of at most 65536 pixels of which a fill consists."""
        left = self._raster.left
        return [(min(_BATCH, left - at), command.dwell) for at in range(0, left, _BATCH)]

    def _raster_pixels(self, number: int, dwell: int) -> bytes:
        """Expose pixels of the region."""
        return self._expose(*self._raster.take(number), np.full(number, dwell, np.int32), None)

    def _expose(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        field: NDArray[np.int32],
        blank: NDArray[np.int8] | None,
    ) -> bytes:
        """Expose pixels and answer."""
        if not len(x):
            return b""
        self._beam.hold()
        blanked = self._beam.blanked(blank, len(x))
        if max(int(x.max()), int(y.max())) > _MASK:
            self.ledger.masked_codes += int(((x > _MASK) | (y > _MASK)).sum())
            x, y = x & np.uint16(_MASK), y & np.uint16(_MASK)
        dwell = np.maximum(field, 0).astype(np.int64) + 1
        counts = self._counts.take(x, y, dwell, blanked)
        self.ledger.plan_samples = self._counts.plan_samples
        self._beam.expose((int(x[-1]), int(y[-1])), dwell, blanked)
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
