"""Positions in angstrom, as simulation and reconstruction programs take them: float64 (samples, 2) in a .npy file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, PlanError
from stemscan.hardware.exporters.npy import read_npy_array, write_npy_array

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["ANGSTROM_PER_NM", "read_positions", "write_positions"]

ANGSTROM_PER_NM = 10.0
Axes = Literal["xy", "row-column"]


def write_positions(source: Source, path: Path, *, axes: Axes, user: str) -> int:
    """Write pixel numbers times the pixel size.

    Parameters
    ----------
    source : Source
    path : pathlib.Path
    axes : {"xy", "row-column"}
        Which of a position's numbers comes first: that along a row (x), or that of the row.
    user : str
        Who takes the file, for errors.

    Returns
    -------
    int
        Positions written.

    Raises
    ------
    PlanError
        When the plan has no pixel size.
    """
    plan = source.plan
    if plan.pixel_size_nm is None:
        raise PlanError(f"expected a pixel_size_nm in a plan for {user}, which takes angstrom, got none; add it")
    step = plan.pixel_size_nm * ANGSTROM_PER_NM
    order = (1, 0) if axes == "xy" else (0, 1)
    pieces = (points[:, order] * step for points in source.positions())
    write_npy_array(path, (plan.total_samples, 2), "<f8", pieces)
    return plan.total_samples


def read_positions(path: Path) -> npt.NDArray[np.float64]:
    """Read positions in angstrom, (samples, 2), as they stand in the file.

    Raises
    ------
    DataError
        When the file is damaged, of another shape, or holds what is no finite number.
    """
    positions = read_npy_array(path, kinds="f", what="positions in angstrom of shape (samples, 2)")
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise DataError(f"{path}: expected positions of shape (samples, 2), got {positions.shape}")
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise DataError(f"{path}: expected finite positions, got {positions[bad].tolist()} at sample {bad}")
    return positions.astype(np.float64)
