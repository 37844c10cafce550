"""Acquisition stores where a picture or frames are expected: read with their digests, visits and warnings.

Any reader of OME-Zarr can take `frames` by itself; it would take a lost chunk, a pass that is not committed yet and a
pixel without a visit for zero counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, UsageError
from stemscan.files.images import Picture
from stemscan.store.folders import folder_kind
from stemscan.store.reader import Acquisition
from stemscan.store.true_columns import TrueColumns
from stemscan.units import counted

__all__ = ["acquired_columns", "acquired_frames", "acquired_picture", "is_acquisition"]

Visits = npt.NDArray[np.integer[Any]]

_TRUTH = "truth"


def is_acquisition(path: Path) -> bool:
    """Tell whether a path is that of an acquisition store, whole or not."""
    return path.is_dir() and folder_kind(path) in ("store", "half-made", "without-record", "damaged")


def acquired_frames(path: Path, frame: int | str | None = None) -> tuple[Picture, Visits]:
    """Read the frames of an acquisition store.

    Parameters
    ----------
    frame : int or str, optional
        Number of one pass; all by default.

    Returns
    -------
    picture : Picture
        Values are (T, H, W).
    visits : ndarray of integers, (T, H, W)

    Raises
    ------
    StoreError
        When the store is damaged.
    UsageError
        When there is no such pass.
    """
    store = Acquisition.open(path)
    size = None if store.pixel_size_nm is None else (store.pixel_size_nm, store.pixel_size_nm)
    chosen = slice(None) if frame is None else slice(_pass(frame, store.passes, path), None)
    values, visits = store.frames()[chosen], store.visits()[chosen]
    if frame is not None:
        values, visits = values[:1], visits[:1]
    first, warnings = chosen.start or 0, tuple(store.warnings)
    if len(store.channels) > 1:
        warnings += (f"of {counted(len(store.channels), 'channel')} the first, {store.channels[0].name}, was taken",)
    return Picture(values, store.passes, first, "", size, (), warnings), visits


def acquired_picture(path: Path, frame: int | str | None = None) -> Picture:
    """Read one pass of an acquisition store that visited every pixel, or the specimen of a simulated one.

    Parameters
    ----------
    frame : int or str, optional
        Number of a pass, needed where there are several; or "truth".

    Returns
    -------
    Picture
        Values are (H, W).

    Raises
    ------
    StoreError
        When the store is damaged.
    UsageError
        When it is not clear which pass is meant, or there is none such.
    DataError
        When pixels were not visited.
    """
    if frame == _TRUTH:
        store = Acquisition.open(path)
        truth = store.truth
        if truth is None:
            raise UsageError(f"expected a simulated store, got {str(path)!r}, which has no truth; give another frame")
        size = None if store.pixel_size_nm is None else (store.pixel_size_nm, store.pixel_size_nm)
        return Picture(truth, 1, 0, _TRUTH, size)
    picture, visits = acquired_frames(path, frame)
    if len(picture.values) > 1:
        raise UsageError(
            f"expected a single picture, got an acquisition of {counted(picture.frames, 'pass')} in {str(path)!r}; "
            f"choose one with frame (--frame 0 to {picture.frames - 1}, or truth)"
        )
    missing = int(np.count_nonzero(visits[0] == 0))
    if missing:
        raise DataError(
            f"expected a picture, got a pass with {missing:,} of {visits[0].size:,} pixels not visited in "
            f"{str(path)!r}; reconstruct it (stemscan recon) and take the image, or give --frame truth"
        )
    return Picture(picture.values[0], picture.frames, picture.frame, "", picture.pixel_size_nm, (), picture.warnings)


def acquired_columns(path: Path, frame: int | str | None = None) -> TrueColumns | None:
    """Columns of the specimen of a simulated store, where that is the frame and it knows them."""
    return Acquisition.open(path).truth_columns if frame == _TRUTH else None


def _pass(frame: int | str, passes: int, path: Path) -> int:
    """Number of the pass that is meant."""
    if str(frame).isdecimal() and int(frame) < passes:
        return int(frame)
    raise UsageError(
        f"expected a pass from 0 to {passes - 1} of the acquisition {str(path)!r} as frame, got {str(frame)!r}"
    )
