"""Spreading of what an electron leaves in a specimen: a bell around the beam, on a map of cells.

The bell is a cubic B-spline over 4 x 4 cells, which is near to a Gaussian, of standard deviation 1 / sqrt(3) of a cell,
and whose weights sum to 1 wherever the beam is (Unser, IEEE Signal Process. Mag. 16 (1999) 22). Cells are made that
wide, but no narrower than a pixel; below 0.4 pixels all goes to the pixel under the beam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled

__all__ = ["Cells", "shares_of"]

_MARGIN: Final = 2
_SHARP_PX: Final = 0.4


@dataclass(frozen=True, eq=False)
class Cells:
    """A map of cells over the scan's grid.

    Attributes
    ----------
    side : float
        Of a cell, in pixels.
    sharp : bool
        True if all goes to the cell under the beam.
    shape : tuple of int
        Rows and columns of cells, with a margin of two around the grid.
    """

    side: float
    sharp: bool
    shape: tuple[int, int]

    @classmethod
    def over(cls, shape: tuple[int, int], sigma_px: float) -> Self:
        """Cells for a grid (rows, columns) and a standard deviation in pixels."""
        side = max(1.0, sigma_px * math.sqrt(3))
        rows, columns = (math.ceil((size - 1) / side) + 1 + 2 * _MARGIN for size in shape)
        return cls(side, sigma_px < _SHARP_PX, (rows, columns))


@compiled()
def shares_of(position: float, side: float, sharp: bool, cells: int, shares: NDArray[np.float64]) -> int:
    """First of four cells in a row that get a share of what is left at a position in pixels, and these shares, (4,).

    What lies beyond the grid goes to its edge.
    """
    at = min(max(position / side, 0.0), cells - 2.0 * _MARGIN - 1.0)
    if sharp:
        shares[0] = shares[2] = shares[3] = 0.0
        shares[1] = 1.0
        return int(at + 0.5) + 1
    cell = int(at)
    t = at - cell
    u = 1.0 - t
    shares[0], shares[3] = u * u * u / 6.0, t * t * t / 6.0
    shares[1] = (4.0 + 3.0 * t * t * (t - 2.0)) / 6.0
    shares[2] = (4.0 + 3.0 * u * u * (u - 2.0)) / 6.0
    return cell + 1
