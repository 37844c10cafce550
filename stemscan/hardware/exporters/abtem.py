"""Format `abtem`: positions for `abtem.CustomScan(np.load(FILE))`, float64 (samples, 2), (x, y) in angstrom.

x runs along a row (with the column number), y with the row number, both from the centre of the top left pixel; abTEM's
own pictures show y upwards. Source: docstring of CustomScan in https://github.com/abTEM/abTEM (abtem/scan.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.hardware.exporters.angstrom import read_positions, write_positions

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["read_abtem", "write_abtem"]


def write_abtem(source: Source, path: Path) -> int:
    """Write the positions of a plan; returns how many.

    Raises
    ------
    PlanError
        When the plan has no pixel size.
    """
    return write_positions(source, path, axes="xy", user="abTEM")


def read_abtem(path: Path) -> npt.NDArray[np.float64]:
    """Read positions (x, y) in angstrom, (samples, 2).

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    return read_positions(path)
