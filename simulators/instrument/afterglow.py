"""Afterglow of a scintillator: part of the light of each electron comes late, in the samples that follow.

A share a of an electron's light is emitted with one time constant t, the rest at once. With electrons spread evenly
over a dwell T, and the light s that is still to come when it begins,

    light = (1 - a) q + a q (1 - (t / T) (1 - e^(-T/t))) + s (1 - e^(-T/t))
    s'    = s e^(-T/t) + a q (t / T) (1 - e^(-T/t))

In the order of the scan, so that neighbours in time leak into each other, a fast scan more. While the beam waits
(settling, flyback) s falls, and its light is lost, for nothing is read; where the beam is not blanked meanwhile, it
excites light as at the place to which it goes. Slow components of YAP and P47 hold a few per cent over microseconds
(Kirkland and Thomas, Ultramicroscopy 62 (1996) 79; Mullarkey et al., Microsc. Microanal. 28 (2022) 1428).

A sample's light follows from the electrons of all before it, but forgets them: light is computed in the blocks of the
chain, each after a run-in of 24 ln 2 time constants from darkness.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.errors import UsageError
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.effect import Effect, Positive

__all__ = ["Afterglow", "glow"]

_FORGOTTEN: Final = 24 * math.log(2)
_LONGEST_RUN_IN: Final = 1 << 22


class Afterglow(Effect):
    """Settings of afterglow.

    Parameters
    ----------
    share : float
        Share a of the light that comes late, 0 to 1.
    tau_us : float
        Its time constant in microseconds.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    tau_us: Positive = 1.0

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.share == 0

    def run_in(self, dwell_ns: int) -> int:
        """Samples after which light is forgotten.

        Raises
        ------
        UsageError
            When they are more than four million.
        """
        samples = math.ceil(_FORGOTTEN * 1000 * self.tau_us / dwell_ns)
        if samples > _LONGEST_RUN_IN:
            raise UsageError(
                f"instrument: afterglow: expected a tau_us of at most 250000 dwell times, got {self.tau_us:g} us for a "
                f"dwell of {dwell_ns} ns; dwell longer"
            )
        return samples


@compiled()
def glow(
    electrons: NDArray[np.float64], waits: NDArray[np.int64], lit: bool, share: float, tau_ns: float, dwell_ns: float
) -> NDArray[np.float64]:
    """Light of samples, (n,), in electrons, after darkness.

    Parameters
    ----------
    electrons : float64 (n,)
        Detected in each dwell.
    waits : int64 (n,) or (0,)
        Time in ns before each dwell; none where empty.
    lit : bool
        True if the beam is on meanwhile.

    Returns
    -------
    float64 (n,)
    """
    out = np.empty(electrons.size)
    left = math.exp(-dwell_ns / tau_ns)
    mean = tau_ns / dwell_ns * -math.expm1(-dwell_ns / tau_ns)
    coming = 0.0
    for i in range(electrons.size):
        late = share * electrons[i]
        if waits.size and waits[i]:
            gone = math.expm1(-waits[i] / tau_ns)
            coming += coming * gone
            if lit:
                coming -= late * tau_ns / dwell_ns * gone
        out[i] = electrons[i] - late * mean + coming * (1.0 - left)
        coming = coming * left + late * mean
    return out
