"""Quantiles of more numbers than memory holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["QUANTILES", "Spread"]

QUANTILES: Final = (0.01, 0.05, 0.5)

_PER_DECADE: Final = 200  # bins 1.2 % wide
_BINS: Final = 16 * _PER_DECADE


@dataclass
class Spread:
    """The least of numbers of at least 0, and how many there are, and their sum, in narrow bins from 1 up."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(_BINS))
    least: float = np.inf

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count numbers; infinite ones are left out."""
        known = values[np.isfinite(values)]
        bins = (np.log10(np.maximum(known, 1.0)) * _PER_DECADE).astype(np.int64).clip(max=_BINS - 1)
        self.counts += np.bincount(bins, minlength=_BINS)
        self.sums += np.bincount(bins, known, minlength=_BINS)
        self.least = min(self.least, float(known.min(initial=np.inf)))

    def quantiles(self) -> tuple[tuple[float, float], ...] | None:
        """(share, number): the least, exactly, and `QUANTILES` within 1.2 % (within 1 below 1); None of no numbers."""
        below = np.cumsum(self.counts)
        if not below[-1]:
            return None
        bins = [int(np.searchsorted(below, max(share * below[-1], 1))) for share in QUANTILES]
        means = [float(self.sums[number] / self.counts[number]) for number in bins]
        return ((0.0, self.least), *zip(QUANTILES, means, strict=True))
