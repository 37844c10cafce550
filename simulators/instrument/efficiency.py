"""Detective quantum efficiency: electrons that are lost, and pulses of unequal height.

Of the electrons that reach a detector a share h is detected, and each of those gives a pulse whose height spreads about
its mean with the relative standard deviation v. Then the squared ratio of signal to noise falls by

    DQE = h / (1 + v^2)

(Rose; Swank, J. Appl. Phys. 44 (1973) 4199). Of n detected electrons the heights sum to n + v sqrt(n) z with a standard
normal number z: exactly so for normal heights.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.random import Stream, fill_normals
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect

__all__ = ["Efficiency", "add_spread"]

_STREAM: Final = Stream.PULSE


class Efficiency(Effect):
    """Settings of the quantum efficiency.

    Parameters
    ----------
    detected : float
        Share h of the electrons that is detected, above 0.
    pulse_spread : float
        Relative standard deviation v of a pulse's height, 0 to 1.
    """

    detected: Annotated[float, Field(gt=0, le=1)] = 1.0
    pulse_spread: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def dqe(self) -> float:
        """Detective quantum efficiency."""
        return self.detected / (1 + self.pulse_spread**2)


@compiled()
def add_spread(seed: np.uint64, channel: int, start: np.uint64, spread: float, light: NDArray[np.float64]) -> None:
    """Spread sums of pulses (n,), in electrons, of samples from `start` on, in place."""
    z, _ = np.empty(light.size), np.empty(light.size)
    fill_normals(seed, _STREAM, start, channel, z, _)
    for i in range(light.size):
        light[i] += spread * np.sqrt(light[i]) * z[i]
