"""The raster of a virtual Open Beam Interface device: the codes of a region's pixels, row by row, once."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.hardware.obi.commands import CODES, RasterRegion

__all__ = ["Raster"]

_NO_REGION: Final = RasterRegion(0, 0, 0, 0, 0, 0)


class Raster:
    """Pixels of the latest region; none before the first, and none after its last.

    A device keeps 14 bits of starts and counts, so that a count of 0 or 16384 is one of 16384.
    """

    def __init__(self) -> None:
        self._region = _NO_REGION
        self._columns = self._rows = CODES
        self._at = self._end = 0

    @property
    def has_region(self) -> bool:
        """Tell whether there was a region."""
        return self._region is not _NO_REGION

    @property
    def left(self) -> int:
        """Pixels up to the end of the region."""
        return self._end - self._at

    def begin(self, region: RasterRegion) -> None:
        """Go to the first pixel of a region."""
        self._region = region
        self._columns, self._rows = region.x_count % CODES or CODES, region.y_count % CODES or CODES
        self.again()

    def again(self) -> None:
        """Go to the first pixel of the latest region; of one that stays on code (0, 0) if there was none."""
        self._at, self._end = 0, self._columns * self._rows

    def leave(self) -> None:
        """Have no pixels any more."""
        self._at = self._end

    def take(self, number: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Codes of column and row of the next pixels, of which there are at least so many."""
        row, column = np.divmod(self._at + np.arange(number), self._columns)
        self._at += number
        x = self._region.x_start + (column * self._region.x_step >> 8)
        y = self._region.y_start + (row * self._region.y_step >> 8)
        return (x & 0xFFFF).astype(np.uint16), (y & 0xFFFF).astype(np.uint16)
