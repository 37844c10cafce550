"""Compiled loops of the estimate of drift."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stemscan.runtime.compiled import compiled

__all__ = ["deposit_slabs", "knot_sums", "products", "readings"]

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]


@compiled()
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
    count, rows, columns : int

    Returns
    -------
    sums, visits : float32 (count, rows, columns)
    """
    sums = np.zeros((count, rows, columns), np.float32)
    visits = np.zeros((count, rows, columns), np.float32)
    for i in range(signal.size):
        row, column = positions[i, 0], positions[i, 1]
        if not (-0.5 <= row <= rows - 0.5 and -0.5 <= column <= columns - 0.5):
            continue
        row, column = min(max(row, 0.0), rows - 1.0), min(max(column, 0.0), columns - 1.0)
        top, left = min(int(row), rows - 2), min(int(column), columns - 2)
        down, right = row - top, column - left
        for r in range(2):
            for c in range(2):
                share = (down if r else 1 - down) * (right if c else 1 - right)
                sums[slabs[i], top + r, left + c] += share * signal[i]
                visits[slabs[i], top + r, left + c] += share
    return sums, visits


@compiled(inline=True)
def _between(image: Images, row: float, column: float) -> float:
    """An image between pixels."""
    rows, columns = image.shape
    top, left = min(int(row), rows - 2), min(int(column), columns - 2)
    down, right = row - top, column - left
    upper = (1 - right) * image[top, left] + right * image[top, left + 1]
    lower = (1 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    mixed: float = (1 - down) * upper + down * lower
    return mixed


@compiled()
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
    out, inside = np.zeros((slabs.size, 4)), np.zeros(slabs.size, np.bool_)
    for i in range(slabs.size):
        row, column = positions[i, 0], positions[i, 1]
        if not (1.0 <= row <= rows - 2.0 and 1.0 <= column <= columns - 2.0):
            continue
        inside[i] = True
        out[i, 0] = _between(others[slabs[i]], row, column)
        out[i, 1] = _between(curvatures[slabs[i]], row, column)
        out[i, 2] = _between(down, row, column)
        out[i, 3] = _between(right, row, column)
    return out, inside


@compiled()
def knot_sums(
    first: Whole, share: Floats, slabs: Whole, cells: Whole, inside: npt.NDArray[np.bool_], count: int, shape: Whole
) -> Images:
    """Weights of knots, summed over the samples of each slab in each cell of the field.

    Parameters
    ----------
    first : int64 (n,)
    share : float64 (n,)
    slabs, cells : int64 (n,)
    inside : bool (n,)
        Samples that count.
    count : int
        Knots.
    shape : int64 (2,)
        Slabs and cells.

    Returns
    -------
    float32 (slabs, cells, count)
    """
    sums = np.zeros((shape[0], shape[1], count), np.float32)
    for i in range(first.size):
        if inside[i]:
            sums[slabs[i], cells[i], first[i]] += 1 - share[i]
            sums[slabs[i], cells[i], first[i] + 1] += share[i]
    return sums


@compiled()
def products(first: Whole, share: Floats, values: Floats, count: int) -> Floats:
    """Sum over samples of value times the outer product of their knots' weights, float64 (count, count)."""
    out = np.zeros((count, count))
    for i in range(first.size):
        k, late = first[i], share[i]
        out[k, k] += values[i] * (1 - late) * (1 - late)
        out[k, k + 1] += values[i] * (1 - late) * late
        out[k + 1, k] += values[i] * (1 - late) * late
        out[k + 1, k + 1] += values[i] * late * late
    return out
