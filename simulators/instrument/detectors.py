"""One detector: its settings, and the chain from expected electrons to what is read.

Electrons are detected (`efficiency`), dark counts added, and then either counted, with a dead time, or their light is
spread (`efficiency`), glows on (`afterglow`) and is digitised. Each detector draws from streams of its own: its channel
is part of what keys them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stemscan.hardware.profile_parts import Part
from stemscan.random import Stream
from stemscan.simulators.instrument.afterglow import Afterglow, glow
from stemscan.simulators.instrument.collection import Collection
from stemscan.simulators.instrument.dark import DarkCounts
from stemscan.simulators.instrument.dead_time import DeadTime, lose
from stemscan.simulators.instrument.detector import count_dtype, poisson_of
from stemscan.simulators.instrument.digitiser import Digitiser, read_out
from stemscan.simulators.instrument.efficiency import Efficiency, add_spread
from stemscan.store.batch import DetectorInfo

if TYPE_CHECKING:
    from stemscan.simulators.instrument.clock import Clock

__all__ = ["Detector", "DetectorChain"]

_TWO_BYTES: Final = 2


class Detector(Part):
    """Settings of one detector; each effect is off unless it is given.

    Parameters
    ----------
    name : str
        Of its channel in stores.
    dead_time : DeadTime
        Of one that counts.
    digitiser : Digitiser
        Makes it one that reads light, in ADU, in place of counting.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)] = "detector"
    collection: Collection = Collection()
    efficiency: Efficiency = Efficiency()
    dark: DarkCounts = DarkCounts()
    dead_time: DeadTime = DeadTime()
    afterglow: Afterglow = Afterglow()
    digitiser: Digitiser = Digitiser()

    @model_validator(mode="after")
    def _counts_or_reads(self) -> Self:
        where = "detectors"
        if not self.collection.is_off:
            self.collection.angles()  # refuses those that cannot be
        if self.digitiser.is_off:
            if not self.digitiser == Digitiser():
                raise ValueError(f"{where}: expected bits beside the other keys of digitiser, got none; state them")
            if not self.afterglow.is_off:
                raise ValueError(
                    f"{where}: expected a digitiser beside afterglow, got none; add one, for light is read"
                )
            if self.efficiency.pulse_spread:
                raise ValueError(f"{where}: expected a digitiser beside pulse_spread, got none; add one")
        elif not self.dead_time.is_off:
            raise ValueError(f"{where}: expected no dead_time beside a digitiser, got one; keep one")
        return self

    @property
    def counts_all(self) -> bool:
        """Tell whether it counts every electron that its angles catch."""
        parts: tuple[Any, ...] = (self.efficiency, self.dark, self.dead_time, self.afterglow, self.digitiser)
        return all(part.is_off for part in parts)

    @property
    def is_ideal(self) -> bool:
        """Tell whether it counts every electron of the specimen's signal."""
        return self.collection.is_off and self.counts_all

    def info(self, dwell_ns: int, electrons_per_sample: float) -> DetectorInfo:
        """Meaning of its numbers: electrons that reach it = (number - offset) / gain on average, dead time apart."""
        gain, dark, plain = self.efficiency.detected, self.dark.mean(dwell_ns), self.digitiser
        if plain.is_off:
            unit: Literal["electron", "adu"] = "electron" if gain == 1 and dark == 0 else "adu"
            wide = count_dtype("poisson", electrons_per_sample).itemsize > _TWO_BYTES
            width: Literal["uint16", "uint32"] = "uint32" if wide else "uint16"
            return DetectorInfo(unit, gain, dark, width, self.name, dead_share=self.dead_time.ns / dwell_ns)
        dtype: Literal["uint16", "uint32"] = "uint16" if plain.largest < 1 << 8 * _TWO_BYTES else "uint32"
        offset = plain.offset + plain.gain * dark
        return DetectorInfo("adu", plain.gain * gain, offset, dtype, name=self.name, largest=plain.largest)


class DetectorChain:
    """A detector in a scan.

    Parameters
    ----------
    channel : int
        Number of the detector, from 0.
    """

    def __init__(self, detector: Detector, channel: int, seed: int, clock: Clock) -> None:
        self.detector, self.channel, self._seed, self._clock = detector, channel, seed, clock
        self.run_in = 0 if detector.afterglow.is_off else detector.afterglow.run_in(clock.dwell_ns)
        self._dark = detector.dark.mean(clock.dwell_ns)

    def light(self, means: NDArray[np.float64], start: int) -> NDArray[Any]:
        """Pulses of samples from `start` on whose expected electrons are means (n,): counts, or sums of heights."""
        seed, one = self._seed, self.detector
        counts = poisson_of(means * one.efficiency.detected, seed, start, Stream.DETECTOR, self.channel)
        if self._dark:
            counts += poisson_of(np.full(len(means), self._dark), seed, start, Stream.DARK, self.channel)
        if one.digitiser.is_off:
            if not one.dead_time.is_off:
                share = one.dead_time.ns / self._clock.dwell_ns
                lose(np.uint64(seed), self.channel, np.uint64(start), share, counts)
            return counts
        light = counts.astype(np.float64)
        if one.efficiency.pulse_spread:
            add_spread(np.uint64(seed), self.channel, np.uint64(start), one.efficiency.pulse_spread, light)
        return light

    def delayed(self, light: NDArray[np.float64], start: int) -> NDArray[np.float64]:
        """Light as it comes, after darkness before sample `start`."""
        clock, late = self._clock, self.detector.afterglow
        waits = clock.waits(start, start + len(light))
        return glow(light, waits, clock.lit, late.share, 1000.0 * late.tau_us, float(clock.dwell_ns))

    def read(self, light: NDArray[Any], start: int) -> NDArray[Any]:
        """Numbers of samples from `start` on."""
        part = self.detector.digitiser
        if part.is_off:
            return light
        key = np.uint64(self._seed), self.channel, np.uint64(start)
        return read_out(*key, light, part.gain, part.offset, part.read_noise, part.largest)
