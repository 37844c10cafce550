"""Columns of tables by what they are: the names of columns decide which is row, column, counts or pass.

A table without names has rows and columns of pixels in this order, where it has two columns; any other is refused
until its columns are named. Names may have a unit: x [nm], y_px. x is the column, y the row, both from the top left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, UsageError
from stemscan.files.arrays import read_array
from stemscan.files.opening import require_file
from stemscan.files.tables import read_table, split_names
from stemscan.files.text import is_text
from stemscan.units import length_unit_nm

__all__ = ["Columns", "has_coordinates", "in_pixels", "nearest", "read_columns"]

_COORDINATE = "|pos{0}|{0}pos|position{0}|{0}position|coord{0}|{0}coord|coordinate{0}|{0}coordinate|{0}pixel|pixel{0}"
_MEANINGS: Final = {
    "row": re.compile("rows?|r|y" + _COORDINATE.format("y")),
    "column": re.compile("columns?|cols?|c|x" + _COORDINATE.format("x")),
    "counts": re.compile("counts?|values?|intensity|intensities|signal|electrons?|readings?"),
    "pass": re.compile("pass|passes|frames?"),
}
_BRACKETED = re.compile(r"(.*?)\s*[\[({]\s*([^\[\](){}]*?)\s*[\])}]")
_APPENDED = re.compile(r"(.*[^\s_./])[\s_./]+([^\s_./]+)")
_PIXELS = re.compile(r"px|pix|pixels?", re.IGNORECASE)
_ALMOST_WHOLE: Final = 1e-4
"""Pixels: what the conversion of a length may add to a whole number."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Columns:
    """Numbers of a table by what they are.

    Attributes
    ----------
    numbers : dict of str to ndarray
        ``row``, ``column``, ``counts`` and ``pass``, where they are there; (N,), or (passes, N) of an array.
    unit_nm : float or None
        Nanometres in the unit of rows and columns; None for pixels.
    left_out : tuple of str
        Names of columns that are none of these.
    named : bool
        True if names decided.
    """

    numbers: dict[str, Numbers]
    unit_nm: float | None = None
    left_out: tuple[str, ...] = ()
    named: bool = True

    @property
    def positions(self) -> Numbers:
        """(row, column) in the table's unit, (N, 2) or (passes, N, 2)."""
        return np.stack((self.numbers["row"], self.numbers["column"]), axis=-1)


def read_columns(
    path: Path, names: str | None = None, *, accept: Callable[[tuple[int, ...]], None] | None = None
) -> Columns:
    """Read a table of text, or an array whose last axis are columns.

    Parameters
    ----------
    names : str, optional
        Of the columns, with commas between them, where the file has none.
    accept : callable, optional
        Gets the shape of an array before memory is taken for it, and raises where that cannot be right.

    Returns
    -------
    Columns
        With rows and columns.

    Raises
    ------
    UsageError
        When the columns have no names and are not two, their names do not say what they are, say it twice, or have
        units that are no lengths, or names are given twice.
    StemscanError
        When the file cannot be read.
    """
    require_file(path, "a table of points")
    given = None if names is None else tuple(name.strip() for name in names.split(","))
    if is_text(path):
        table = read_table(path)
        values: Numbers = table.values
        own = table.names or _names_in_remark(table.remarks, values.shape[1], path)
    else:
        values, own = read_array(path, accept), None
    if own is not None and given is not None:
        raise UsageError(
            f"expected names of columns from the command or in {str(path)!r}, got both ({', '.join(own)}); keep one"
        )
    return _columns_of(values, given or own, path)


def has_coordinates(path: Path) -> bool:
    """Tell whether a file is a table of text whose columns are named as rows and columns."""
    if path.is_dir() or not is_text(path):
        return False
    try:
        table = read_table(path)
    except DataError:
        return False
    names = table.names or _names_in_remark(table.remarks, table.values.shape[1], path) or ()
    return {"row", "column"} <= {_meaning(name, path)[0] for name in names}


def _columns_of(values: Numbers, names: Sequence[str] | None, path: Path) -> Columns:
    """Columns of an array by their names."""
    count = values.shape[-1] if values.ndim > 1 else 1
    if values.ndim not in (2, 3) or values.dtype.kind not in "iuf" or (names is None and count != 2):
        raise UsageError(
            f"expected a row and a column for each point in {str(path)!r}, got {values.dtype} of shape {values.shape}"
            + ("; name the columns, as in a first line row,column,counts" if values.ndim == 2 else "")
        )
    if names is None and path.name.endswith("scan_coordinates.csv"):
        raise UsageError(
            f"expected names of the columns of {str(path)!r}, which DE-Freescan writes as x,y without a line of names; "
            "add --columns x,y"
        )
    if names is None:
        return Columns({"row": values[..., 0], "column": values[..., 1]}, named=False)
    if len(names) != count:
        raise UsageError(
            f"expected {count} names of columns for {str(path)!r}, got {len(names)} ({', '.join(names)}); name each"
        )
    found: dict[str, tuple[int, float | None]] = {}
    left_out = []
    for index, name in enumerate(names):
        meaning, unit = _meaning(name, path)
        if meaning is None:
            left_out.append(name)
        elif meaning in found:
            raise UsageError(
                f"expected one column of each kind in {str(path)!r}, got two for the {meaning}, "
                f"{names[found[meaning][0]]!r} and {name!r}; rename one"
            )
        else:
            found[meaning] = index, unit
    if "row" not in found or "column" not in found:
        raise UsageError(
            f"expected columns named row and column, or y and x, in {str(path)!r}, got {', '.join(names)}; rename them"
        )
    if found["row"][1] != found["column"][1]:
        raise UsageError(
            f"expected rows and columns in one unit in {str(path)!r}, got {', '.join(names)}; convert one of them"
        )
    numbers = {meaning: values[..., index] for meaning, (index, _) in found.items()}
    return Columns(numbers, found["row"][1], tuple(left_out))


def _meaning(name: str, path: Path) -> tuple[str | None, float | None]:
    """Meaning of a column, from its name, and nanometres in its unit; None of pixels."""
    bare = name.strip().strip("\"'")
    match = _BRACKETED.fullmatch(bare)
    base, unit = match.groups() if match else (bare, "")
    if not match and (tail := _APPENDED.fullmatch(bare)) and (_PIXELS.fullmatch(tail[2]) or length_unit_nm(tail[2])):
        base, unit = tail.groups()
    word = re.sub(r"[\s_.\-]+", "", base).lower()
    meaning = next((one for one, names in _MEANINGS.items() if names.fullmatch(word)), None)
    if meaning not in ("row", "column") or not unit or _PIXELS.fullmatch(unit):
        return meaning, None
    factor = length_unit_nm(unit)
    if factor is None:
        raise UsageError(
            f"expected pixels or a length as the unit of {name!r} in {str(path)!r}, got {unit!r}; write it as x [nm]"
        )
    return meaning, float(factor)


def _names_in_remark(remarks: Sequence[str], columns: int, path: Path) -> tuple[str, ...] | None:
    """Names of columns in the last comment above the numbers; a comment that may be such is refused."""
    for remark in reversed(remarks):
        names = split_names(remark, columns)
        meanings = [] if names is None else [_meaning(name, path)[0] for name in names]
        if "row" in meanings and "column" in meanings:
            return names
        if re.search(r"\bx\b.*\by\b", remark, re.IGNORECASE) and not re.search(r"\d\s*x\s*\d", remark):
            raise UsageError(
                f"expected names of columns that are understood in {str(path)!r}, got the comment {remark[:60]!r}, "
                "which may name them in this order; put x,y or row,column into a line of its own above the numbers"
            )
    return None


def in_pixels(columns: Columns, pixel_size_nm: float | None, path: Path) -> Numbers:
    """Positions in pixels; those that a length brings next to a whole pixel are on it.

    Raises
    ------
    UsageError
        When they are lengths, and there is no pixel size.
    """
    positions = columns.positions
    if columns.unit_nm is None:
        return positions
    if pixel_size_nm is None:
        raise UsageError(f"expected a pixel size for {str(path)!r}, whose positions are lengths; add --pixel-size")
    pixels = positions * (columns.unit_nm / pixel_size_nm)
    whole = np.rint(pixels)
    return np.where(np.abs(pixels - whole) < _ALMOST_WHOLE, whole, pixels)


def nearest(positions: Numbers) -> tuple[npt.NDArray[np.float64], float]:
    """The nearest pixels, of two the later, and the largest distance to them in pixels."""
    pixels = np.floor(positions + 0.5)
    away = np.hypot(*np.moveaxis(positions - pixels, -1, 0))
    return pixels, float(away.max(initial=0.0))
