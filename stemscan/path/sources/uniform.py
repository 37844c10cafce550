"""Uniform random pixels of the grid or of a region, by pseudo-random permutations of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.path.parts import Fill
from stemscan.path.permutation import round_keys
from stemscan.path.pixels import Pixels
from stemscan.path.sources.base import Source, starts_in
from stemscan.path.sources.uniform_kernels import Stretch, draw, pixels_between, put_off, starts_between
from stemscan.random import Stream
from stemscan.types import Integers

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["UniformSource"]

_MOST_LISTED: Final = 1 << 22
"""Samples of a pass of which a list, 4 bytes each, may be held."""

_NONE = np.empty(0, np.int64)


class UniformSource(Source):
    """Pixels drawn from those that the plan allows, which are numbered row by row.

    A pass of few samples is held as a list, so that its strips are not searched pixel by pixel.
    """

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(plan)
        self.listed = plan.samples_per_pass <= _MOST_LISTED
        self._samples = plan.samples_per_pass
        self._inside_starts = self.inside.starts(self.strips.rows)
        self._sorted = lru_cache(maxsize=2)(self._sort)
        self._wraps: dict[int, tuple[int, Integers]] = {0: (0, _NONE)}

    def _keys(self, cycle: int) -> npt.NDArray[np.uint32]:
        """Keys of the permutation number `cycle` of the pixels."""
        return round_keys(self.area, self.seed, Stream.GRID, cycle)

    def _wrap(self, cycle: int) -> tuple[int, Integers]:
        """The end in `cycle` of the pass that wraps into it, and the numbers at which that puts pixels off."""
        for into in range(1, cycle + 1):
            if into not in self._wraps:
                wrapping = (into * self.area - 1) // self._samples
                position = wrapping * self._samples - (into - 1) * self.area
                needed = (wrapping + 1) * self._samples - into * self.area
                keys = self._keys(into), self._keys(into - 1)
                self._wraps[into] = put_off(self.area, needed, *keys, position, *self._wraps[into - 1])
        return self._wraps[cycle]

    def stretch(self, number: int) -> Stretch:
        """The stretch of the stream of permutations that a pass reads."""
        if self.plan.repeat != "exclusive":
            keys = self._keys(number)
            return Stretch(0, self._samples, 0, _NONE, keys, 0, _NONE, keys)
        cycle, position = divmod(number * self._samples, self.area)
        length = min(self._samples, self.area - position)
        after = self._wrap(cycle + 1) if length < self._samples else (0, _NONE)
        return Stretch(position, length, *self._wrap(cycle), self._keys(cycle), *after, self._keys(cycle + 1))

    def _draw(self, number: int, start: int, out: Pixels) -> None:
        """Fill `out` with samples start, start + 1, ... of a pass, as drawn."""
        draw(self.area, self.stretch(number), start, out)

    def _sort(self, number: int) -> Pixels:
        """The numbers of a pass, ascending."""
        drawn = np.empty(self._samples, np.uint32)
        self._draw(number, 0, drawn)
        drawn.sort()
        return drawn

    def _starts(self, number: int) -> Integers:
        if self.listed:
            return starts_in(self._sorted(number), self._inside_starts)
        return starts_between(self._inside_starts, self.area, self._samples, self.stretch(number))

    def pixels(self, number: int, strip: int) -> Pixels:
        """Pixels of a strip, row by row."""
        start, stop = (int(at) for at in self.starts(number)[strip : strip + 2])
        first, end = (int(at) for at in self._inside_starts[strip : strip + 2])
        if self.listed:
            drawn = self._sorted(number)[start:stop]
        else:
            drawn = pixels_between(first, end, self.area, stop - start, self.stretch(number))
        if self.plan.region is None or not len(drawn):
            return drawn
        inside: Pixels = self.inside.pixels(*self.rows(strip))[drawn - np.uint32(first)]
        return inside

    def alone(self, order: str) -> Fill | None:
        """Samples of the whole grid at random: as drawn."""
        return self._draw if order == "random" and self.plan.region is None else None
