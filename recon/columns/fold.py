"""Counts folded into one cell of a lattice: columns too weak to be seen one by one are seen in all cells together."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter
from scipy.special import ndtri

from stemscan.recon.columns.score import Score
from stemscan.runtime.compiled import compiled
from stemscan.types import Floats

__all__ = ["folded_sites"]

_FALSE_ALARMS = 0.01
_STEPS_PER_SIGMA = 2.0
_INTERIOR = 2.0


def folded_sites(
    score: Score,
    sign: int,
    sites: Floats,
    basis: Floats,
    sigma: float,
    least: float,
    threshold: float | None = None,
) -> tuple[Floats, Floats]:
    """Offsets from a lattice's sites at which the counts, summed over all cells, call for a column.

    Parameters
    ----------
    sign : int
        1 where columns are bright, -1 where they are dark.
    sites : ndarray of float64, (n, 2)
        The lattice's sites in pixels.
    basis : ndarray of float64, (2, 2)
    sigma : float
        Width of a column in pixels.
    least : float
        Mean amplitude below which a column is none.
    threshold : float, optional
        Mean amplitude over its standard deviation that is called for; by default what noise alone hardly reaches.

    Returns
    -------
    offsets : ndarray of float64, (m, 2)
        (row, column), strongest first.
    amplitudes : ndarray of float64, (m,)
        Mean amplitude of the columns there.
    """
    divisions = [max(4, math.ceil(float(np.hypot(*vector)) / sigma * _STEPS_PER_SIGMA)) for vector in basis]
    fractions = np.stack(np.meshgrid(*(np.arange(n) / n for n in divisions), indexing="ij"), axis=-1)
    offsets = fractions @ basis
    places = score.on_grid(sites)
    places = places[((places > 0) & (places < np.array(score.slope.shape) - 1)).all(axis=1)]
    total, known = (_sums(values, places, offsets / score.step) for values in (sign * score.slope, score.information))
    z = total / np.sqrt(np.maximum(known, 1e-12))
    amplitude = total / np.maximum(known, 1e-12)
    if threshold is None:
        threshold = float(-ndtri(_FALSE_ALARMS / z.size))
    peaks = z == maximum_filter(z, 2 * int(_STEPS_PER_SIGMA) + 1, mode="wrap")
    chosen = np.argwhere(peaks & (z > threshold) & (amplitude > least))
    order = np.argsort(-(z[tuple(chosen.T)]), kind="stable")
    place = tuple(chosen[order].T)
    return np.asarray(offsets[place]).reshape(-1, 2), np.asarray(amplitude[place]).ravel()


@compiled()
def _sums(values: npt.NDArray[np.float32], sites: Floats, offsets: Floats) -> Floats:
    """Sum of an image over sites moved by each of some offsets, (p, q, 2): bilinear, 0 outside."""
    total = np.zeros(offsets.shape[:2])
    for a in range(offsets.shape[0]):
        for b in range(offsets.shape[1]):
            for k in range(sites.shape[0]):
                y, x = sites[k, 0] + offsets[a, b, 0], sites[k, 1] + offsets[a, b, 1]
                i, j = math.floor(y), math.floor(x)
                if 0 <= i < values.shape[0] - 1 and 0 <= j < values.shape[1] - 1:
                    y, x = y - i, x - j
                    upper = (1 - x) * values[i, j] + x * values[i, j + 1]
                    total[a, b] += (1 - y) * upper + y * ((1 - x) * values[i + 1, j] + x * values[i + 1, j + 1])
    return total
