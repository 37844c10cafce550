"""Dark counts: pulses that no electron made, of thermal emission in a photomultiplier or noise above a threshold.

They are Poisson counts of a constant rate, independent of the electrons: d = Poisson(r T) in a dwell T. Their mean is
part of the offset that a store states, so that electrons are right on average; their variance r T stays.
"""

from __future__ import annotations

from stemscan.simulators.instrument.effect import Effect, Size

__all__ = ["DarkCounts"]


class DarkCounts(Effect):
    """Settings of dark counts.

    Parameters
    ----------
    per_second : float
        Their rate r.
    """

    per_second: Size = 0.0

    def mean(self, dwell_ns: int) -> float:
        """Mean of a sample."""
        return self.per_second * dwell_ns * 1e-9
