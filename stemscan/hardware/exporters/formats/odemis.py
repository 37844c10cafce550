"""Format `odemis`: positions in pixels for `scanPath` of an Odemis scanner: `scanner.scanPath.value = np.load(FILE)`.

float64 (samples, 2): (x, y), x along a row and y down the rows, both from the centre of the plan's grid, which lies
between two pixels where their number is even. The scanner's resolution must be that of the plan. The dwell time is not
in it. Source: the scanners in src/odemis/driver of https://github.com/delmic/odemis.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.npy_arrays import read_pairs, write_npy_array

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["FORMATS", "read_odemis", "write_odemis"]

_FARTHEST = 32768.0


def write_odemis(source: Source, path: Path) -> int:
    """Write the positions of a plan; returns how many."""
    plan = source.plan
    centre = (np.array(plan.shape)[::-1] - 1) / 2
    pieces = (points[:, ::-1] - centre for points in source.positions())
    write_npy_array(path, (plan.total_samples, 2), "<f8", pieces)
    return plan.total_samples


def read_odemis(path: Path) -> npt.NDArray[np.float64]:
    """Read positions (x, y) in pixels from the centre, (samples, 2).

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    positions = read_pairs(path, kinds="f", what="positions in pixels")
    inside = (np.abs(positions) <= _FARTHEST).all(axis=1)  # not so for what is no number
    if not inside.all():
        bad = int(np.argmin(inside))
        raise DataError(
            f"{path}: expected positions within {_FARTHEST:g} pixels of the centre, got {positions[bad].tolist()} at "
            f"sample {bad}"
        )
    return positions.astype(np.float64)


FORMATS = (
    Format(
        "odemis",
        "(x, y) in pixels from the centre, for Odemis' scanPath",
        (".npy",),
        write_odemis,
        read_odemis,
        from_zero=False,
        holds=lambda shape, dtype: dtype == np.float64 and len(shape) == 2 and shape[1] == 2,
    ),
)
