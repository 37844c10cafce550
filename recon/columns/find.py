"""From counts to a table of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.recon.columns.finding import Finding, empty_table
from stemscan.recon.columns.saturation import saturated_share
from stemscan.recon.columns.sources import inputs_of
from stemscan.recon.columns.table import ColumnTable
from stemscan.recon.columns.tiles import Scan, Tile
from stemscan.recon.columns.whole import search
from stemscan.recon.threads import limit_threads
from stemscan.runtime.work import part
from stemscan.types import Array

if TYPE_CHECKING:
    from pathlib import Path

    from stemscan.recon.inputs.inputs import Inputs
    from stemscan.store.reader import Acquisition

__all__ = ["find_and_draw", "find_columns", "finding", "pilot_image"]

_SMALLEST = 16


def find_columns(
    source: Inputs | Acquisition | str | Path | Array,
    image: npt.ArrayLike | None = None,
    *,
    electrons_per_sample: float | None = None,
    pixel_size_nm: float | None = None,
    gain: float | None = None,
    offset: float | None = None,
    noise: str | None = None,
    frame: str | None = None,
    threads: int | None = None,
) -> ColumnTable:
    """Find the atomic columns of a scan, or of an image of known dose, and fit them to the counts.

    Samples count where the beam was, in stores that say so.

    Parameters
    ----------
    source : Inputs, Acquisition, str, Path or ndarray
        Counts and visits, an acquisition, or the path of its store. With a dose also an image, (H, W), frames of one
        field, (T, H, W), or the path of a file of them; each pixel was visited once a frame unless it is NaN.
    image : array_like, (H, W), optional
        A reconstruction of the same scan whose peaks are the first candidates; by default that of `fourier-eb`
        without its regression, made tile by tile where the scan is large.
    electrons_per_sample : float, optional
        Of an image: electrons that a pixel of signal 1 counts in one frame.
    pixel_size_nm, gain, offset, noise, frame
        Of an image: see `stemscan.recon.inputs.pictures.load_picture`. Without a gain, it counts electrons.
    threads : int, optional
        Threads to use at most; all processors by default.

    Returns
    -------
    ColumnTable
        Without a row, and with the reason in its note, where the counts show no column.

    Raises
    ------
    UsageError
        When the image is of another shape, an image has no dose, or a scan is given one.
    InputNotFoundError, StoreError, DataError
        When a store or file is missing, damaged or something else.
    """
    inputs = inputs_of(
        source, electrons_per_sample, pixel_size_nm=pixel_size_nm, gain=gain, offset=offset, noise=noise, frame=frame
    )
    shown = None if image is None else np.asarray(image)
    _check_shape(inputs, shown)
    with limit_threads(threads):
        found = finding(inputs, shown)
    return empty_table(inputs, found) if isinstance(found, str) else found.table()


def find_and_draw(inputs: Inputs, image: Array | None = None) -> tuple[ColumnTable, Array]:
    """Table of `find_columns`, and the image that its columns make; the first image where there are none.

    Parameters
    ----------
    image : ndarray, (H, W), optional
        As for `find_columns`.
    """
    from stemscan.recon.columns.image import drawn_columns, paint

    _check_shape(inputs, image)
    found = finding(inputs, image)
    if isinstance(found, str):
        return empty_table(inputs, found), pilot_image(inputs) if image is None else image
    return found.table(), paint(found, drawn_columns(found))[0]


def pilot_image(inputs: Inputs) -> Array:
    """Image whose peaks are good enough to begin with: `fourier-eb` without its regression."""
    from stemscan.recon.run import reconstruct

    return reconstruct(inputs, "fourier-eb", contradictions=False, regression=False).image


def finding(inputs: Inputs, image: Array | None = None) -> Finding | str:
    """Columns of a scan with all that follows from them, or the reason why there are none.

    Parameters
    ----------
    image : ndarray, (H, W), optional
        A reconstruction of the same scan, whose peaks are the first candidates.
    """
    if min(inputs.shape) < _SMALLEST:
        return f"the scan has fewer than {_SMALLEST} rows or columns"
    if float(inputs.frames.sum()) <= 0:
        return "no electron was counted"
    if share := saturated_share(inputs):
        return f"{100 * share:.2g} % of the samples hold the largest count: the detector was saturated"
    scan = Scan(inputs)

    def image_of(tile: Tile) -> Array:
        return pilot_image(scan.part(tile)) if image is None else image[tile.window]

    with part(0.75):
        found = search(scan, image_of)
    return "the counts are explained without a column" if found is None else Finding(inputs, found)


def _check_shape(inputs: Inputs, image: Array | None) -> None:
    """Refuse an image of another scan."""
    if image is not None and image.shape != inputs.shape:
        raise UsageError(f"expected an image of {inputs.shape} pixels, as the scan, got {image.shape}")
