"""Samples in time order, as the estimate of drift takes them: signal, commanded positions, slabs and knots of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["Knots", "TimedSamples"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_BATCH: Final = 1 << 20
_NARROWEST: Final = 128
"""Columns of a strip at least."""

_FEWEST_SLABS: Final = 4
_MOST_SLABS: Final = 8


@dataclass(frozen=True, eq=False)
class TimedSamples:
    """Samples of a scan in the order of time.

    Attributes
    ----------
    signal : ndarray of float64, (n,)
        Electrons over dose per sample.
    positions : ndarray of float64, (n, 2)
        (row, column) in pixels as far as it is known without drift: commanded, or where the coils put the beam.
    pass_starts : ndarray of int64, (T + 1,)
        First sample of each pass and the end of the last.
    shape : (int, int)
        Rows and columns of the grid.
    dose : float
        Electrons per sample at signal 1.
    numbers : ndarray of int64, (n,), optional
        Number of each in the scan, where these are but some of its samples.
    moved : ndarray of float64, (T, 2), optional
        Place of the field in each pass where drift was followed, less the mean over the samples; `positions` are on
        the grid as it was moved.
    """

    signal: Floats
    positions: Floats
    pass_starts: Whole
    shape: tuple[int, int]
    dose: float
    moved: Floats | None = None
    numbers: Whole | None = None

    @classmethod
    def of_acquisition(cls, acquisition: Acquisition) -> TimedSamples:
        """The samples of an acquisition, as far as they are committed."""
        signal, positions = _read(acquisition, 0, acquisition.samples_committed)
        starts = np.minimum(np.asarray(acquisition.layout.pass_starts, np.int64), len(signal))
        begun = np.diff(starts) > 0
        moved = _moved(acquisition.field_offsets[begun], np.diff(starts)[begun])
        kept = np.concatenate([[True], begun])
        return cls(signal, positions, starts[kept], acquisition.shape, acquisition.electrons_per_sample, moved)

    @classmethod
    def up_to(cls, acquisition: Acquisition, pixels: int) -> TimedSamples:
        """The samples of an acquisition; of a frame of more pixels, those of a strip of columns in its middle.

        A scan along rows passes the strip at all times.
        """
        rows, columns = acquisition.shape
        width = max(pixels // rows, _NARROWEST)
        if rows * columns <= pixels or width >= columns:
            return cls.of_acquisition(acquisition)
        first = (columns - width) // 2
        return cls.of_strip(acquisition, slice(first, first + width))

    @classmethod
    def of_strip(cls, acquisition: Acquisition, columns: slice) -> TimedSamples:
        """Those of some columns; read in batches."""
        edges = np.minimum(np.asarray(acquisition.layout.pass_starts, np.int64), acquisition.samples_committed)
        signal, positions, numbers, starts = [np.empty(0)], [np.empty((0, 2))], [np.empty(0, np.int64)], [0]
        begun: list[int] = []
        for index, (begin, end) in enumerate(pairwise(edges.tolist())):
            found = 0
            for first in range(begin, end, _BATCH):
                values, places = _read(acquisition, first, min(first + _BATCH, end))
                inside = (places[:, 1] >= columns.start) & (places[:, 1] < columns.stop)
                signal.append(values[inside])
                positions.append(places[inside] - [0, columns.start])
                numbers.append(first + np.nonzero(inside)[0])
                found += int(inside.sum())
            if found:
                starts.append(starts[-1] + found)
                begun.append(index)
        return cls(
            np.concatenate(signal),
            np.concatenate(positions),
            np.array(starts, np.int64),
            (acquisition.shape[0], columns.stop - columns.start),
            acquisition.electrons_per_sample,
            _moved(acquisition.field_offsets[begun], np.diff(starts)),
            np.concatenate(numbers),
        )

    @classmethod
    def of_pass(cls, acquisition: Acquisition, number: int) -> TimedSamples:
        """The samples of a pass that is whole; `moved` is the offset of its field."""
        start, stop = acquisition.layout.pass_starts[number : number + 2]
        signal, positions = _read(acquisition, start, stop)
        dose, moved = acquisition.electrons_per_sample, acquisition.field_offsets[number : number + 1]
        return cls(signal, positions, np.array([0, stop - start], np.int64), acquisition.shape, dose, moved)

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.signal)

    @property
    def passes(self) -> int:
        """Number of passes with samples."""
        return len(self.pass_starts) - 1

    @cached_property
    def mean(self) -> float:
        """Mean signal."""
        return float(self.signal.mean())

    @cached_property
    def moves(self) -> Floats:
        """`moved` at each sample, (n, 2)."""
        if self.moved is None:
            return np.zeros((self.count, 2))
        return np.repeat(self.moved, np.diff(self.pass_starts), axis=0)

    def in_scan(self, at: Floats) -> Floats:
        """Numbers in the whole scan of numbers among these samples, which may lie between two or beyond the ends."""
        if self.numbers is None:
            return at
        inner = np.interp(at, np.arange(self.count), self.numbers)
        return np.asarray(inner + np.minimum(at, 0) + np.maximum(at - (self.count - 1), 0))

    def parts(self, per_pass: int) -> Whole:
        """Part of each sample, (n,), where each pass is cut into parts of equal time."""
        number = np.searchsorted(self.pass_starts, np.arange(self.count), side="right") - 1
        within = np.arange(self.count) - self.pass_starts[number]
        return number * per_pass + within * per_pass // np.diff(self.pass_starts)[number]

    @cached_property
    def slabs(self) -> Whole:
        """Slab of each sample, (n,): passes, some of them together where there are many, parts where there are few."""
        if self.passes < _FEWEST_SLABS:
            return self.parts(-(-_FEWEST_SLABS // self.passes))
        number = self.parts(1)
        return number if self.passes <= _MOST_SLABS else number * _MOST_SLABS // self.passes


def _moved(offsets: Floats, sizes: Whole) -> Floats | None:
    """Where the field lay in passes of so many samples, about the mean; None where it stayed."""
    if not len(offsets) or not np.ptp(offsets, axis=0).any():
        return None
    return np.asarray(offsets - np.average(offsets, axis=0, weights=sizes))


def _read(acquisition: Acquisition, start: int, stop: int) -> tuple[Floats, Floats]:
    """Signal and positions of samples start .. stop - 1."""
    electrons = acquisition.electrons(start, stop)
    places = acquisition.actual(start, stop)
    positions = acquisition.positions(start, stop) if places is None else places
    return electrons / acquisition.electrons_per_sample, positions.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Knots:
    """Piecewise-linear functions of a sample's number, with knots at even distances.

    Attributes
    ----------
    count : int
        Knots, K, at least 2.
    first : ndarray of int64, (n,)
        Knot before each sample.
    share : ndarray of float64, (n,)
        Weight of the knot after it.
    """

    count: int
    first: Whole
    share: Floats

    @classmethod
    def over(cls, samples: int, count: int) -> Knots:
        """Knots over so many samples."""
        at = (np.arange(samples) + 0.5) / samples * (count - 1)
        first = np.minimum(at.astype(np.int64), count - 2)
        return cls(count, first, at - first)

    def samples(self) -> Floats:
        """Sample numbers of the knots, (K,)."""
        return np.linspace(-0.5, len(self.first) - 0.5, self.count)

    def spread(self, values: Floats) -> Floats:
        """Values of knots (K, m) at the samples, (n, m)."""
        share = self.share[:, np.newaxis]
        return np.asarray(values[self.first] * (1 - share) + values[self.first + 1] * share)

    def gather(self, values: Floats) -> Floats:
        """Sums of samples' values (n,) by the weights of the knots, (K,): the transpose of `spread`."""
        before = np.bincount(self.first, values * (1 - self.share), self.count)
        return np.asarray(before + np.bincount(self.first + 1, values * self.share, self.count))

    @cached_property
    def weights(self) -> Floats:
        """Share of the scan's samples at each knot, (K,), of sum 1."""
        return self.gather(np.ones(len(self.first))) / len(self.first)
