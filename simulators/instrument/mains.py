"""Mains pick-up: stray fields of the power supply deflect the beam at 50 or 60 Hz.

    d(t) = a sin(2 pi f t + p) + a3 sin(2 pi 3 f t + p3)

in each direction, with phases p that follow from the seed: fields from different places come in different directions.
Third harmonics are those of saturated transformers (Muller and Grazul, J. Electron Microsc. 50 (2001) 219). A scan
whose rows last a whole number of periods shows none of it as steps between rows; others show waves.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.random import Stream, random_words, uniform53
from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import sine_cosine
from stemscan.simulators.instrument.effect import Effect, Moves, Scan, Sizes

__all__ = ["Mains", "pick_up"]

_STREAM: Final = Stream.MAINS
_PARTS: Final = 1024  # of a period, between which the wave is straight: to 5e-6 of it
_sine_cosine = compiled()(sine_cosine)


class Mains(Effect):
    """Settings of mains pick-up.

    Parameters
    ----------
    frequency_hz : float
        1 to 1000; 50 or 60 of most.
    amplitude_px : (float, float)
        Of the fundamental wave, (row, column) in pixels.
    third_px : (float, float)
        Of the third harmonic.
    """

    frequency_hz: Annotated[float, Field(ge=1, le=1000)] = 50.0
    amplitude_px: Sizes = (0.0, 0.0)
    third_px: Sizes = (0.0, 0.0)

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return not (any(self.amplitude_px) or any(self.third_px))

    def moves(self, scan: Scan) -> Moves:
        """The motion in a scan."""
        seed, amplitudes = np.uint64(scan.seed), np.array([self.amplitude_px, self.third_px])

        def add(start: int, times: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
            pick_up(seed, times, self.frequency_hz * 1e-9, amplitudes, offsets)

        return add


@compiled()
def pick_up(
    seed: np.uint64,
    times: NDArray[np.float64],
    per_ns: float,
    amplitudes: NDArray[np.float64],
    offsets: NDArray[np.float64],
) -> None:
    """Add waves of a frequency (periods a nanosecond) and its triple to offsets (n, 2) at times (n,) in ns.

    `amplitudes` are (2, 2): of the fundamental and the third harmonic, for row and column.
    """
    wave = np.empty(_PARTS + 1)
    for part in range(_PARTS + 1):
        wave[part], _ = _sine_cosine(part / _PARTS)
    for kind in range(2):
        for axis in range(2):
            size = amplitudes[kind, axis]
            if size == 0.0:
                continue
            high, low, _, _ = random_words(seed, _STREAM, np.uint64(2 * kind + axis), 0)
            phase = uniform53(np.uint32(high), np.uint32(low))
            speed = per_ns * (1 + 2 * kind)
            for i in range(times.size):
                turn = times[i] * speed + phase
                part = (turn - np.floor(turn)) * _PARTS
                at = min(int(part), _PARTS - 1)
                offsets[i, axis] += size * (wave[at] + (part - at) * (wave[at + 1] - wave[at]))
