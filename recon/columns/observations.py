"""Samples of a scan as points: where the beam was, how often, and what was counted.

A point is a visited pixel with its counts and visits summed over passes, or a place between pixels where the beam was.
Points are sorted into square bins, so that those around a column are found without a search.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.recon.inputs.inputs import Inputs, Noise
from stemscan.recon.inputs.read_noise import read_variance
from stemscan.types import Floats

__all__ = ["Observations"]

BIN = 8


@dataclass(frozen=True, eq=False)
class Observations:
    """Points of a scan, sorted by bins of 8 x 8 pixels.

    Attributes
    ----------
    rows, columns : ndarray of float64, (n,)
        Positions in pixels.
    signal : ndarray of float64, (n,)
        Counts over the dose per sample; in expectation `visits` times the specimen's signal.
    visits : ndarray of float64, (n,)
        Number of samples, above 0.
    bin_starts : ndarray of int64, (bins + 1,)
        First point of each bin, row by row of bins.
    shape : (int, int)
        Rows and columns of the grid.
    noise : {"poisson", "eq5"}
    raised : float
        Constant added to the signal of every sample: dose times the variance of the detector's read noise, 0 where no
        reading is below zero. A signal of u + raised has Poisson's variance, (u + raised) / lambda.
    known : ndarray of float64, (n,), or 0
        Signal that is known and no part of what is fitted: columns beyond the frame, and weak ones.
    kept : dict
        Results that `Links` works out of the positions alone.
    """

    rows: Floats
    columns: Floats
    signal: Floats
    visits: Floats
    bin_starts: npt.NDArray[np.int64]
    shape: tuple[int, int]
    electrons_per_sample: float
    noise: Noise
    raised: float = 0.0
    known: Floats | float = 0.0
    kept: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: Inputs, raised: float | None = None) -> Observations:
        """Points of the visited pixels of `inputs`, or of the places of samples where the beam was between pixels.

        They are raised by what their read noise calls for unless `raised` is given.
        """
        signal: npt.NDArray[Any]
        visits: npt.NDArray[Any]
        if inputs.placed is None:
            rows, columns = np.nonzero(inputs.V)
            signal, visits = inputs.S[rows, columns], inputs.V[rows, columns]
        else:
            placed = inputs.placed
            places, which, visits = np.unique(placed.positions, axis=0, return_inverse=True, return_counts=True)
            rows, columns = places.T
            signal = np.bincount(which.ravel(), placed.electrons).astype(np.float32)
            signal *= np.float32(1.0 / inputs.electrons_per_sample)
        points = cls.at(rows, columns, signal, visits, inputs)
        if raised is None:
            counting = inputs.noise == "poisson"
            variance = read_variance(signal, visits.astype(np.float32)) if counting else 0.0
            raised = inputs.electrons_per_sample * variance
        return replace(points, signal=points.signal + raised * points.visits, raised=raised) if raised else points

    @classmethod
    def at(
        cls, rows: npt.NDArray[Any], columns: npt.NDArray[Any], signal: Any, visits: Any, inputs: Inputs
    ) -> Observations:
        """Points at given positions, with the grid, dose and noise model of `inputs`."""
        across = -(-inputs.shape[1] // BIN)
        down = -(-inputs.shape[0] // BIN)
        number = _bin(rows, inputs.shape[0]) * across + _bin(columns, inputs.shape[1])
        order = np.argsort(number, kind="stable")
        starts = np.searchsorted(number[order], np.arange(down * across + 1))

        def sorted_by_bin(values: Any) -> Floats:
            return np.asarray(values, np.float64)[order]

        return cls(
            sorted_by_bin(rows),
            sorted_by_bin(columns),
            sorted_by_bin(signal),
            sorted_by_bin(visits),
            starts,
            inputs.shape,
            inputs.electrons_per_sample,
            inputs.noise,
        )

    @property
    def mean(self) -> float:
        """Mean signal of the samples."""
        return float(self.signal.sum() / self.visits.sum())


def _bin(position: npt.NDArray[Any], size: int) -> npt.NDArray[np.int64]:
    """Bin of a position along one axis."""
    return np.asarray(np.clip(position, 0, size - 1).astype(np.int64) // BIN)
