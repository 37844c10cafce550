"""Exposure: the probe's current, and what the specimen has become under it so far, sample after sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stemscan.simulators.instrument.beam_damage import DamageMap
from stemscan.simulators.instrument.contamination import ContaminationMap

if TYPE_CHECKING:
    from stemscan.simulators.instrument.effect import Scan
    from stemscan.simulators.instrument.settings import Instrument

__all__ = ["Exposure", "Met"]


@dataclass(frozen=True, eq=False)
class Met:
    """Effects that samples met.

    Attributes
    ----------
    current : float64 (n,) or None
        Probe current over its mean; None where it is steady.
    truths : dict
        For the store: float32 (n,) by array.
    """

    current: NDArray[np.float64] | None = None
    truths: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def changed(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """A specimen's signal, (n,), as damage and contamination left it."""
        if (fading := self.truths.get("truth_fading")) is not None:
            signal = signal * fading
        if (added := self.truths.get("truth_contamination")) is not None:
            signal = signal + added
        return signal


class Exposure:
    """Exposure of a specimen in a scan.

    Attributes
    ----------
    at : int
        The next sample.
    remembers : bool
        True if samples depend on those before.

    Raises
    ------
    UsageError
        When an effect needs a pixel size that is not known.
    """

    def __init__(self, instrument: Instrument, scan: Scan) -> None:
        self._instrument, self._scan = instrument, scan
        self.remembers = not (instrument.damage.is_off and instrument.contamination.is_off)
        plan = scan.plan
        self._incident = plan.electrons_per_sample / plan.dose.collection
        self.begin_anew()

    def begin_anew(self) -> None:
        """Go back to a fresh specimen."""
        one = self._instrument
        self.at = 0
        self.damage = None if one.damage.is_off else DamageMap(one.damage, self._scan)
        self._layer = None if one.contamination.is_off else ContaminationMap(one.contamination, self._scan)

    def take(self, start: int, times: NDArray[np.float64], places: NDArray[np.float64]) -> Met:
        """Expose samples from `start` on, which is the next one where it remembers.

        Parameters
        ----------
        times : float64 (n,)
            Middles of the dwells in ns since the scan began.
        places : float64 (n, 2)
            Places of the beam on the specimen, (row, column) in pixels.
        """
        noise, truths = self._instrument.current, dict[str, NDArray[np.float32]]()
        current = None if noise.is_off else noise.current(self._scan.seed, times)
        if current is not None:
            truths["truth_current"] = current.astype(np.float32)
        if self.remembers:
            electrons = self._electrons(start, len(times), current)
            if self.damage is not None:
                truths["truth_fading"] = self.damage.expose(places, times, electrons)
            if self._layer is not None:
                truths["truth_contamination"] = self._layer.expose(places, electrons)
            self.at = start + len(times)
        return Met(current, truths)

    def _electrons(self, start: int, number: int, current: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Incident electrons of samples, those of waits with the beam on among them."""
        clock, electrons = self._scan.clock, np.full(number, self._incident)
        if clock.lit:
            electrons *= 1 + clock.waits(start, start + number) / clock.dwell_ns
        return electrons if current is None else electrons * current
