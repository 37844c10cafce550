"""Sums over samples and values between pixels, as the estimate of drift takes them.

In NumPy: the loops of numba would be a few times as fast, and cost each reconstruction half a second to load.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stemscan.recon.drift.timed import Knots

__all__ = ["deposit_slabs", "knot_sums", "products", "readings"]

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]


def _corners(places: Floats, columns: int, rows: int) -> list[tuple[Whole, Floats]]:
    """Flat number and share of the four pixels about each place of a grid; both (n,)."""
    row, column = (np.clip(places[:, axis], 0, side - 1) for axis, side in ((0, rows), (1, columns)))
    top, left = (np.minimum(at.astype(np.int64), side - 2) for at, side in ((row, rows), (column, columns)))
    down, right = row - top, column - left
    first = top * columns + left
    return [
        (first, (1 - down) * (1 - right)),
        (first + 1, (1 - down) * right),
        (first + columns, down * (1 - right)),
        (first + columns + 1, down * right),
    ]


def deposit_slabs(
    signal: Floats, positions: Floats, slabs: Whole, count: int, rows: int, columns: int
) -> tuple[Images, Images]:
    """Sums of signal and of visits of each slab, shared bilinearly; samples beyond the grid are left out.

    Parameters
    ----------
    signal : float64 (n,)
    positions : float64 (n, 2)
        In pixels of the grid.
    slabs : int64 (n,)

    Returns
    -------
    sums, visits : float32 (count, rows, columns)
    """
    within = np.all((positions >= -0.5) & (positions <= np.array([rows, columns]) - 0.5), axis=1)
    sums, visits = np.zeros((2, count * rows * columns))
    for number, share in _corners(positions, columns, rows):
        where, share = slabs * (rows * columns) + number, share * within
        sums += np.bincount(where, share * signal, sums.size)
        visits += np.bincount(where, share, sums.size)
    shape = count, rows, columns
    return sums.reshape(shape).astype(np.float32), visits.reshape(shape).astype(np.float32)


def readings(
    positions: Floats, slabs: Whole, others: Images, curvatures: Images, down: Images, right: Images
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Images at samples: those of the other slabs, their curvature, and two that all share.

    Parameters
    ----------
    positions : float64 (n, 2)
        In pixels of the images.
    slabs : int64 (n,)
    others, curvatures : float32 (S, H, W)
    down, right : float32 (H, W)

    Returns
    -------
    float64 (n, 4)
        Image, curvature, derivative along rows and along columns.
    bool (n,)
        Samples that lie inside of the grid, a little away from its border.
    """
    rows, columns = down.shape
    inside = np.all((positions >= 1) & (positions <= np.array([rows, columns]) - 2), axis=1)
    out, own = np.zeros((slabs.size, 4)), slabs * down.size
    for number, share in _corners(positions, columns, rows):
        share = share * inside
        out[:, 0] += share * others.ravel()[own + number]
        out[:, 1] += share * curvatures.ravel()[own + number]
        out[:, 2] += share * down.ravel()[number]
        out[:, 3] += share * right.ravel()[number]
    return out, inside


def knot_sums(
    knots: Knots, slabs: Whole, cells: Whole, inside: npt.NDArray[np.bool_], shape: tuple[int, int]
) -> Images:
    """Weights of knots, summed over the samples of each slab in each cell of the field.

    Parameters
    ----------
    slabs, cells : int64 (n,)
    inside : bool (n,)
        Samples that count.
    shape : (int, int)
        Slabs and cells.

    Returns
    -------
    float32 (slabs, cells, knots)
    """
    size = math.prod(shape) * knots.count
    first = (slabs * shape[1] + cells) * knots.count + knots.first
    sums = np.bincount(first, (1 - knots.share) * inside, size)
    sums += np.bincount(first + 1, knots.share * inside, size)
    return sums.reshape(*shape, knots.count).astype(np.float32)


def products(knots: Knots, values: Floats) -> Floats:
    """Sum over samples of value times the outer product of their knots' weights, float64 (K, K)."""
    first, late, count = knots.first, knots.share, knots.count
    own = np.bincount(first, values * (1 - late) ** 2, count) + np.bincount(first + 1, values * late**2, count)
    beside = np.bincount(first, values * (1 - late) * late, count)[:-1]
    return np.diag(own) + np.diag(beside, 1) + np.diag(beside, -1)
