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

_NOTHING: Final = 0.02
"""Mean offsets in pixels that are left as they are: those of jitter."""


def true_offsets(acquisition: Acquisition) -> Floats | None:
    """Offsets of a simulation's beam on the specimen, (n, 2) in pixels; None where they are not known."""
    if "truth_trajectory" not in acquisition.tracks or not acquisition.samples_committed:
        return None
    places = acquisition.actual()
    known = acquisition.positions() if places is None else places
    return np.asarray(acquisition.track("truth_trajectory").astype(np.float64) - known)


def mean_offset(acquisition: Acquisition) -> Floats:
    """Their mean, (2,); 0 where they are not known, or next to nothing."""
    offsets = true_offsets(acquisition)
    mean = np.zeros(2) if offsets is None else offsets.mean(axis=0)
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
