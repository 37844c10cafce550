"""Scan coils: a lag that a controller can know, and a slow part behind flybacks that it does not.

The lag is that of `stemscan.hardware.coil_lag`: the beam follows its command with one time constant, and stores hold
where it was. Eddy currents in the column's walls make a small part of each deflection follow more slowly still:

    d(t) = f (p_slow(t) - c(t)),    dp_slow/dt = (c - p_slow) / tau_slow

with the command c, so that after each jump of J pixels the beam is f J exp(-t / tau_slow) short of its aim. In a raster
the long jump is the flyback, and what it leaves bends the first columns of each row (Buban et al., J. Electron Microsc.
59 (2010) 103); a serpentine has none.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stemscan.hardware.coil_lag import CoilLag, LaggedPath
from stemscan.simulators.instrument.effect import Effect, Moves, Positive, Scan, Size

__all__ = ["Coils", "Flyback"]


class Coils(Effect):
    """Settings of the coils' lag.

    Parameters
    ----------
    tau_us : float
        Time constant in microseconds.
    """

    tau_us: Size = 0.0


class Flyback(Effect):
    """Settings of flyback distortion.

    Parameters
    ----------
    share : float
        Share f of a deflection that follows slowly, 0 to 1.
    tau_us : float
        Time constant of that in microseconds.
    """

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    tau_us: Positive = 100.0

    @property
    def is_off(self) -> bool:
        """Tell whether it changes nothing."""
        return self.share == 0

    def moves(self, scan: Scan) -> Moves:
        """The motion in a scan.

        Raises
        ------
        UsageError
            When the time constant is more than about 10^5 dwell times.
        """
        waits = scan.clock.waits if scan.clock.ever_waits else None
        slow = LaggedPath(scan.path, CoilLag(1000.0 * self.tau_us), waits, scan.clock.dwell_ns)

        def add(start: int, times: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
            stop = start + len(times)
            offsets += self.share * (slow.positions(start, stop).astype(np.float64) - scan.path.positions(start, stop))

        return add
