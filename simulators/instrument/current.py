"""Fluctuation of the probe current: 1/f noise of a cold or Schottky emitter, about a mean of 1.

A superposition of processes whose time constants are spread evenly over the logarithm has a spectrum of 1/f between
their frequencies (Schottky, Phys. Rev. 28 (1926) 74; for field emission Swanson and Schwind, Adv. Imaging Electron
Phys. 159 (2009) 63). Here each octave of time, from the shortest to 2^24 of it, has white numbers of the same variance,
each for one stretch of time and linear between two; the octaves begin at different times. In a decade of frequency the
current then has the same variance:

    I(t) = max(0, 1 + s sum_j x_j(t) / sqrt(sum of variances))

Numbers are keyed by octave and stretch, so that any time's value is had from 50 of them.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.random import Stream, normal_pair
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect, Positive

__all__ = ["CurrentNoise", "fluctuation"]

OCTAVES: Final = 24
_STREAM: Final = Stream.CURRENT
_SIZE: Final = float(np.sqrt(OCTAVES * 2.0 / 3.0))  # a point between two white numbers has 2/3 of their variance


class CurrentNoise(Effect):
    """Settings of the fluctuation of the probe current.

    Parameters
    ----------
    relative : float
        Standard deviation of the current over its mean, over all octaves; 0 to 0.3.
    shortest_us : float
        Length of the shortest octave's stretches, in microseconds.
    """

    relative: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    shortest_us: Positive = 100.0

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.relative == 0

    def current(self, seed: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The current over its mean at times in ns, (n,)."""
        return fluctuation(np.uint64(seed), times / (1000.0 * self.shortest_us), self.relative)


@compiled()
def fluctuation(seed: np.uint64, times: NDArray[np.float64], relative: float) -> NDArray[np.float64]:
    """The current over its mean at times (n,) in lengths of the shortest stretch, ascending for speed."""
    out = np.empty(times.size)
    known, left, right = np.full(OCTAVES, -1, np.int64), np.zeros(OCTAVES), np.zeros(OCTAVES)
    knot, sums = np.int64(-2), np.zeros(2)
    for i in range(times.size):
        first = np.int64(times[i])
        if first != knot:
            for end in range(2):
                if end == 0 and first == knot + 1:
                    sums[0] = sums[1]
                    continue
                sums[end] = 0.0
                for octave in range(OCTAVES):
                    at = np.float64(first + end) / 2.0**octave + octave * 0.381966
                    number = np.int64(at)
                    if number != known[octave]:
                        known[octave] = number
                        left[octave], _ = normal_pair(seed, _STREAM, np.uint64(number), octave)
                        right[octave], _ = normal_pair(seed, _STREAM, np.uint64(number + 1), octave)
                    share = at - number
                    sums[end] += (1.0 - share) * left[octave] + share * right[octave]
            knot = first
        share = times[i] - first
        out[i] = max(0.0, 1.0 + relative / _SIZE * ((1.0 - share) * sums[0] + share * sums[1]))
    return out
