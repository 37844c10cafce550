"""ScanPath: a plan expanded to points in time order; lazy, with random access by sample index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from stemscan.arguments import whole_number
from stemscan.errors import UsageError
from stemscan.path.engine import expand
from stemscan.path.pixels import points_of
from stemscan.plan.given import plan_of
from stemscan.types import Points
from stemscan.units import counted

if TYPE_CHECKING:
    from pathlib import Path

    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["DEFAULT_BATCH", "ScanPath"]

DEFAULT_BATCH = 1_000_000
"""Samples of a batch unless asked otherwise."""

_MOST_KEPT = 1 << 18
"""Samples of a range that is kept for those who ask again."""


class ScanPath:
    """The points of a plan in the order in which the beam visits them.

    Nothing is expanded before it is asked for, and no more than what is asked for is held. Sample `i` belongs to pass
    `i // plan.samples_per_pass`. The same plan gives the same path on every machine.

    Parameters
    ----------
    plan : ScanPlan, str or Path
        Plan to expand, or the path of its file.

    Examples
    --------
    >>> from stemscan.plan.scan_plan import ScanPlan
    >>> plan = ScanPlan.from_dict({"pattern": {"kind": "serpentine"}, "shape": [2, 3], "passes": 1, "dwell_ns": 1,
    ...                            "dose": {"electrons_per_sample": 1}, "seed": 0})
    >>> ScanPath(plan).positions(2, 5).tolist()
    [[0, 2], [1, 2], [1, 1]]
    """

    def __init__(self, plan: ScanPlan | str | Path) -> None:
        self.plan = plan_of(plan)
        self._fill = expand(self.plan)
        self._recent: dict[tuple[int, int], Points] = {}

    def __reduce__(self) -> tuple[type[ScanPath], tuple[ScanPlan]]:
        """Copies, and processes that it is sent to, expand the plan again."""
        return type(self), (self.plan,)

    def __repr__(self) -> str:
        rows, columns = self.plan.shape
        return (
            f"ScanPath of {counted(len(self), 'sample')} in {counted(self.plan.passes, 'pass')} by "
            f"{self.plan.pattern.kind} on {rows} x {columns} pixels"
        )

    def __len__(self) -> int:
        """Number of samples of all passes."""
        return self.plan.total_samples

    def pass_of(self, index: int) -> int:
        """Number of the pass to which a sample belongs."""
        return whole_number(index, "the number of a sample") // self.plan.samples_per_pass

    def positions(self, start: int, stop: int) -> Points:
        """Points of samples start .. stop - 1.

        Parameters
        ----------
        start, stop : int
            0 <= start <= stop <= len(path).

        Returns
        -------
        array of int32, (stop - start, 2)
            (row, column) of each sample in pixels of the plan's grid; not writable.

        Raises
        ------
        UsageError
            When the range is not inside the path.
        """
        start, stop = (whole_number(one, "whole numbers of samples") for one in (start, stop))
        if not 0 <= start <= stop <= len(self):
            raise UsageError(f"expected 0 <= start <= stop <= {len(self)}, got start {start} and stop {stop}")
        if (recent := self._recent.get((start, stop))) is not None:
            return recent
        points = self._expanded(start, stop)
        points.flags.writeable = False
        if len(points) <= _MOST_KEPT:  # exposing, recording and drawing a segment ask for the same one after another
            self._recent = {**dict([*self._recent.items()][-2:]), (start, stop): points}
        return points

    def _expanded(self, start: int, stop: int) -> Points:
        """Points of a range."""
        pixels, at = np.empty(stop - start, np.uint32), start
        while at < stop:
            number, first = divmod(at, self.plan.samples_per_pass)
            samples = min(self.plan.samples_per_pass - first, stop - at)
            self._fill(number, first, pixels[at - start : at - start + samples])
            at += samples
        return points_of(pixels, self.plan.shape[1])

    def batches(self, size: int = DEFAULT_BATCH) -> Iterator[tuple[int, Points]]:
        """Hand out the whole path in batches of `size` samples, each with the index of its first sample."""
        size = whole_number(size, "a batch of at least 1 sample", 1)
        for start in range(0, len(self), size):
            yield start, self.positions(start, min(len(self), start + size))
