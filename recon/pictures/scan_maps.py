"""Sums over the samples of an acquisition that its picture shows, gone through once, a stretch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["Gathered", "ScanMaps", "Spread"]

Floats = npt.NDArray[np.float64]

_STRETCH: Final = 1 << 19
_CELLS: Final = 256
"""Cells of a map along the longer side, at most."""

_BINS: Final = 24
_FEWEST: Final = 30
"""Samples of a bin of counts."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Variance of counts against their mean, in electrons, in bins of the mean.

    Attributes
    ----------
    means, variances, errors : ndarray of float64, (M,)
        `errors` are standard deviations of the variances.
    against : str
        Values of which the mean was taken.
    """

    means: Floats
    variances: Floats
    errors: Floats
    against: str


@dataclass(frozen=True, eq=False)
class ScanMaps:
    """Maps of cells of the field, (rows, columns) each; nan where there is no sample.

    Attributes
    ----------
    cell : int
        Pixels along a cell.
    shape : (int, int)
        Rows and columns of pixels.
    visits : ndarray of float64
        Samples.
    electrons : ndarray of float64
        Mean of a sample, in electrons.
    fading, contamination : ndarray of float64 or None
        Signal left by damage, and added by contamination, at the latest visit of each pixel; None where not known.
    spread : Spread or None
        None where neither the specimen is known nor a pixel was visited twice, or the beam lagged.
    """

    cell: int
    shape: tuple[int, int]
    visits: Floats
    electrons: Floats
    fading: Floats | None
    contamination: Floats | None
    spread: Spread | None

    @classmethod
    def of(cls, acquisition: Acquisition) -> Self:
        """Go through the samples of a store."""
        rows, columns = acquisition.shape
        total = acquisition.samples_committed
        side = math.ceil(max(rows, columns) / _CELLS)
        cell = max(side, round(math.sqrt(rows * columns / max(total, 1))))
        down, across = -(-rows // cell), -(-columns // cell)
        visits, electrons = np.zeros(down * across), np.zeros(down * across)
        latest = {
            name: np.full(rows * columns, np.nan, np.float32)
            for name in ("truth_fading", "truth_contamination")
            if name in acquisition.tracks
        }
        spread = Gathered.of(acquisition)
        ends = {*acquisition.layout.pass_starts, *range(0, total, _STRETCH)}  # a pixel is paired in another pass
        for start, stop in pairwise(sorted({min(end, total) for end in ends} | {total})):
            positions, counts = acquisition.positions(start, stop), acquisition.electrons(start, stop)
            number = positions[:, 0] // cell * across + positions[:, 1] // cell
            visits += np.bincount(number, minlength=len(visits))
            electrons += np.bincount(number, counts, len(visits))
            pixels = positions[:, 0].astype(np.int64) * columns + positions[:, 1]
            for name, values in latest.items():
                values[pixels] = acquisition.track(name, start, stop)
            if spread is not None:
                spread.add(acquisition, start, stop, pixels, counts)

        def shown(values: Floats) -> Floats:
            return values.reshape(down, across)

        means = shown(np.divide(electrons, visits, out=np.full(len(visits), np.nan), where=visits > 0))
        maps = {name: _averaged(values.reshape(rows, columns), cell) for name, values in latest.items()}
        return cls(
            cell,
            (rows, columns),
            shown(visits),
            means,
            maps.get("truth_fading"),
            maps.get("truth_contamination"),
            None if spread is None else spread.spread(),
        )

    def coarser(self, cells: int) -> Self:
        """With visits alone, in at most so many cells along a side where there are more."""
        by = max(1, -(-max(self.visits.shape) // cells))
        rows, columns = (np.arange(0, side, by) for side in self.visits.shape)
        visits = np.add.reduceat(np.add.reduceat(self.visits, rows, 0), columns, 1)
        return replace(self, cell=self.cell * by, visits=visits)


class Gathered:
    """Moments of counts in bins of what is expected of them: by the specimen, or by the mean of two visits."""

    def __init__(self, signal: npt.NDArray[np.float32] | None, pixels: int, largest: float) -> None:
        self._signal = signal
        self._before = None if signal is not None else np.full(pixels, np.nan)
        self._edges = np.linspace(0, largest, _BINS + 1)
        self._sums = np.zeros((6, _BINS))

    @classmethod
    def of(cls, acquisition: Acquisition) -> Gathered | None:
        """Bins for an acquisition; None where a beam lags, which counts what lies along its way."""
        if acquisition.coil_tau_ns is not None:
            return None
        signal, pixels = acquisition.truth, math.prod(acquisition.shape)
        brightest = 2.0 if signal is None else float(signal.max())
        return cls(signal, pixels, max(acquisition.electrons_per_sample * brightest, 1e-9))

    def add(
        self, acquisition: Acquisition, start: int, stop: int, pixels: npt.NDArray[np.int64], counts: Floats
    ) -> None:
        """Samples start .. stop - 1."""
        if self._before is None:
            self._bin(self._expected(acquisition, start, stop, pixels), counts)
            return
        before = self._before[pixels]
        twice = np.isfinite(before)
        means, apart = 0.5 * (before + counts)[twice], np.sqrt(0.5) * (before - counts)[twice]
        self._bin(means, apart)
        self._before[pixels] = np.where(twice, np.nan, counts)  # each pair once

    def spread(self) -> Spread | None:
        """Variances of bins with enough samples, less what expectation varies in a bin."""
        number, by, squares, counts, mixed, fourths = self._sums
        if self._before is not None and not number.any():
            return None
        used = number >= _FEWEST
        many, mean = number[used], by[used] / number[used]
        if self._before is not None:  # differences of a pair, whose mean is the bin's
            variances, means = fourths[used] / many, mean
        else:
            means = counts[used] / many
            own = np.maximum(squares[used] / many - mean**2, 1e-12)
            shared = mixed[used] / many - mean * means
            variances = fourths[used] / many - means**2 - shared**2 / own
        errors = np.sqrt(np.maximum(variances + 2 * variances**2, 0) / many)
        return Spread(means, variances, errors, "the specimen" if self._before is None else "pairs of visits")

    def _expected(self, acquisition: Acquisition, start: int, stop: int, pixels: npt.NDArray[np.int64]) -> Floats:
        """Electrons that a simulation expects in each sample."""
        assert self._signal is not None
        dose, tracks = acquisition.electrons_per_sample, acquisition.tracks
        places = acquisition.track("truth_trajectory", start, stop) if "truth_trajectory" in tracks else None
        places = acquisition.actual(start, stop) if places is None else places
        if places is None:
            signal = self._signal.ravel()[pixels].astype(np.float64)
        else:
            from scipy.ndimage import map_coordinates

            signal = map_coordinates(self._signal, places.T.astype(np.float64), order=3, mode="mirror")
        if "truth_fading" in tracks:
            signal = signal * acquisition.track("truth_fading", start, stop)
        if "truth_contamination" in tracks:
            signal = signal + acquisition.track("truth_contamination", start, stop)
        if "truth_current" in tracks:
            signal = signal * acquisition.track("truth_current", start, stop)
        return np.maximum(np.asarray(dose * signal, np.float64), 0.0)

    def _bin(self, by: Floats, values: Floats) -> None:
        """Sum up."""
        number = np.clip(np.digitize(by, self._edges) - 1, 0, _BINS - 1)
        for row, one in enumerate((None, by, by**2, values, by * values, values**2)):
            self._sums[row] += np.bincount(number, one, _BINS)


def _averaged(values: npt.NDArray[np.float32], cell: int) -> Floats:
    """Means of cells over the pixels that have a value."""
    rows, columns = (np.arange(0, side, cell) for side in values.shape)
    known = np.isfinite(values)

    def summed(one: npt.NDArray[np.float64]) -> Floats:
        return np.asarray(np.add.reduceat(np.add.reduceat(one, rows, 0), columns, 1))

    total, number = summed(np.where(known, values, 0.0).astype(np.float64)), summed(known.astype(np.float64))
    means: Floats = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return means
