"""Format `npy`: int32 (passes, samples of a pass, 2), (row, column) of each sample in pixels, in the order of visits.

`stemscan import --positions` takes it. The dwell time is not in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.npy_arrays import read_npy_array, write_npy_array

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["FORMATS", "read_npy", "write_npy"]


def write_npy(source: Source, path: Path) -> int:
    """Write the points of a plan; returns how many."""
    plan = source.plan
    shape = (plan.passes, plan.samples_per_pass, 2)
    write_npy_array(path, shape, "<i4", source.positions())
    return plan.total_samples


def read_npy(path: Path) -> npt.NDArray[np.int32]:
    """Read points in pixels.

    Returns
    -------
    array of int32, (passes, samples, 2)
        (row, column).

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    points = read_npy_array(path, kinds="iu", what="whole (row, column) of shape (passes, samples, 2)")
    if points.ndim != 3 or points.shape[2] != 2:
        raise DataError(f"{path}: expected points of shape (passes, samples, 2), got {points.shape}")
    if points.size and (points.min() < 0 or points.max() > 65535):
        raise DataError(f"{path}: expected pixels from 0 to 65535, got {points.min()} to {points.max()}")
    return points.astype(np.int32)


FORMATS = (
    Format(
        "npy",
        "(row, column) in pixels, (passes, samples, 2), for numpy",
        (".npy",),
        write_npy,
        read_npy,
        holds=lambda shape, dtype: dtype.kind in "iu" and len(shape) == 3 and shape[2] == 2,
    ),
)
