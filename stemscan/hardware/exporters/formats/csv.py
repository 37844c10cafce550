"""Format `csv`: a line of names, then `row,column` of each sample in pixels, in the order of visits.

`stemscan import --positions` takes it. All passes follow each other; where one ends, and the dwell time, are not in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError
from stemscan.hardware.exporters.decimal_text import decimal_lines
from stemscan.hardware.exporters.format import Contents, Format, contents_of_points
from stemscan.hardware.exporters.text_reader import open_data, read_header_line, read_table

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["FORMATS", "read_csv", "write_csv"]


def write_csv(source: Source, path: Path) -> int:
    """Write the points of a plan; returns how many."""
    with path.open("wb") as file:
        file.write(b"row,column\n")
        for points in source.positions():
            file.write(decimal_lines((points[:, 0], points[:, 1]), b","))
    return source.plan.total_samples


def read_csv(path: Path) -> npt.NDArray[np.int32]:
    """Read points in pixels.

    Returns
    -------
    array of int32, (samples, 2)
        (row, column).

    Raises
    ------
    DataError
        When the first line is not `row,column`, or a later one not two whole numbers from 0 to 65535.
    """
    with open_data(path) as file:
        names = read_header_line(file, path, 1, "the names row,column")
        if [name.strip() for name in names.split(",")] != ["row", "column"]:
            raise DataError(f"{path}: expected the names row,column in line 1, got {names!r}")
        points = read_table(file, path, separator=",", columns=(2,), first_line=2)
    if points.size and points.max() > 65535:
        bad = int(np.argmax((points > 65535).any(axis=1)))
        raise DataError(
            f"{path}: expected pixels from 0 to 65535, got {points[bad, 0]},{points[bad, 1]} in line {bad + 2}"
        )
    return points.astype(np.int32)


def _describe(path: Path) -> Contents:
    """Number and extent of the points."""
    return contents_of_points(read_csv(path))


def _begins(start: bytes) -> bool:
    """Tell whether the first line is that of the names."""
    return start.split(b"\n")[0].strip().replace(b" ", b"") == b"row,column"


FORMATS = (
    Format(
        "csv",
        "list of row,column in pixels, for everything",
        (".csv", ".txt"),
        write_csv,
        read_csv,
        begins=_begins,
        describe=_describe,
    ),
)
