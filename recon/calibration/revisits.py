"""Pixels that were visited again: the mean of their readings, and half the squared differences of successive ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.types import Array

__all__ = ["Revisits", "find_revisits"]

Floats = npt.NDArray[np.float64]

_ENOUGH: Final = 10_000
"""Pairs within passes from which pairs across passes, between which the specimen may move, are left aside."""


@dataclass(frozen=True, eq=False)
class Revisits:
    """Pixels with at least two readings.

    Attributes
    ----------
    pixels : ndarray of int64, (P,)
        Row x columns of the grid + column.
    mean, variance : ndarray of float64, (P,)
        Mean reading, and mean of half the squared differences of readings that follow one another at the pixel.
    square, product : ndarray of float64, (P,)
        Means over its pairs of the squared mean of the pair, and of that mean times half the squared difference.
    pairs : ndarray of int64, (P,)
        Differences in each.
    """

    pixels: npt.NDArray[np.int64]
    mean: Floats
    variance: Floats
    square: Floats
    product: Floats
    pairs: npt.NDArray[np.int64]


def find_revisits(
    readings: Array, positions: Array, pass_starts: tuple[int, ...], columns: int
) -> tuple[Revisits, bool]:
    """Pixels that were visited again: within a pass where that gives enough, else in passes that follow one another.

    Parameters
    ----------
    readings : ndarray, (N,)
        In scan order.
    positions : ndarray of integers, (N, 2)
    pass_starts : tuple of int
        First sample of each pass, and the total.
    columns : int
        Of the grid.

    Returns
    -------
    Revisits, bool
        And whether its pairs are of the same pass alone.
    """
    pixels = positions[:, 0].astype(np.int64) * columns + positions[:, 1]
    passes = np.searchsorted(np.asarray(pass_starts[1:-1]), np.arange(len(pixels)), side="right")
    order = np.argsort(pixels, kind="stable")
    place, value, number = pixels[order], readings[order].astype(np.float64), passes[order]
    again = place[1:] == place[:-1]
    close = again & (number[1:] == number[:-1])
    same_pass = int(np.count_nonzero(close)) >= _ENOUGH
    found = close if same_pass else again
    left, right = value[:-1][found], value[1:][found]
    visited, inverse, pairs = np.unique(place[1:][found], return_inverse=True, return_counts=True)
    halves, means = (right - left) ** 2 / 2, (right + left) / 2

    def averaged(values: Floats) -> Floats:
        mean: Floats = np.bincount(inverse, values, len(visited)) / pairs
        return mean

    parts = [averaged(one) for one in (means, halves, means**2, means * halves)]
    return Revisits(visited, parts[0], parts[1], parts[2], parts[3], pairs), same_pass
