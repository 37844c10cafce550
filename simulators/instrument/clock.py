"""Times of a scan's dwells: dwell after dwell, and before them what a controller waits.

The waits before a sample follow from all moves before it. They are summed in fixed blocks, whose sums are kept, so that
the time of any sample is the same however the scan is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stemscan.hardware.program import Program
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["Clock"]

_BLOCK: Final = 1 << 16


class Clock:
    """When the dwells of a plan begin.

    Parameters
    ----------
    program : Program, optional
        Of the controller whose waits count; none are made without.
    """

    def __init__(self, plan: ScanPlan, program: Program | None = None) -> None:
        self._program = program
        self.dwell_ns = plan.dwell_ns if program is None else program.quantisation.dwell_ns
        self.ever_waits = program is not None
        self.lit = program is not None and program.profile.blanker != "inline"
        self._waited = [0]

    def waits(self, start: int, stop: int) -> NDArray[np.int64]:
        """Time in ns, (n,), before the dwells of samples start .. stop - 1; empty where there is never any."""
        return np.empty(0, np.int64) if self._program is None else self._program.waits_ns(start, stop)

    def begins(self, start: int, stop: int) -> NDArray[np.int64]:
        """Time in ns, (n,), since the scan began, at which the dwells of samples start .. stop - 1 begin."""
        plain = np.arange(start, stop, dtype=np.int64) * self.dwell_ns
        if self._program is None or start == stop:
            return plain
        while len(self._waited) <= start // _BLOCK:
            first = (len(self._waited) - 1) * _BLOCK
            self._waited.append(self._waited[-1] + int(self.waits(first, first + _BLOCK).sum()))
        block = start // _BLOCK
        waits = self.waits(block * _BLOCK, stop)
        return plain + self._waited[block] + np.cumsum(waits)[start - block * _BLOCK :]

    def middles(self, start: int, stop: int) -> NDArray[np.float64]:
        """Times in ns, (n,), of the middles of dwells."""
        return self.begins(start, stop).astype(np.float64) + 0.5 * self.dwell_ns
