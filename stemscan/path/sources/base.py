"""Sources: which pixels a pass visits, strip by strip; what every order builds on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from stemscan.path.parts import Fill
from stemscan.path.pixels import Pixels
from stemscan.path.strips import Strips
from stemscan.plan.region import Region
from stemscan.runtime import memory
from stemscan.types import Integers, Mask
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["InsideRows", "Source", "starts_in"]

_BYTES_A_SAMPLE: Final = 20


class Source(ABC):
    """The pixels of the passes of a plan.

    A source holds an integer a strip and what its pattern needs, never a pass, unless it says so.

    Parameters
    ----------
    fine : bool
        See `stemscan.path.strips.Strips.of`.
    """

    together: ClassVar[int] = 1
    """Number of neighbouring strips that are made in little more time than one."""

    def __init__(self, plan: ScanPlan, *, fine: bool = False) -> None:
        self.plan = plan
        self.seed = np.uint64(plan.seed)
        self.area = plan.shape[0] * plan.shape[1] if plan.region is None else plan.region.pixels_in(plan.shape)
        self.strips = Strips.of(plan.shape, plan.pattern.tile[0], plan.samples_per_pass / self.area, fine=fine)
        self.starts = lru_cache(maxsize=2)(self._starts)

    @abstractmethod
    def _starts(self, number: int) -> Integers:
        """Samples before each strip of a pass, and after the last."""

    @abstractmethod
    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip in a pass, in no particular order."""

    def alone(self, order: str) -> Fill | None:
        """Samples of an order, each made without the others; None where the source cannot."""
        return None

    @cached_property
    def inside(self) -> InsideRows:
        """The pixels that the plan allows."""
        return InsideRows(self.plan.region, self.plan.shape)

    def rows(self, strip: int) -> tuple[int, int]:
        """First row of a strip and of the next."""
        return int(self.strips.rows[strip]), int(self.strips.rows[strip + 1])

    def new_pass(self) -> Pixels:
        """An array for a whole pass, refused where the memory cannot hold what making it takes.

        Raises
        ------
        TooLittleMemoryError
        """
        plan, samples = self.plan, self.plan.samples_per_pass
        what = f"{counted(samples, 'sample')} of {plan.pattern.kind} in the order {plan.order.kind}"
        remedy = "take a smaller grid, or a pattern and an order that need no whole pass"
        memory.require_memory(_BYTES_A_SAMPLE * samples, f"for a whole pass of {what}", remedy)
        return np.empty(samples, np.uint32)


class InsideRows:
    """The pixels of a region, or of a whole grid, by rows.

    Parameters
    ----------
    region : Region or None
        None for the whole grid.
    shape : tuple of int
        Rows and columns of the grid.
    """

    def __init__(self, region: Region | None, shape: tuple[int, int]) -> None:
        self._width = shape[1]
        self._mask = None if region is None else region.mask_rows(shape)

    def mask(self, first: int, stop: int) -> Mask:
        """Rows first .. stop - 1 as a mask; (0, 0) for a whole grid."""
        return np.empty((0, 0), np.bool_) if self._mask is None else self._mask(first, stop)

    def pixels(self, first: int, stop: int) -> Pixels:
        """Pixels inside in rows first .. stop - 1, row by row."""
        if self._mask is None:
            return np.arange(first * self._width, stop * self._width, dtype=np.uint32)
        return np.flatnonzero(self._mask(first, stop)).astype(np.uint32) + np.uint32(first * self._width)

    def starts(self, rows: Integers) -> Integers:
        """Pixels inside before each of these rows."""
        if self._mask is None:
            return rows * self._width
        counts = [np.count_nonzero(self._mask(first, stop)) for first, stop in pairwise(rows)]
        return np.append(np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))


def starts_in(pixels: Pixels, edges: Integers) -> Integers:
    """Number of ascending pixels below each of ascending edges, from 0 to one beyond all pixels."""
    starts = np.zeros(len(edges), np.int64)
    starts[1:-1] = np.searchsorted(pixels, edges[1:-1].astype(np.uint32))  # of one type, else the pixels are copied
    starts[-1] = len(pixels)
    return starts
