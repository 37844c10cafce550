"""First-order lag of the scan coils: where the beam is while it is commanded elsewhere.

The deflection follows its command c as dp/dt = (c - p) / tau, exactly integrated: after a time t on one command,
p(t) = c + (p0 - c) exp(-t / tau). The position of a sample is its mean over the dwell, the centre of what a detector
that integrates over the dwell sees. The beam rests on the first point of the path when the scan begins.

A state follows from all samples before it, but forgets them exponentially. So that any part of a path can be had
alone, and always with the same bits, states are computed in fixed segments of the path, each after a run-in long
enough that what lies before it moves no position by more than 2**-24 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.path.scan_path import ScanPath

__all__ = ["CoilLag", "LaggedPath", "Settle", "actual_positions"]

Settle = Callable[[int, int], npt.NDArray[np.int64]]
"""Time in ns, (n,), that the beam waits (blanked or not) on each of the samples start .. stop - 1 before its dwell."""

Places = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

_SEGMENT: Final = 1 << 14
_FORGOTTEN: Final = 24
_LONGEST_RUN_IN: Final = 1 << 22


@dataclass(frozen=True)
class CoilLag:
    """Scan coils that follow their command with one time constant.

    Parameters
    ----------
    tau_ns : float
        Time constant in ns, at least 0; 0 is no lag.

    Raises
    ------
    UsageError
        When it is none.

    Examples
    --------
    >>> CoilLag(1000.0).remaining(1000) == math.exp(-1)
    True
    """

    tau_ns: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau_ns) and self.tau_ns >= 0):
            raise UsageError(f"expected a coil time constant of at least 0 ns, got {self.tau_ns!r}; give one in ns")

    def remaining(self, time_ns: float) -> float:
        """Share of a jump that is still to go after `time_ns`."""
        return math.exp(-time_ns / self.tau_ns) if self.tau_ns > 0 else 0.0

    def mean_remaining(self, dwell_ns: float) -> float:
        """Mean over a dwell of `dwell_ns`, which is above 0, of the share of a jump that is still to go."""
        return -self.tau_ns / dwell_ns * math.expm1(-dwell_ns / self.tau_ns) if self.tau_ns > 0 else 0.0

    def run_in(self, shape: tuple[int, int], dwell_ns: int) -> int:
        """Samples on a grid after which the beam has forgotten where it was, to 2**-24 pixels.

        Raises
        ------
        UsageError
            When the time constant is more than about 10^5 dwell times.
        """
        needed = (math.log(max(shape)) + _FORGOTTEN * math.log(2)) * self.tau_ns / dwell_ns
        if needed > _LONGEST_RUN_IN:
            raise UsageError(
                f"expected a coil time constant of at most {_LONGEST_RUN_IN // 40} dwell times, got {self.tau_ns:g} ns "
                f"for a dwell of {dwell_ns} ns; dwell longer"
            )
        return math.ceil(needed)


class LaggedPath:
    """Positions where the beam of a path really is; keeps the segment that was asked for last.

    Parameters
    ----------
    settle : callable, optional
        Waiting times before the dwells, see `Settle`; none unless given.
    dwell_ns : int, optional
        Time on each sample in ns, where a controller rounds that of the plan; that of the plan unless given.

    Raises
    ------
    UsageError
        When the time constant is more than about 10^5 dwell times.
    """

    def __init__(self, path: ScanPath, lag: CoilLag, settle: Settle | None = None, dwell_ns: int | None = None) -> None:
        self._path, self._lag, self._settle = path, lag, settle
        self._dwell = dwell_ns or path.plan.dwell_ns
        self._run_in = lag.run_in(path.plan.shape, self._dwell)
        self._size = max(_SEGMENT, self._run_in)
        self._latest: tuple[int, Places] | None = None

    @property
    def lasting(self) -> float:
        """A dwell in time constants, at most 10^12; for a lag above 0."""
        return min(self._dwell / self._lag.tau_ns, 1e12)

    def positions(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Mean positions of samples start .. stop - 1 during their dwells.

        Parameters
        ----------
        start, stop : int
            0 <= start <= stop <= len(path).

        Returns
        -------
        float32, (stop - start, 2)
            (row, column) in pixels of the plan's grid, inside the grid. The same whatever the range.

        Raises
        ------
        UsageError
            When the range is not inside the path.
        """
        return self.ways(start, stop)[1]

    def ways(self, start: int, stop: int) -> Places:
        """Positions of the beam when the dwells of samples start .. stop - 1 begin, and its means during them.

        On its way from there it goes straight towards the commanded pixel, ever slower. Arguments, arrays and errors
        are those of `positions`.
        """
        if not 0 <= start <= stop <= len(self._path):
            raise UsageError(f"expected 0 <= start <= stop <= {len(self._path)}, got start {start} and stop {stop}")
        begins, means = (np.empty((stop - start, 2), np.float32) for _ in range(2))
        at = start
        while at < stop:
            first = at // self._size * self._size
            last = min(first + self._size, stop)
            for out, kept in zip((begins, means), self._segment(first), strict=True):
                out[at - start : last - start] = kept[at - first : last - first]
            at = last
        return begins, means

    def _segment(self, first: int) -> Places:
        """Positions of the whole segment that begins at sample `first`."""
        if self._latest is None or self._latest[0] != first:
            begin, end = max(0, first - self._run_in), min(first + self._size, len(self._path))
            begins, means = self._follow(begin, end)
            self._latest = first, (begins[first - begin :], means[first - begin :])
        return self._latest[1]

    def _follow(self, begin: int, end: int) -> Places:
        """Positions from a rest on sample `begin` on."""
        commands = self._path.positions(begin, end)
        if self._lag.tau_ns == 0:
            rests = commands.astype(np.float32)
            return rests, rests
        from stemscan.hardware.coil_lag_kernels import follow

        waits = np.empty(0, np.int64) if self._settle is None else self._settle(begin, end)
        if self._settle is not None and waits.shape != (end - begin,):
            raise UsageError(
                f"expected {counted(end - begin, 'settle time')}, got an array of shape {waits.shape}; give one each"
            )
        remaining, mean = self._lag.remaining(self._dwell), self._lag.mean_remaining(self._dwell)
        return follow(commands, waits, self._lag.tau_ns, remaining, mean)


def actual_positions(
    path: ScanPath, start: int, stop: int, tau_ns: float, settle: Settle | None = None
) -> npt.NDArray[np.float32]:
    """Mean positions of the beam during the dwells of samples start .. stop - 1 under a first-order lag.

    Parameters
    ----------
    start, stop : int
        0 <= start <= stop <= len(path).
    tau_ns : float
        Time constant of the coils in ns, at least 0.
    settle : callable, optional
        Waiting times before the dwells, see `Settle`.

    Returns
    -------
    float32, (stop - start, 2)
        (row, column) in pixels of the plan's grid. The same however the path is cut into ranges.

    Raises
    ------
    UsageError
        When the range is not inside the path, or the time constant is none or more than about 10^5 dwell times.

    Examples
    --------
    >>> from stemscan.path.scan_path import ScanPath
    >>> from stemscan.plan.scan_plan import ScanPlan
    >>> plan = ScanPlan.from_dict({"pattern": {"kind": "raster"}, "shape": [1, 3], "passes": 1, "dwell_ns": 1000,
    ...                            "dose": {"electrons_per_sample": 1}, "seed": 0})
    >>> actual_positions(ScanPath(plan), 0, 3, 500.0)[:, 1].astype(float).round(3).tolist()
    [0.0, 0.568, 1.509]
    """
    return LaggedPath(path, CoilLag(tau_ns), settle).positions(start, stop)
