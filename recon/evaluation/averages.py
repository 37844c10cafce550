"""Means over the images of a set, for every contender and cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from stemscan.recon.evaluation.rows import Measured, Row

__all__ = ["KINDS", "Averages", "Kind", "Mean"]


class Kind(NamedTuple):
    """A kind of PSNR: its name, its field, and the field of the SSIM that goes with it."""

    name: str
    psnr: str
    ssim: str | None


KINDS: Final = (
    Kind("absolute", "psnr", "ssim"),
    Kind("affine", "psnr_affine", None),
    Kind("min-max", "psnr_minmax", "ssim_minmax"),
)


@dataclass(frozen=True)
class Mean:
    """Mean of a value over images.

    Attributes
    ----------
    value : float
        NaN where no image has one.
    failed : int
        Images on which the method failed; they are not in the mean.
    """

    value: float
    failed: int


class Averages:
    """Means of the rows of one set of images and one kind of noise.

    Parameters
    ----------
    rows : iterable of Row
        Of one set and one noise.

    Attributes
    ----------
    set : str
        The set of images; empty without rows.
    images : int
        Number of images.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._cells: dict[tuple[str, int, float], list[Measured]] = {}
        self._all: dict[str, list[Measured]] = {}
        images = set()
        self.set = ""
        for row in rows:
            key = (row.contender, row.samples_per_block, row.dose)
            self._cells.setdefault(key, []).append(row.measured)
            self._all.setdefault(row.contender, []).append(row.measured)
            images.add(row.image)
            self.set = row.set
        self.images = len(images)

    def has(self, contender: str) -> bool:
        """Tell whether there are rows of a contender."""
        return contender in self._all

    def mean(self, contender: str, samples_per_block: int, dose: float, field: str) -> Mean | None:
        """Mean of a field of `Measured` in a cell; None where there are no rows."""
        found = self._cells.get((contender, samples_per_block, dose))
        return None if found is None else _mean(found, field)

    def overall(self, contender: str, field: str) -> Mean | None:
        """Mean of a field over all cells."""
        found = self._all.get(contender)
        return None if found is None else _mean(found, field)

    def median_seconds(self, contender: str) -> float:
        """Median time of a contender over all its rows, which one slow start does not move; NaN where all failed."""
        seconds = [one.seconds for one in self._all.get(contender, ()) if not one.error]
        return float(np.median(seconds)) if seconds else float("nan")


def _mean(found: Sequence[Measured], field: str) -> Mean:
    """Mean over the images on which the method did not fail."""
    good = [float(getattr(one, field)) for one in found if not one.error]
    defined = [value for value in good if not np.isnan(value)]
    return Mean(float(np.mean(defined)) if defined else float("nan"), len(found) - len(good))
