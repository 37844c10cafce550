"""Corners of real micrographs as ground truth, all prepared alike, to measure reconstructions on a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stemscan.errors import DataError, InputNotFoundError
from stemscan.files.formats import format_of
from stemscan.files.read import read_picture
from stemscan.simulators.specimens.loading import load_specimen
from stemscan.simulators.specimens.specimen import Specimen

__all__ = ["CORNER", "image_paths", "load_corner"]

CORNER: Final = 512
"""Rows and columns of a corner at most: those of the FSHNet paper's images."""


def image_paths(folder: str | Path, *, others: bool = False) -> list[Path]:
    """Files of a folder that are pictures by their first bytes or suffix, in the order of their names.

    Text is no picture here, even where its lines are numbers; hidden files and folders are passed over.

    Parameters
    ----------
    others : bool
        List the files that are none instead.

    Raises
    ------
    InputNotFoundError
        If there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputNotFoundError(f"expected a folder of images, got {str(place)!r}, which is none; check the name")
    files = sorted(file for file in place.iterdir() if file.is_file() and not file.name.startswith("."))
    return [file for file in files if _is_picture(file) != others]


def _is_picture(file: Path) -> bool:
    """Tell whether a file is of a format of pictures."""
    try:
        return format_of(file) != "text"
    except DataError:
        return False


def load_corner(path: str | Path, side: int = CORNER) -> Specimen:
    """The smoothed top left corner of an image file, which serves as truth.

    Parameters
    ----------
    side : int
        Rows and columns; what there is of them where the image is smaller.

    Returns
    -------
    Specimen
        Smoothed as in Section 4.1 of the FSHNet paper and scaled to [0, 1].

    Raises
    ------
    SpecimenError
        If the picture has no contrast.
    DataError
        If it cannot be read.
    InputNotFoundError, MissingDependencyError
        If the file or the package that reads it is missing.
    """
    rows, columns = read_picture(path).values.shape[:2]
    return load_specimen(path, (min(side, rows), min(side, columns)), fit="crop", smooth="paper")
