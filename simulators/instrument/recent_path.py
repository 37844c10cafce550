"""A path that keeps what was expanded last: several effects ask for the same samples."""

from __future__ import annotations

from typing import Final

import numpy as np

from stemscan.path.scan_path import ScanPath
from stemscan.types import Points

__all__ = ["RecentPath"]

_KEPT: Final = 1 << 16


class RecentPath(ScanPath):
    """A `ScanPath` for one thread, quick where ranges follow one another and overlap."""

    _first = 0
    _points: Points | None = None

    def positions(self, start: int, stop: int) -> Points:
        """Points of samples start .. stop - 1, (n, 2) int32, not to be written into."""
        if not 0 <= start <= stop <= len(self):
            return super().positions(start, stop)  # which refuses it
        kept, first = self._points, self._first
        if kept is None or not first <= start <= first + len(kept):
            kept, first = super().positions(start, stop), start
        elif stop > first + len(kept):
            begin = max(first, start - _KEPT)
            kept, first = np.concatenate([kept[begin - first :], super().positions(first + len(kept), stop)]), begin
        self._points, self._first = kept, first
        return kept[start - first : stop - first]
