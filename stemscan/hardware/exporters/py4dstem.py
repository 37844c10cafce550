"""Format `py4dstem`: `initial_scan_positions=np.load(FILE)` of py4DSTEM's ptychography, in angstrom.

float64 (samples, 2); py4DSTEM's x is the first axis of its data cube, so the row comes first here. Position i belongs
to the i-th diffraction pattern of the flattened scan. Source: docstrings of the classes in py4DSTEM/process/phase of
https://github.com/py4dstem/py4DSTEM.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.hardware.exporters.angstrom import read_positions, write_positions

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["read_py4dstem", "write_py4dstem"]


def write_py4dstem(source: Source, path: Path) -> int:
    """Write the positions of a plan; returns how many.

    Raises
    ------
    PlanError
        When the plan has no pixel size.
    """
    return write_positions(source, path, axes="row-column", user="py4DSTEM")


def read_py4dstem(path: Path) -> npt.NDArray[np.float64]:
    """Read positions (row, column) in angstrom, (samples, 2).

    Raises
    ------
    DataError
        When the file is damaged or holds something else.
    """
    return read_positions(path)
