"""Source of an exporter: a plan's points in batches, and where to report progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.path.scan_path import ScanPath

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.hardware.program import Program, Steps
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["BATCH", "Progress", "Source"]

BATCH = 1 << 17
"""Samples that are held at once."""

Progress = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Source:
    """A plan to be exported, with the program for a controller where the format has a grid of codes.

    Parameters
    ----------
    program : Program, optional
        Of the same plan.
    progress : callable
        Called with (samples done, samples in all).
    corners : bool
        Add blanked points in the corners of the field.
    moved : tuple of (int, int)
        Whole pixels (row, column) by which the field of each pass is moved, for formats in pixels; none unless given. A
        program has moves of its own.
    """

    plan: ScanPlan
    program: Program | None = None
    progress: Progress = field(default=_silent, compare=False)
    corners: bool = False
    moved: tuple[tuple[int, int], ...] = ()

    @property
    def profile(self) -> ControllerProfile | None:
        """The profile of the program."""
        return None if self.program is None else self.program.profile

    def positions(self, start: int = 0, stop: int | None = None) -> Iterator[npt.NDArray[np.int32]]:
        """Points of samples start .. stop - 1, by default of all, in batches.

        Yields
        ------
        array of int32, (n, 2)
            (row, column) in pixels of the plan's grid.
        """
        path = ScanPath(self.plan)
        total = len(path)
        stop = total if stop is None else stop
        for first in range(start, stop, BATCH):
            last = min(stop, first + BATCH)
            yield self._moved(path.positions(first, last), first)
            self.progress(last, total)

    def _moved(self, points: npt.NDArray[np.int32], first: int) -> npt.NDArray[np.int32]:
        """Points from a sample on, where the fields of their passes are."""
        if not self.moved:
            return points
        number = np.arange(first, first + len(points)) // self.plan.samples_per_pass
        return points + np.array(self.moved, np.int32)[number]

    def steps(self, program: Program) -> Iterator[Steps]:
        """Steps of the controller for all samples, in batches."""
        total = self.plan.total_samples
        for first in range(0, total, BATCH):
            last = min(total, first + BATCH)
            yield from program.batches(first, last)
            self.progress(last, total)
