"""Drift as a simulation knows it: the true trajectory, and the specimen as it lies at the mean position of the scan.

A reconstruction shows the specimen where it lay on average; a simulated one lies where it was when the scan began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from stemscan.store.true_columns import FIELDS, TrueColumns
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.store.reader import Acquisition

__all__ = ["mean_offset", "moved_columns", "moved_image", "true_offsets"]

Floats = npt.NDArray[np.float64]

_BATCH: Final = 1 << 20

_NOTHING: Final = 0.02
"""Mean offsets in pixels that are left as they are: those of jitter."""


def true_offsets(acquisition: Acquisition, start: int = 0, stop: int | None = None) -> Floats | None:
    """Offsets of a simulation's beam on the specimen at samples start .. stop - 1, (n, 2) px; None where not known."""
    if "truth_trajectory" not in acquisition.tracks or not acquisition.samples_committed:
        return None
    places = acquisition.actual(start, stop)
    known = acquisition.positions(start, stop) if places is None else places
    return np.asarray(acquisition.track("truth_trajectory", start, stop).astype(np.float64) - known)


def mean_offset(acquisition: Acquisition) -> Floats:
    """Their mean, (2,); 0 where they are not known, or next to nothing."""
    number = acquisition.samples_committed
    batches = [(start, min(start + _BATCH, number)) for start in range(0, number, _BATCH)]
    sums = [one.sum(axis=0) for one in (true_offsets(acquisition, *batch) for batch in batches) if one is not None]
    mean = np.sum(sums, axis=0) / number if sums else np.zeros(2)
    return np.asarray(mean if np.abs(mean).max() > _NOTHING else np.zeros(2))


def moved_image(image: Image, offset: Floats) -> Image:
    """An image as it is seen from `offset` (row, column) pixels on, by cubic splines, its border going on."""
    from scipy.ndimage import shift

    return np.asarray(shift(image, -offset, order=3, mode="nearest"), np.float32)


def moved_columns(columns: TrueColumns, offset: Floats) -> TrueColumns:
    """Columns as they are seen from `offset` on."""
    values = columns.values.copy()
    for name, by in zip(("row", "col"), offset, strict=True):
        values[:, list(FIELDS).index(name)] -= by
    return TrueColumns(values, columns.classes)
