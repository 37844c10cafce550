"""The beam of a virtual Open Beam Interface device: where it stands, whether it is on, and what was booked of it.

The device's clock is that of the world, its work takes no time. Where the next pixel comes later than the dwells before
it took, the beam stands on the last code meanwhile; if it is on, that is underrun, and counted. A Delay makes the next
pixel later too, and runs beside the dwell of the pixel before it. What blanks at once, or chooses a beam, right behind
a pixel does so one ADC cycle before that pixel's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.obi.commands import CYCLE_NS, Beam
from stemscan.units import counted

__all__ = ["DeviceBeam", "DeviceLedger"]

_DELAYS_PER_US: Final = 48


@dataclass
class DeviceLedger:
    """Record of what a device did since it was made.

    Attributes
    ----------
    pixels, plan_samples : int
        Pixels executed, and those of them that were samples of the plan.
    dwell_ns : int
        Time with the beam on that was asked for.
    held_ns : int
        Time with the beam on, on the last code, while nothing came (underrun, a Delay, or a beam that was not parked).
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

    def since(self, earlier: DeviceLedger) -> DeviceLedger:
        """Difference from an earlier state."""
        return DeviceLedger(*(getattr(self, one.name) - getattr(earlier, one.name) for one in fields(self)))

    def __str__(self) -> str:
        """For people, what stands out only where it happened."""
        text = f"{counted(self.pixels, 'pixel')}, {self.plan_samples} of them in the plan"
        if self.masked_codes:
            text += f", {self.masked_codes} with codes beyond 14 bits, which were masked"
        if self.saturated:
            text += f", {self.saturated} with more than 16383 counts"
        return text + (f", and {self.held_ns} ns of an unblanked beam without one" if self.held_ns else "")


class DeviceBeam:
    """A beam that is blanked, moved and waited for.

    Without control of the scan a device blanks nothing: the beam is on, as far as the device goes. With control it is
    on where it is the chosen one and not blanked. After a reset there is no control, no beam chosen, and no Blank.

    Parameters
    ----------
    electrons_per_ns : callable
        Expected detected electrons in a nanosecond on codes (x, y).
    clock : callable
        Time in ns.
    beam : Beam
        Beam that meets the specimen.
    switch_ns : int
        Time that taking or giving back control of the scan takes.
    """

    def __init__(
        self,
        ledger: DeviceLedger,
        electrons_per_ns: Callable[[int, int], float],
        clock: Callable[[], int],
        *,
        beam: Beam = Beam.ELECTRON,
        switch_ns: int = 0,
    ) -> None:
        self._ledger, self._electrons_per_ns, self._clock = ledger, electrons_per_ns, clock
        self._met, self._switch_ns = beam, switch_ns
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._code: tuple[int, int] | None = None
        self._began = self._busy_until = self._clock()
        self._dwelling = False
        self.lit_at_last: bool | None = None
        """Tell whether the beam was on in the last ADC cycle of the latest pixel, where it was switched in that."""
        self._control = self._blanked = False
        self._next_blank: bool | None = None
        self._chosen = Beam.NONE

    @property
    def on(self) -> bool:
        """Tell whether the specimen's beam meets it."""
        return not self._control or (self._chosen is self._met and not self._blanked)

    @property
    def ahead_ns(self) -> int:
        """Time that the dwells already executed still take."""
        return self._busy_until - self._clock()

    def blank(self, enable: bool, inline: bool) -> None:
        """Blank or unblank now, or on the next move."""
        if inline:
            self._next_blank = enable
            return
        with self._switched():
            self._blanked = enable

    def control(self, enable: bool) -> None:
        """Take control of the scan at once, or give it back when the switch has acted."""
        if enable:
            with self._switched():
                self._control = True
        self._hold_until(max(self._busy_until, self._clock()) + self._switch_ns)
        if not enable:
            with self._switched():
                self._control = False

    def select(self, beam: Beam) -> None:
        """Choose a beam; the other is blanked."""
        with self._switched():
            self._chosen = beam

    def blanked(self, switches: NDArray[np.int8] | None, number: int) -> NDArray[np.bool_]:
        """Tell which of the next pixels are exposed with the beam off, by the inline Blanks before them, if any.

        Parameters
        ----------
        switches : int8 (number,), optional
            1 blank, 0 unblank, -1 nothing.
        """
        if self._next_blank is not None:
            self._blanked, self._next_blank = self._next_blank, None
        blanked = np.full(number, self._blanked)
        if switches is not None and (switches >= 0).any():
            latest = np.maximum.accumulate(np.where(switches >= 0, np.arange(number), -1))
            blanked = np.where(latest >= 0, switches[latest] == 1, self._blanked)
            self._blanked = bool(blanked[-1])
        if not self._control:
            return np.full(number, False)
        return blanked if self._chosen is self._met else np.full(number, True)

    def expose(self, code: tuple[int, int], dwell: NDArray[np.int64], blanked: NDArray[np.bool_]) -> None:
        """Book pixels with dwells in cycles, of which the last is at a code (x, y)."""
        self._ledger.pixels += len(dwell)
        self._ledger.blanked_pixels += int(blanked.sum())
        self._ledger.dwell_ns += int(dwell[~blanked].sum()) * CYCLE_NS
        self._busy_until += int(dwell.sum()) * CYCLE_NS
        self._began = self._busy_until - int(dwell[-1]) * CYCLE_NS
        self._dwelling, self.lit_at_last = True, None
        self._code = code

    def delay(self, units: int) -> None:
        """Let the next pixel begin no earlier than so many units of 20.83 ns from now, or from the last one's begin."""
        self._began = max(self._began, self._clock()) + units * 1000 // _DELAYS_PER_US
        self._hold_until(self._began)

    def hold(self) -> None:
        """Book the time up to now for which the beam stood on the last code with nothing to do."""
        self._hold_until(self._clock())

    @contextmanager
    def _switched(self) -> Iterator[None]:
        """Switch the beam now, or in the last cycle of a pixel that still dwells."""
        self.hold()
        before = self.on
        yield
        if self.on is not before and self._dwelling:
            self._ledger.dwell_ns += CYCLE_NS if self.on else -CYCLE_NS
            self.lit_at_last = self.on

    def _hold_until(self, moment: int) -> None:
        """Book the time between the last dwell and a moment."""
        late = moment - self._busy_until
        if late <= 0:
            return
        self._busy_until, self._dwelling = moment, False
        if self.on and self._code is not None:
            self._ledger.held_ns += late
            self._ledger.held_electrons += self._electrons_per_ns(*self._code) * late
