"""Specimens of image files and arrays.

A picture becomes a specimen in this order, and the record says each step that was taken: read one frame; colour to
grey; crop (`fit="crop"`); scale to [0, 1]; smooth and scale again (`smooth="paper"`); resample (`fit="resample"`). So
cropping decides what the scaling sees, and smoothing acts on the picture's own pixels. Nothing here depends on a
path's folder, on the time or on chance: the same file gives the same specimen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import SpecimenError
from stemscan.files.images import Picture
from stemscan.files.read import read_picture
from stemscan.simulators.specimens.intensity import Range
from stemscan.simulators.specimens.preparation import Fit, Preparation
from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["Smooth", "resample_specimen", "specimen_from_array", "specimen_from_file"]

Smooth = Literal["paper"]


def specimen_from_file(
    path: Path,
    shape: tuple[int, int],
    *,
    pixel_size_nm: float | None = None,
    fit: Fit = "error",
    value_range: Range | None = None,
    smooth: Smooth | None = None,
    median: int = 1,
    frame: int | str | None = None,
) -> Specimen:
    """Make a specimen of an image file; parameters and errors as `load_specimen`."""
    maker = Preparation(path.name)
    maker.read(_picture(path, frame))
    maker.crop(shape, fit)
    maker.scale(value_range)
    if smooth is not None:
        maker.smooth(median)
    maker.resample(shape)
    return _finished(maker, pixel_size_nm)


def _picture(path: Path, frame: int | str | None) -> Picture:
    """Read a picture from an image file or from a store of ours."""
    from stemscan.store.importing.acquired import acquired_picture, is_acquisition

    return acquired_picture(path, frame) if is_acquisition(path) else read_picture(path, frame)


def specimen_from_array(array: NDArray[Any], *, name: str = "array", pixel_size_nm: float | None = None) -> Specimen:
    """Make a specimen of an array by the rule of `load_specimen`: floats in [0, 1] untouched, all else scaled.

    Parameters
    ----------
    array : ndarray (H, W)
        Boolean, integer or floating, finite.
    name : str
    pixel_size_nm : float, optional

    Returns
    -------
    Specimen

    Raises
    ------
    SpecimenError
        If the array is no picture with contrast.
    """
    array = np.asarray(array)
    if array.ndim != 2:
        raise SpecimenError(f"expected a picture of two dimensions, got shape {array.shape} for {name!r}")
    maker = Preparation(name)
    maker.read(Picture(array))
    maker.scale(None)
    return _finished(maker, pixel_size_nm)


def resample_specimen(specimen: Specimen, shape: tuple[int, int]) -> Specimen:
    """The same specimen on another grid, by cubic convolution, clipped to [0, 1].

    Parameters
    ----------
    specimen : Specimen
    shape : tuple of int
        New rows and columns.

    Returns
    -------
    Specimen
        With its pixel size adapted where both directions are resampled alike.
    """
    maker = Preparation(specimen.name)
    maker.values = specimen.signal.astype(np.float64)
    maker.steps = list(specimen.record.get("steps", ()))
    maker.warnings = list(specimen.warnings)
    if specimen.pixel_size_nm is not None:
        maker.pixel_sizes = (specimen.pixel_size_nm, specimen.pixel_size_nm)
    maker.resample(shape)
    return _finished(maker, None)


def _finished(maker: Preparation, pixel_size_nm: float | None) -> Specimen:
    """The specimen that a preparation has arrived at."""
    signal, pixel, record = maker.finished(pixel_size_nm)
    return Specimen(signal, maker.name, pixel, record)
