"""Rows: what was measured of one contender on one image in one cell."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from stemscan.recon.metrics import compare
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.evaluation.cases import Case

__all__ = ["Measured", "Row", "measure", "row_of", "to_csv"]

NAN = float("nan")


@dataclass(frozen=True)
class Measured:
    """Measures of a case; NaN for what the method does not give.

    Attributes
    ----------
    psnr, psnr_affine, psnr_minmax, ssim, ssim_minmax : float
        See `stemscan.recon.metrics`.
    within_1_sd, within_2_sd : float
        Share of pixels whose error is within one and two of their own standard deviations.
    seconds : float
        Wall time of the method.
    factor : int
        Plan pixels per pixel of the grid on which the method worked; 0 where it failed.
    error : str
        Why the method failed; empty where it did not.
    """

    psnr: float = NAN
    psnr_affine: float = NAN
    psnr_minmax: float = NAN
    ssim: float = NAN
    ssim_minmax: float = NAN
    within_1_sd: float = NAN
    within_2_sd: float = NAN
    seconds: float = NAN
    factor: int = 0
    error: str = ""


@dataclass(frozen=True)
class Row:
    """A case and what it gave."""

    set: str
    image: str
    noise: str
    samples_per_block: int
    dose: float
    passes: int
    contender: str
    method: str
    measured: Measured
    digest: str


def measure(image: Image, truth: Image, std: Image | None, seconds: float, factor: int) -> Measured:
    """Measure an image against the truth.

    Parameters
    ----------
    image, truth : ndarray of float32, (H, W)
    std : ndarray of float32, (H, W), or None
        Standard deviation of the image's error.
    """
    metrics = compare(image, truth)
    within = (NAN, NAN)
    if std is not None:
        error = np.abs(image - truth)
        within = (float((error <= std).mean()), float((error <= 2 * std).mean()))
    return Measured(
        metrics.psnr,
        metrics.psnr_affine,
        metrics.psnr_minmax,
        metrics.ssim,
        metrics.ssim_minmax,
        *within,
        seconds,
        factor,
    )


def row_of(case: Case, measured: Measured) -> Row:
    """The row of a case."""
    return Row(
        case.image.set,
        case.image.name,
        case.cell.noise,
        case.cell.samples_per_block,
        case.cell.dose,
        case.passes,
        case.contender.label,
        case.contender.method,
        measured,
        case.digest,
    )


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as the text of a CSV file; empty where a value is not defined."""
    head = [field.name for field in fields(Row) if field.name != "measured"]
    found = [field.name for field in fields(Measured)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*head[:-1], *found, head[-1]])
    for row in rows:
        case = [_text(getattr(row, name)) for name in head]
        writer.writerow([*case[:-1], *(_text(getattr(row.measured, name)) for name in found), case[-1]])
    return text.getvalue()


def _text(value: Any) -> str:
    """A value for CSV."""
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"
