"""Specimens by name: of an image file, or of a kind that is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from stemscan.errors import InputNotFoundError, UsageError
from stemscan.simulators.specimens.image_specimen import Smooth, specimen_from_file
from stemscan.simulators.specimens.intensity import Range, check_range
from stemscan.simulators.specimens.kinds import KINDS, kind_of
from stemscan.simulators.specimens.preparation import Fit
from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["load_specimen"]


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
        An image file, or ``crystal:NAME`` with an optional zone axis, ``crystal:SrTiO3[001]``, or
        ``synthetic:SEED/INDEX``. The other options but `pixel_size_nm` are for files.
    shape : tuple of int
        Rows and columns of the plan's grid.
    pixel_size_nm : float, optional
        Of the plan. A file that states another one draws a warning; a crystal without one is drawn at 0.01 nm; a
        generated specimen without one chooses its own.
    fit : {"error", "crop", "resample"}
        What to do with a picture of another shape: refuse it, keep its top left corner, or resample it.
    value_range : tuple of float or str, optional
        Values, or percentiles like "99.9%", that become 0 and 1. Without it, floating-point values in [0, 1] stay
        untouched and all else goes from minimum and maximum to 0 and 1.
    smooth : {"paper"}, optional
        Smooth a noisy micrograph so that it can serve as ground truth, and scale it again; see `paper_smoothed`.
    median : int
        How many median filters `smooth` applies.
    frame : int or str, optional
        Which frame of a file with several, from 0, or the name of one; see `stemscan.files.read.read_picture`.

    Returns
    -------
    Specimen

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
    kind = kind_of(str(spec))
    if kind is not None:
        if value_range is not None or smooth is not None or frame is not None:
            raise UsageError(f"expected no range, smooth or frame with {spec}, these are for image files")
        return kind.load()(str(spec), shape, pixel_size_nm=pixel_size_nm)
    path = Path(spec)
    if not path.exists():
        forms = " or ".join(kind.written for kind in KINDS.values())
        raise InputNotFoundError(f"expected an image file, {forms}, got {str(spec)!r}, which does not exist")
    return specimen_from_file(
        path,
        shape,
        pixel_size_nm=pixel_size_nm,
        fit=fit,
        value_range=value_range,
        smooth=smooth,
        median=median,
        frame=frame,
    )
