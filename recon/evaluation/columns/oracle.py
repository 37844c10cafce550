"""Likelihood ratios of an oracle that knows all of a specimen but whether one column is missing, or displaced.

For a column that may be missing it compares the counts with the column, at its usual height, and without it; for one
that may be displaced, the mean of the likelihood over all displacements that were drawn with that at the site. No test
that knows less can tell the two better apart.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from stemscan.recon.evaluation.columns.bound import Samples, Touched
from stemscan.recon.evaluation.columns.profile import TrueProfile
from stemscan.store.true_columns import TrueColumns
from stemscan.types import Floats

__all__ = ["likelihood_ratios"]

_LENGTHS, _ANGLES = 6, 12
_LEAST = 1e-3
_TURNS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Where the law of an unsure site is looked at, in its standard deviations."""


def likelihood_ratios(
    columns: TrueColumns,
    nominal: Floats,
    profile: TrueProfile,
    samples: Samples,
    shift: tuple[float, float],
    learned: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats]:
    """ln of the ratio for missing over present, and for displaced over at the site, of each column.

    Parameters
    ----------
    nominal : float64 (n,)
        Usual heights.
    samples : Samples
        Counts are taken as Poisson's.
    shift : tuple of float
        Least and greatest displacement in pixels.
    learned : float64 (n, 2) and (n,), optional
        Each column's site as the oracle has it, row and column, and its standard deviation per axis; the true one by
        default.

    Returns
    -------
    missing, displaced : float64 (n,)
    """
    places = np.stack([columns["row"], columns["col"]], axis=1)
    moved = np.stack([columns["displacement_row"], columns["displacement_col"]], axis=1)
    if learned is not None:
        moved = places - learned[0]
    heights, count = columns["amplitude"], len(columns)
    pairs = Touched.of(places, samples, profile.reach + shift[1])
    own = heights[pairs.owners] * profile.at(pairs.down, pairs.right, 0)
    rest = np.maximum(samples.signal[pairs.samples] - own, _LEAST)
    counted, visits = samples.counted[pairs.samples], samples.visits[pairs.samples]

    def likelihood(tall: Floats, off: Floats) -> Floats:
        """ln L of a column at an offset from each true place over that of none."""
        off = np.broadcast_to(off, (count, 2))
        down, right = pairs.down - off[pairs.owners, 0], pairs.right - off[pairs.owners, 1]
        added = np.maximum(tall[pairs.owners] * profile.at(down, right, 0), -0.99 * rest)
        terms = counted * np.log1p(added / rest) - visits * added
        return np.asarray(samples.dose * np.bincount(pairs.owners, terms, count))

    missing = -likelihood(nominal, np.zeros(2))
    total = np.full(count, -math.inf)
    for length in shift[0] + (np.arange(_LENGTHS) + 0.5) / _LENGTHS * (shift[1] - shift[0]):
        for angle in 2 * math.pi * np.arange(_ANGLES) / _ANGLES:
            tried = likelihood(heights, length * np.array([math.sin(angle), math.cos(angle)]) - moved)
            total = np.logaddexp(total, tried)
    total -= math.log(_LENGTHS * _ANGLES)
    if learned is None:
        return missing, total - likelihood(heights, -moved)
    here = np.full(count, -math.inf)
    for turn in product(_TURNS, _TURNS):
        weight = -0.5 * float(np.sum(np.square(turn)))
        here = np.logaddexp(here, weight + likelihood(heights, learned[1][:, None] * np.array(turn) - moved))
    return missing, total - here + 2 * math.log(float(np.exp(-0.5 * np.square(_TURNS)).sum()))
