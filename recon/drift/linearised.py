"""The linearised likelihood of a trajectory: how strongly the samples pull each knot, and how firmly.

Let e(t) be the trajectory's error. A sample i of slab s has the residual g_i . (e_i - mean of e over the other slabs'
samples near it). With the residuals weighted by the share of the samples near it that are of other slabs, the normal
equations of all samples in a cell of the field are a graph Laplacian: of N samples in the cell, each pair of different
slabs is joined with weight 1 / N. Motion that is the same whenever the beam comes by is in its null space: it is a
distorted specimen. Forces that are the same in all visits of a cell are taken off for the same reason.

Images are smoothed, so that their gradient is smaller than the signal's: E[residual] = F e, and the variance Q s^2 is
from the image's squared gradient. F, the gradient times that of the signal, is in parts less the signal times the
image's curvature. The information is F^2 / (Q s^2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.recon.drift.kernels import knot_sums, products
from stemscan.recon.drift.leave_out import Readings, Weights, area_cells, weights

if TYPE_CHECKING:
    from stemscan.recon.drift.timed import Knots, TimedSamples

__all__ = ["Linearised", "Sharpness", "linearise", "sharpness"]

Floats = npt.NDArray[np.float64]

_CELLS: Final = 1024
"""Cells of the field at most."""

_SMALLEST_CELL: Final = 8


@dataclass(frozen=True)
class Sharpness:
    """How well the images tell a shift.

    Attributes
    ----------
    slope : float
        F / Q: by how much a shift is larger than it looks.
    variance : float
        s^2, of a weighted residual.
    information : float
        F^2 / (Q s^2): inverse variance, in pixels, of a shift of all samples against one another along one direction.
    score : float
        F over its standard deviation: below some 5 there is nothing that could be told apart.
    """

    slope: float
    variance: float
    information: float
    score: float


@dataclass(frozen=True, eq=False)
class Linearised:
    """Normal equations about a trajectory, for knots along rows and then along columns.

    Attributes
    ----------
    force : ndarray of float64, (2 K,)
    information : ndarray of float64, (2 K, 2 K)
        ``force = information @ error`` in expectation, and its covariance is the information.
    deviance : float
        Weighted sum of squared residuals over their variance.
    """

    force: Floats
    information: Floats
    sharpness: Sharpness


def sharpness(samples: TimedSamples, read: Readings, weighted: Weights) -> Sharpness:
    """How well these images tell a shift."""
    weight = weighted.each
    squares = weight * (read.gradient**2).sum(axis=1)
    total = max(float(squares.sum()), 1e-300)
    variance = float(np.sum(squares * weight * read.residual**2)) / total
    bend = weight * read.curvature
    strength = float(np.sum((weighted.mean - samples.signal) * bend))
    noise = float(np.sqrt(np.sum(bend**2 * read.residual**2)))
    slope = max(strength, 0.0) / total
    return Sharpness(
        slope=slope,
        variance=variance,
        information=0.5 * slope**2 * total / max(variance, 1e-300),
        score=strength / max(noise, 1e-300),
    )


def linearise(samples: TimedSamples, read: Readings, knots: Knots) -> Linearised:
    """Normal equations of the samples about the trajectory by which they were read."""
    weighted = weights(read, samples)
    weight, sharp = weighted.each, sharpness(samples, read, weighted)
    field = _Field(samples, read)
    scale = sharp.slope / max(sharp.variance, 1e-300)
    count = knots.count
    force, information = np.zeros(2 * count), np.zeros((2 * count, 2 * count))
    for axis in (0, 1):
        pull = field.apart * weight * read.gradient[:, axis] * read.residual
        pull -= read.inside * field.mean(pull)[field.cell]
        force[axis * count : (axis + 1) * count] = scale * knots.gather(pull)
    sums = field.sums(knots)
    for one, other in ((0, 0), (0, 1), (1, 1)):
        firm = field.mean(weight * read.gradient[:, one] * read.gradient[:, other])
        part = scale * sharp.slope * field.laplacian(knots, sums, firm)
        rows, columns = (slice(axis * count, (axis + 1) * count) for axis in (one, other))
        information[rows, columns] = part
        information[columns, rows] = part.T
    return Linearised(force, information, sharp)


class _Field:
    """Cells of the field, and the samples of each slab in them."""

    def __init__(self, samples: TimedSamples, read: Readings) -> None:
        inside = read.inside
        side = max(_SMALLEST_CELL, int(np.ceil(np.sqrt(math.prod(samples.shape) / _CELLS))))
        self._samples, self._inside = samples, inside
        self.cell, cells = area_cells(samples, side)
        self._cells, self._slabs = math.prod(cells), int(samples.slabs.max()) + 1
        both = np.bincount(samples.slabs * self._cells + self.cell, inside, self._cells * self._slabs)
        by_slab = both.reshape(self._slabs, self._cells)
        self._total = np.maximum(by_slab.sum(axis=0), 1.0)
        self.apart = inside * (1.0 - by_slab[samples.slabs, self.cell] / self._total[self.cell])

    def mean(self, values: Floats) -> Floats:
        """Mean of samples' values in each cell."""
        return np.asarray(np.bincount(self.cell, values * self._inside, self._cells) / self._total)

    def sums(self, knots: Knots) -> npt.NDArray[np.float32]:
        """Weights of knots, summed in each slab and cell."""
        return knot_sums(knots, self._samples.slabs, self.cell, self._inside, (self._slabs, self._cells))

    def laplacian(self, knots: Knots, sums: npt.NDArray[np.float32], firm: Floats) -> Floats:
        """Information of samples that are joined in cells, each cell with its firmness."""
        root = (firm / self._total).astype(np.float32)[:, np.newaxis]
        whole = sums.sum(axis=0)
        joined = (whole * root).T @ whole
        for part in sums:
            used = np.flatnonzero(part.any(axis=0))
            if len(used):
                few = np.ascontiguousarray(part[:, used])
                joined[np.ix_(used, used)] -= (few * root).T @ few
        alone = products(knots, self.apart * firm[self.cell])
        return np.asarray(alone - 0.5 * (joined + joined.T).astype(np.float64))
