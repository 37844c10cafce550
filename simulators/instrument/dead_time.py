"""Dead time of a counting detector: after each pulse it is blind for a while.

Not extended by pulses that come meanwhile (non-paralysable), as of most discriminators: of electrons at a rate r it
counts r / (1 + r t) on average (Knoll, Radiation Detection and Measurement, 4th ed., 4.7). Up to 64 electrons in a
dwell have arrival times, drawn evenly and sorted, of which those within t of the last counted one are lost: exactly the
process, for a detector that is awake when a dwell begins. More are counted as

    c = n / (1 + x) + (x / (1 + x))^2 / 2 + sqrt(n x / (1 + x)^4) z,    x = n t / T

with a standard normal number z, which has the process's mean and, with the variance of n, its variance r T / (1 + r
t)^3 (Muller, Nucl. Instrum. Methods 112 (1973) 47). Stores keep counts as they are and say which dead time they have;
it is made up for where electrons are read (`stemscan.store.dead_time`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.random import Stream, normal_pair, random_words
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect, Size

__all__ = ["DeadTime", "lose"]

_STREAM: Final = Stream.DEAD_TIME
_EXACT: Final = 64


class DeadTime(Effect):
    """Settings of the dead time."""

    ns: Size = 0.0


@compiled()
def lose(seed: np.uint64, channel: int, start: np.uint64, share: float, counts: NDArray[np.uint32]) -> None:
    """Leave of counts (n,) of samples from `start` on those that are not lost, in place.

    `share` is the dead time over the dwell time.
    """
    times, words = np.empty(_EXACT), np.empty(4)
    for i in range(counts.size):
        arrived, index = counts[i], start + np.uint64(i)
        if arrived < 2:
            continue
        if arrived <= _EXACT:
            for first in range(0, arrived, 4):
                words[0], words[1], words[2], words[3] = random_words(seed, _STREAM, index, (channel << 8) + first // 4)
                for k in range(4):
                    if first + k < arrived:
                        time, at = words[k] * 2.0**-32, first + k
                        while at > 0 and times[at - 1] > time:
                            times[at] = times[at - 1]
                            at -= 1
                        times[at] = time
            counted, last = 1, times[0]
            for k in range(1, arrived):
                if times[k] - last >= share:
                    counted += 1
                    last = times[k]
            counts[i] = np.uint32(counted)
        else:
            n = np.float64(arrived)
            x = n * share
            z, _ = normal_pair(seed, _STREAM, index, (channel << 8) + 255)
            mean = n / (1 + x) + 0.5 * (x / (1 + x)) ** 2
            counts[i] = np.uint32(min(max(np.rint(mean + np.sqrt(n * x) / (1 + x) ** 2 * z), 1.0), n))
