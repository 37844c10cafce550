"""Files of sparse data measured elsewhere: frames with a mask, values with positions, or one table of both.

Shapes are compared before memory is taken for arrays, as far as the files state them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError
from stemscan.files.arrays import read_array, read_measured
from stemscan.files.columns import has_coordinates, in_pixels, read_columns
from stemscan.files.numpy_files import npy_layout
from stemscan.files.opening import require_file
from stemscan.files.pixel_size import PixelSize
from stemscan.files.tables import read_table
from stemscan.files.text import is_text
from stemscan.store.importing.acquired import acquired_frames, is_acquisition
from stemscan.store.importing.measured import (
    Samples,
    check_shapes,
    samples_from_columns,
    samples_from_frames,
    samples_from_positions,
)

__all__ = ["Found", "means_all", "read_samples"]

_ALL_VISITED: Final = "all"

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """Samples of files, and what the files tell of them.

    Attributes
    ----------
    told_apart_by : {"mask", "NaN", "visits", "positions", "table"}
        Mark that tells pixels that were visited from those that were not.
    left_out : tuple of str
        Names of columns that were not read.
    pixel_size_nm : tuple of float or None
        Distance of neighbouring rows and of neighbouring columns in nm, where the file of frames states it.
    warnings : tuple of str
        Faults of the file that a user should know, one clause each.
    notes : tuple of str
        Changes that its reader made to frames: turned, inverted, summed.
    """

    samples: Samples
    told_apart_by: str
    left_out: tuple[str, ...] = ()
    pixel_size_nm: PixelSize | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_samples(
    data: Path,
    *,
    mask: Path | None = None,
    positions: Path | None = None,
    columns: str | None = None,
    shape: tuple[int, int] | None = None,
    pixel_size_nm: float | None = None,
    frame: str | None = None,
) -> Found:
    """Read samples.

    Parameters
    ----------
    data : pathlib.Path
        Frames, values, or a table whose columns are named row, column and counts.
    mask, positions : pathlib.Path, optional
        Files that tell which pixels were visited.
    columns : str, optional
        Names of the columns of the table or positions, where the file has none.
    shape : tuple of int, optional
        Rows and columns of the grid, for positions and tables.
    pixel_size_nm : float, optional
        For positions that are lengths.
    frame : str, optional
        Signal, or frame of one, of a file with several; for frames alone.

    Raises
    ------
    StemscanError
        When files are missing, damaged or do not belong together.
    """
    if not data.is_dir():
        require_file(data, "a file of data")
    if mask is not None and positions is not None:
        raise UsageError("expected --mask or --positions, got both; keep one")
    if frame is not None and (positions is not None or columns is not None):
        raise UsageError(f"expected --frame only for frames, got {frame!r} with positions or columns; leave it out")
    if positions is not None:
        if shape is None:
            raise UsageError("expected --shape with --positions, got none; add the grid as --shape ROWSxCOLUMNS")
        return _values(data, positions, columns, shape, pixel_size_nm)
    if columns is not None or (frame is None and has_coordinates(data)):
        if mask is not None:
            raise UsageError(
                f"expected no --mask with a table of positions and counts, got {str(mask)!r}; leave it out"
            )
        if shape is None:
            raise UsageError(
                f"expected --shape with the table {str(data)!r}, got none; add the grid as --shape ROWSxCOLUMNS"
            )
        return _table(data, columns, shape, pixel_size_nm)
    if shape is not None:
        _check_table(data)
        raise UsageError(
            f"expected --shape only with --positions or a table, got {str(data)!r}, which names no rows and columns; "
            "leave --shape out for frames, or name the columns of a table with --columns row,column,counts"
        )
    return _frames(data, mask, frame)


def _check_table(path: Path) -> None:
    """Refuse a table that cannot be read by what is wrong with it, not by what it then seems to lack."""
    if not path.is_dir() and is_text(path) and read_table(path).names:
        read_columns(path)


def _frames(data: Path, mask: Path | None, frame: str | None) -> Found:
    """Frames with a mask, or with NaN where nothing was visited."""
    visited, notes = None, list[str]()
    if mask is not None and not means_all(mask):
        claimed = _shape_of(data)

        def accept(mask_shape: Shape) -> None:
            if claimed is not None and mask_shape[-2:] != claimed[-2:]:
                raise UsageError(
                    f"expected a mask of shape {claimed[-2:]} or {claimed}, as the frames, got {mask_shape}"
                )

        visited = read_array(mask, accept, mask=True, note=lambda note: notes.append(f"mask {note}"))
    told_apart_by = "NaN" if mask is None else "mask"
    if is_acquisition(data):
        picture, visits = acquired_frames(data, frame)
        if visits.max() > 1:
            raise UsageError(
                f"expected frames in which each pixel was visited once a pass, got {int(visits.max())} visits in "
                f"{str(data)!r}; take the store as it is, without importing it"
            )
        if visited is None:
            visited, told_apart_by = visits > 0, "visits"
    else:
        picture = read_measured(data, _accept_frames, frame)
    if mask is not None and visited is None:
        visited = np.ones(picture.values.shape[-2:], bool)
    samples = samples_from_frames(picture.values, visited)
    return Found(samples, told_apart_by, (), picture.pixel_size_nm, picture.warnings, (*picture.notes, *notes))


def means_all(mask: Path) -> bool:
    """Tell whether a mask is the word for every pixel, as of a full scan; a file of that name goes before it."""
    return str(mask) == _ALL_VISITED and not mask.exists()


def _accept_frames(shape: Shape) -> None:
    """Refuse a shape that is none of frames."""
    if len(shape) not in (2, 3) or 0 in shape:
        raise UsageError(f"expected frames of shape (passes, rows, columns) or (rows, columns), got {shape}")


def _values(
    data: Path, positions: Path, names: str | None, shape: tuple[int, int], pixel_size_nm: float | None
) -> Found:
    """Values with positions in a file of their own."""
    claimed = _shape_of(data)
    values = read_array(data) if claimed is None else None

    def accept(places: Shape) -> None:
        check_shapes(values.shape if values is not None else claimed or (), (*places[:-1], 2))

    columns = read_columns(positions, names, accept=accept)
    where = in_pixels(columns, pixel_size_nm, positions)
    if values is None:
        values = read_array(data, lambda found: check_shapes(found, where.shape))
    return Found(samples_from_positions(values, where, shape), "positions", columns.left_out)


def _table(data: Path, names: str | None, shape: tuple[int, int], pixel_size_nm: float | None) -> Found:
    """One table of positions and counts."""
    columns = read_columns(data, names, accept=_accept_table)
    if "counts" not in columns.numbers:
        raise UsageError(
            f"expected a column of counts beside row and column in {str(data)!r}, got none; name it counts or value"
        )
    positions: npt.NDArray[Any] = in_pixels(columns, pixel_size_nm, data)
    return Found(samples_from_columns(columns, positions, shape), "table", columns.left_out)


def _accept_table(shape: Shape) -> None:
    """Refuse a shape that is none of a table."""
    if len(shape) != 2 or not 3 <= shape[1] <= 100 or not shape[0]:
        raise UsageError(f"expected a table with a row, a column and counts in each line, got shape {shape}")


def _shape_of(path: Path) -> Shape | None:
    """The shape that a numpy array claims; None of other files, or of damaged ones."""
    if path.is_dir():
        return None
    with path.open("rb") as file:
        try:
            return npy_layout(file)[0]
        except ValueError:
            return None
