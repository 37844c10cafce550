"""Lists of points and masks that a plan takes from files: found by name, trusted by content.

A plan names a file and states the SHA-256 of what it holds; the digest of the plan counts the content, not the name.
The same points as CSV and as npy are the same content. A plan that came from a plan file looks beside it; copies of
that plan in this process (in a store, say) find the file by its content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stemscan.errors import PlanError, UsageError
from stemscan.files.arrays import read_array
from stemscan.files.columns import in_pixels, nearest, read_columns
from stemscan.types import Mask, Points

__all__ = [
    "FileName",
    "Sha256",
    "hold_points",
    "load_mask",
    "load_points",
    "mask_sha256",
    "name_from",
    "points_sha256",
    "points_to_scan",
    "read_mask",
    "read_points",
    "remember_place",
]

FileName = Annotated[str, Field(min_length=1, max_length=4096)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_MOST_VISITS = 65535
_PLACES: dict[str, Path] = {}
_HELD: dict[str, Points] = {}


def remember_place(sha256: str, path: Path) -> None:
    """Note where the file with this content is, for plans of this process that have the content but not the folder."""
    _PLACES[sha256] = path


def name_from(path: Path, folder: Path | None) -> str:
    """A file's name as seen from the plan's folder; the whole one without a folder, or on another drive of Windows."""
    try:
        return path.absolute().as_posix() if folder is None else Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def hold_points(points: Points) -> str:
    """Keep points for plans of this process before they stand in a file; returns their SHA-256."""
    sha256 = points_sha256(points)
    _HELD[sha256] = points
    return sha256


def points_sha256(points: Points) -> str:
    """SHA-256, 64 hexadecimal digits, of points: 'points', then (row, column) as little-endian int32."""
    return hashlib.sha256(b"points" + np.ascontiguousarray(points, "<i4").tobytes()).hexdigest()


def mask_sha256(mask: Mask) -> str:
    """SHA-256, 64 hexadecimal digits, of a mask: 'mask', its rows and columns as little-endian int32, its bits."""
    shape = np.array(mask.shape, "<i4").tobytes()
    return hashlib.sha256(b"mask" + shape + np.packbits(mask).tobytes()).hexdigest()


def read_points(path: Path, shape: tuple[int, int]) -> Points:
    """Read the points of a text table or npy file that holds nothing but pixels.

    Returns
    -------
    array of int32, (N, 2)
        (row, column).

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When it cannot be read.
    PlanError
        When it holds anything but whole (row, column) inside the grid.
    """
    found = points_to_scan(path, shape)
    if found.furthest_px is not None:
        raise PlanError(f"expected pixels in {str(path)!r}, got lengths; make the plan with --round")
    return found.points


@dataclass(frozen=True, eq=False)
class PointsToScan:
    """Points of a file on the grid.

    Attributes
    ----------
    points : array of int32, (N, 2)
        (row, column).
    furthest_px : float or None
        Largest distance in pixels by which a point was moved; None where the file holds just these pixels.
    left_out : tuple of str
        Names of columns that were not read.
    """

    points: Points
    furthest_px: float | None
    left_out: tuple[str, ...]


def points_to_scan(
    path: Path,
    shape: tuple[int, int],
    *,
    names: str | None = None,
    pixel_size_nm: float | None = None,
    rounding: bool = False,
) -> PointsToScan:
    """Read points, which may lie between pixels, be lengths, or need names of their columns.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the grid.
    names : str, optional
        Of the columns, as `stemscan.files.columns.read_columns` takes them.
    pixel_size_nm : float, optional
        Of the grid; for lengths.
    rounding : bool
        Take the nearest pixel of a point between pixels.

    Raises
    ------
    StemscanError
        As `read_points`.
    """
    name = repr(str(path))
    most = shape[0] * shape[1] * _MOST_VISITS

    def accept(claimed: tuple[int, ...]) -> None:
        if len(claimed) != 2 or not 0 < claimed[0] <= most:
            raise PlanError(f"expected one list of points, numbers of shape (N, 2), in {name}, got shape {claimed}")

    try:
        columns = read_columns(path, names, accept=accept)
        positions = in_pixels(columns, pixel_size_nm, path)
    except UsageError as problem:
        raise PlanError(str(problem)) from problem
    if "pass" in columns.numbers:
        raise PlanError(f"expected one list of points for all passes in {name}, got a column of passes; take one pass")
    _refuse_first(~np.isfinite(positions), positions, f"finite points in {name}", "leave such points out")
    between = positions != np.trunc(positions)
    if not rounding:
        _refuse_first(between, positions, f"whole rows and columns in {name}", "take the nearest pixels with --round")
    pixels, furthest = nearest(positions)
    _refuse_first(
        (pixels < 0) | (pixels >= np.array(shape)),
        positions,
        f"points inside the grid of {shape[0]} x {shape[1]} in {name}",
        "points are (row, column) from the top left" if not columns.named else "rows and columns count from 0",
    )
    points = pixels.astype(np.int32)
    visits = np.unique(points[:, 0].astype(np.int64) * shape[1] + points[:, 1], return_counts=True)[1].max()
    if visits > _MOST_VISITS:
        raise PlanError(f"expected at most {_MOST_VISITS} visits of a pixel in {name}, got {visits}; split the list")
    plain = names is None and columns.unit_nm is None and not between.any()
    left_out = (*columns.left_out, *(["counts"] if "counts" in columns.numbers else []))
    return PointsToScan(points, None if plain else furthest, left_out)


def read_mask(path: Path, shape: tuple[int, int], note: Callable[[str], None] | None = None) -> Mask:
    """Read the mask of an image or npy file: every pixel that is not zero, in any channel but alpha.

    `note` gets each change that the reader made to it: turned, inverted.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When it cannot be read.
    PlanError
        When it is not of the grid's shape, or no pixel is set.
    """
    name = repr(str(path))

    def accept(claimed: tuple[int, ...]) -> None:
        if claimed[:2] != shape and claimed != (shape[0],):
            raise PlanError(
                f"expected a mask on the plan's grid, {shape[0]} x {shape[1]}, in {name}, got shape {claimed}"
            )

    values = read_array(path, accept, mask=True, note=note)
    if values.ndim == 3 and values.shape[2] in (2, 3, 4) and values.dtype == np.uint8:
        values = values[:, :, : 3 if values.shape[2] > 2 else 1].max(axis=2)
    if values.ndim == 1 and shape == (len(values), 1):  # a text file has no other way to say it
        values = values[:, np.newaxis]
    if values.shape != shape or values.dtype.kind not in "biuf":
        raise PlanError(
            f"expected a mask on the plan's grid, {shape[0]} x {shape[1]}, in {name}, got {values.dtype} of shape "
            f"{values.shape}"
        )
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise PlanError(f"expected a mask without NaN in {name}, not zero where to scan, got NaN")
    mask: Mask = values != 0
    if not mask.any():
        raise PlanError(f"expected at least one pixel that is not zero in the mask {name}, got none")
    return mask


def load_points(file: str, sha256: str, shape: tuple[int, int], folder: Path | None = None, *, samples: int) -> Points:
    """Read a plan's points and refuse changed ones; arguments as of the pattern, `folder` that of the plan file."""
    if folder is None and sha256 in _HELD:
        return _HELD[sha256]
    path = _locate(file, sha256, folder)
    points = read_points(path, shape)
    _require_content(path, points_sha256(points), sha256)
    if len(points) != samples:
        raise PlanError(f"pattern.samples: expected {len(points)}, as {file!r} has, got {samples}; correct it")
    return points


def load_mask(file: str, sha256: str, shape: tuple[int, int], folder: Path | None = None) -> Mask:
    """Read a plan's mask and refuse a changed one; arguments as of the region, `folder` that of the plan file."""
    path = _locate(file, sha256, folder)
    mask = read_mask(path, shape)
    _require_content(path, mask_sha256(mask), sha256)
    return mask


def _locate(file: str, sha256: str, folder: Path | None) -> Path:
    """Place of the file."""
    if folder is None and sha256 in _PLACES:
        return _PLACES[sha256]
    return (folder or Path()) / file


def _require_content(path: Path, found: str, expected: str) -> None:
    """Refuse another content than the plan states."""
    if found != expected:
        raise PlanError(
            f"expected content with sha256 {expected} in {str(path)!r}, got {found}; the file is not the one that the "
            "plan was made with: restore it, or make the plan anew"
        )
    remember_place(expected, path.absolute())


def _refuse_first(bad: Any, values: npt.NDArray[Any], expected: str, cure: str) -> None:
    """Refuse values of which any is bad, naming the first."""
    rows = bad.any(axis=1)
    if rows.any():
        first = int(rows.argmax())
        raise PlanError(
            f"expected {expected}, got ({values[first, 0]:g}, {values[first, 1]:g}) as point {first}; {cure}"
        )
