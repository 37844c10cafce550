"""Rectangles of steps that go row by row in equal steps, as a device counts off the pixels of a region itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stemscan.hardware.raster_runs import LARGEST_STEP, row_runs

if TYPE_CHECKING:
    from stemscan.hardware.program import Steps

__all__ = ["Rectangle", "rectangles"]


class Rectangle(NamedTuple):
    """Consecutive steps of equal dwell and blanking, in rows of equal length.

    Attributes
    ----------
    first : int
        Index of the first.
    x_step, y_step : int
        Codes between columns and rows; 1 where there is only one row.
    """

    first: int
    columns: int
    rows: int
    x_step: int
    y_step: int


def rectangles(steps: Steps) -> list[Rectangle]:
    """The rectangles among steps whose codes are inside the device's field, in order."""
    dwell, blanked = steps.dwell, steps.blanked
    alike = np.ones(len(steps), bool)
    alike[1:] = (dwell[1:] == dwell[:-1]) & (blanked[1:] == blanked[:-1])
    found: list[Rectangle] = []
    for first, length in zip(*(part.tolist() for part in row_runs(steps.x, steps.y, alike)), strict=True):
        row = Rectangle(first, length, 1, int(steps.x[first + 1] - steps.x[first]), 1)
        merged = _merged(found[-1], row, steps) if found else None
        if merged is None:
            found.append(row)
        else:
            found[-1] = merged
    return found


def _merged(above: Rectangle, row: Rectangle, steps: Steps) -> Rectangle | None:
    """A rectangle with a row more, None where it does not continue it."""
    last = above.first + above.columns * (above.rows - 1)
    down = int(steps.y[row.first]) - int(steps.y[last])
    continues = (
        row.first == last + above.columns
        and (row.columns, row.x_step) == (above.columns, above.x_step)
        and steps.x[row.first] == steps.x[last]
        and steps.dwell[row.first] == steps.dwell[last]
        and steps.blanked[row.first] == steps.blanked[last]
        and (0 < down <= LARGEST_STEP if above.rows == 1 else down == above.y_step)
    )
    return above._replace(rows=above.rows + 1, y_step=down) if continues else None
