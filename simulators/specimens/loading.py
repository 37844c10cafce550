"""Specimens of image files, arrays, and names of kinds that are drawn.

A picture becomes a specimen in this order, and the record says each step that was taken: read one frame; colour to
grey; crop (`fit="crop"`); scale to [0, 1]; smooth and scale again (`smooth="paper"`); resample (`fit="resample"`). So
cropping decides what the scaling sees, and smoothing acts on the picture's own pixels. Nothing here depends on a
path's folder, on the time or on chance: the same file gives the same specimen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stemscan.arguments import file_path, whole_number
from stemscan.errors import InputNotFoundError, SpecimenError, UsageError
from stemscan.files.images import Picture
from stemscan.files.read import read_picture
from stemscan.simulators.specimens.intensity import Range, check_range
from stemscan.simulators.specimens.kinds import KINDS, kind_of
from stemscan.simulators.specimens.large_pictures import large_picture
from stemscan.simulators.specimens.preparation import Fit, Preparation
from stemscan.simulators.specimens.smoothing import MAX_MEDIAN
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.true_columns import TrueColumns

__all__ = ["load_specimen", "resample_specimen", "specimen_from_array"]

Smooth = Literal["paper"]


def load_specimen(
    spec: str | Path,
    shape: tuple[int, int],
    *,
    pixel_size_nm: float | None = None,
    fit: Fit = "error",
    value_range: Range | None = None,
    smooth: Smooth | None = None,
    median: int = 1,
    frame: int | str | None = None,
) -> Specimen:
    """Make a specimen of an image file, a named crystal or the generator on the grid of a plan.

    Parameters
    ----------
    spec : str or Path
        An image file, or ``crystal:NAME`` with an optional zone axis and options, ``crystal:SrTiO3[001]?turn=3``, or
        ``synthetic:SEED/INDEX``. The other options but `pixel_size_nm` are for files.
    shape : tuple of int
        Rows and columns of the plan's grid.
    pixel_size_nm : float, optional
        Of the plan. A file that states another one draws a warning; a crystal without one is drawn at 0.01 nm; a
        generated specimen without one chooses its own.
    fit : {"error", "crop", "resample"}
        Treatment of a picture of another shape: refuse it, keep its top left corner, or resample it.
    value_range : tuple of float or str, optional
        Values, or percentiles like "99.9%", that become 0 and 1. Without it, floating-point values in [0, 1] stay
        untouched and all else goes from minimum and maximum to 0 and 1.
    smooth : {"paper"}, optional
        Smooth a noisy micrograph so that it can serve as ground truth, and scale it again; see `paper_smoothed`.
    median : int
        Number of median filters that `smooth` applies.
    frame : int or str, optional
        Frame of a file with several, from 0, or the name of one; see `stemscan.files.read.read_picture`.

    Raises
    ------
    SpecimenError
        If the picture has no contrast or values that are no intensities, or is of another shape.
    DataError
        If it cannot be read.
    UsageError
        If an option is none of those above, or it is not clear which frame is meant.
    InputNotFoundError, MissingDependencyError
        If the file or the package that reads it is missing.
    """
    if fit not in get_args(Fit):
        raise UsageError(f"expected fit 'error', 'crop' or 'resample', got {fit!r}")
    if smooth is not None and smooth not in get_args(Smooth):
        raise UsageError(f"expected smooth 'paper', got {smooth!r}")
    if min(shape) < 1:
        raise UsageError(f"expected a grid of at least 1 x 1, got {shape[0]} x {shape[1]}")
    check_range(value_range)
    whole_number(median, f"0 to {MAX_MEDIAN} median filters", 0, MAX_MEDIAN)
    if smooth is None and median != 1:
        raise UsageError(f"expected smooth beside median, got {median} median filters alone; add smooth='paper'")
    kind = kind_of(str(spec))
    if kind is not None:
        if value_range is not None or smooth is not None or frame is not None:
            raise UsageError(f"expected no range, smooth or frame with {spec}, these are for image files; drop them")
        return kind.draw(str(spec), shape, pixel_size_nm)
    path = file_path(spec, "an image")
    if not path.exists():
        forms = " or ".join(kind.named(kind.form) for kind in KINDS.values())
        raise InputNotFoundError(f"expected an image file, {forms}, got {str(spec)!r}, which does not exist; check it")
    if smooth is None and value_range is None and frame is None and (large := large_picture(path, shape)) is not None:
        signal, steps = large
        return Specimen(signal, path.name, pixel_size_nm, {"source": "image", "steps": steps, "warnings": []})
    maker = Preparation(path.name)
    maker.read(_picture(path, frame))
    maker.crop(shape, fit)
    maker.scale(value_range)
    if smooth is not None:
        maker.smooth(median)
    known = None if smooth is not None or value_range is not None else _known_columns(path, frame)
    return _finished(maker, pixel_size_nm, _placed(known, maker, shape))


def _known_columns(path: Path, frame: int | str | None) -> TrueColumns | None:
    """Columns of the specimen that a store of ours keeps."""
    from stemscan.store.importing.acquired import acquired_columns, is_acquisition

    return acquired_columns(path, frame) if is_acquisition(path) else None


def _placed(columns: TrueColumns | None, maker: Preparation, shape: tuple[int, int]) -> TrueColumns | None:
    """Resample a picture to a grid, and place columns of it, cropped already, on that grid."""
    old = (maker.values.shape[0], maker.values.shape[1])
    maker.resample(shape)
    return None if columns is None else columns.within(old).resampled(old, shape)


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
    return _finished(maker, None, _placed(specimen.columns, maker, shape))


def _finished(maker: Preparation, pixel_size_nm: float | None, columns: TrueColumns | None = None) -> Specimen:
    """The specimen that a preparation has arrived at."""
    signal, pixel, record = maker.finished(pixel_size_nm)
    return Specimen(signal, maker.name, pixel, record, columns)
