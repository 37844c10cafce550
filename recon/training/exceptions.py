"""Places of a specimen that its lattice does not predict: what a loss must not let the network erase."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from stemscan.store.true_columns import DEFECTS, TrueColumns

__all__ = ["exception_mask"]

_REACH: Final = 0.6
"""Radius about a column that belongs to it, in distances of nearest columns."""

_LARGE: Final = 4.0
"""Displacements from so many times the median one are exceptions, however they are called."""


def exception_mask(columns: TrueColumns | None, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels at columns with a defect, and at those displaced four times as far as the median column.

    Parameters
    ----------
    columns : TrueColumns or None
        None gives an empty mask.
    shape : tuple of int
        Rows and columns of the scan.

    Returns
    -------
    ndarray of bool, (H, W)
    """
    mask = np.zeros(shape, bool)
    if columns is None or len(columns.values) < 2:
        return mask
    places = np.stack([columns["row"], columns["col"]], axis=1)
    moved = np.hypot(columns["displacement_row"], columns["displacement_col"])
    found = (columns["defect"] != DEFECTS.index("none")) | (moved > _LARGE * np.median(moved))
    if not found.any():
        return mask
    apart = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    pixels = np.clip(np.rint(places[found]).astype(int), 0, np.array(shape) - 1)
    mask[pixels[:, 0], pixels[:, 1]] = True
    return np.asarray(distance_transform_edt(~mask) <= _REACH * apart)
