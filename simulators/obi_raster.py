"""The raster of a virtual Open Beam Interface device: the codes of a region's pixels, row by row, round and round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.obi.commands import CODES, RasterRegion

__all__ = ["Raster"]

_FULL = RasterRegion(0, CODES, 256, 0, CODES, 256)


class Raster:
    """Pixels of a region.

    Parameters
    ----------
    region : RasterRegion
        The whole field, a pixel a code, unless told; counts of 0 are taken as 1.
    """

    def __init__(self, region: RasterRegion = _FULL) -> None:
        self._region = region
        self._columns, self._rows = max(region.x_count, 1), max(region.y_count, 1)
        self._at = 0

    @property
    def left(self) -> int:
        """Pixels up to the end of the region."""
        return self._columns * self._rows - self._at

    def restart(self) -> None:
        """Begin the region anew."""
        self._at = 0

    def take(self, number: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Codes of column and row of the next pixels."""
        index = (self._at + np.arange(number)) % (self._columns * self._rows)
        self._at = (self._at + number) % (self._columns * self._rows)
        row, column = np.divmod(index, self._columns)
        x = self._region.x_start + (column * self._region.x_step >> 8)
        y = self._region.y_start + (row * self._region.y_step >> 8)
        return (x & 0xFFFF).astype(np.uint16), (y & 0xFFFF).astype(np.uint16)
