"""Formats `abtem` and `py4dstem`: positions in angstrom from the centre of the top left pixel, float64 (samples, 2).

`abtem`, for `abtem.CustomScan(np.load(FILE))`, has (x, y): x runs along a row (with the column number), y with the row
number; abTEM's own pictures show y upwards. `py4dstem`, for `initial_scan_positions=np.load(FILE)` of py4DSTEM's
ptychography, has (row, column), as py4DSTEM's x is the first axis of its data cube; position i belongs to the i-th
diffraction pattern of the flattened scan. Sources: docstring of CustomScan in https://github.com/abTEM/abTEM
(abtem/scan.py); docstrings of the classes in py4DSTEM/process/phase of https://github.com/py4dstem/py4DSTEM.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, PlanError
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.npy_arrays import read_pairs, write_npy_array

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["FORMATS", "read_angstrom", "write_angstrom"]

_ANGSTROM_PER_NM = 10.0


def write_angstrom(source: Source, path: Path, *, axes: tuple[int, int], reader: str) -> int:
    """Write pixel numbers times the pixel size; returns how many positions.

    Parameters
    ----------
    axes : tuple of int
        Order of (row, column): the axis that comes first, then the other.
    reader : str
        Who takes the file, for errors.

    Raises
    ------
    PlanError
        When the plan has no pixel size.
    """
    plan = source.plan
    if plan.pixel_size_nm is None:
        raise PlanError(f"expected a pixel_size_nm in a plan for {reader}, which takes angstrom, got none; add it")
    step = plan.pixel_size_nm * _ANGSTROM_PER_NM
    write_npy_array(path, (plan.total_samples, 2), "<f8", (points[:, axes] * step for points in source.positions()))
    return plan.total_samples


def read_angstrom(path: Path) -> npt.NDArray[np.float64]:
    """Read positions in angstrom, (samples, 2), as they stand in the file.

    Raises
    ------
    DataError
        When the file is damaged, of another shape, or holds what is no finite number.
    """
    positions = read_pairs(path, kinds="f", what="positions in angstrom")
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise DataError(f"{path}: expected finite positions, got {positions[bad].tolist()} at sample {bad}")
    return positions.astype(np.float64)


def _holds(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Tell whether an array may be such positions."""
    return dtype == np.float64 and len(shape) == 2 and shape[1] == 2


FORMATS = tuple(
    Format(
        name,
        title,
        (".npy",),
        partial(write_angstrom, axes=axes, reader=reader),
        read_angstrom,
        from_zero=False,
        holds=_holds,
    )
    for name, title, axes, reader in (
        ("abtem", "(x, y) in angstrom, for abtem.CustomScan", (1, 0), "abTEM"),
        ("py4dstem", "(row, column) in angstrom, for py4DSTEM's ptychography", (0, 1), "py4DSTEM"),
    )
)
