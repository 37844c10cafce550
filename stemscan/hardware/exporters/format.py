"""Declaration of a format: what it is called, how it is written and read, and how a file of it is recognised.

A module of `stemscan.hardware.exporters.formats` declares its formats as `FORMATS`; `stemscan plan export` and its
help, `stemscan info`, errors and the table in docs/exporters.md are made of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stemscan.units import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stemscan.hardware.exporters.source import Source

__all__ = ["NOT_STATED", "Contents", "Format", "contents_of_points", "extent"]

NOT_STATED = "not in the file"


@dataclass(frozen=True)
class Contents:
    """Samples, positions, times and plan of an export, as far as it states them.

    Parameters
    ----------
    facts : dict
        Plain data for JSON.
    rows : tuple of (str, str)
        The same for people.
    """

    facts: dict[str, Any]
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Format:
    """A format of files that other programs and scan controllers read.

    Parameters
    ----------
    name : str
        As `--to` takes it.
    title : str
        Contents and reader of the file.
    suffixes : tuple of str
        Of its files; none for a folder.
    write : callable
        Writes a source to a path and returns the number of points written.
    read : callable
        Reads such a file, with checks.
    profile : str, optional
        Shipped profile that is taken unless another is given; None where none is needed.
    takes_profile : bool
        Tells whether a profile may be given.
    takes_corners : bool
        Tells whether blanked points in the corners of the field can be written.
    dwell : {"points", "once", "none"}
        Place of the dwell time in the file: with each point, once, or none.
    from_zero : bool
        Tells whether its positions are pixels of the plan's grid from 0 on.
    begins : callable, optional
        Tells whether a file with this beginning, of up to 64 bytes, is of this format.
    describe : callable, optional
        Says what such a file holds.
    holds : callable, optional
        Tells of a file in numpy's format, by shape and dtype, whether it may be of this one.
    owns : callable, optional
        Tells of a file's name whether it is one of this format's folder.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    write: Callable[[Source, Path], int]
    read: Callable[[Path], Any]
    profile: str | None = None
    takes_profile: bool = False
    takes_corners: bool = False
    dwell: Literal["points", "once", "none"] = "none"
    from_zero: bool = True
    begins: Callable[[bytes], bool] = lambda start: False
    describe: Callable[[Path], Contents] = lambda path: Contents({}, ())
    holds: Callable[[tuple[int, ...], np.dtype[Any]], bool] = lambda shape, dtype: False
    owns: Callable[[str], bool] = lambda name: False


def contents_of_points(points: npt.NDArray[Any]) -> Contents:
    """Number and extent of points (row, column)."""
    rows, columns = extent(points[:, 0]), extent(points[:, 1])
    return Contents(
        {"points": len(points), "rows": rows, "columns": columns},
        (
            ("points", counted(len(points), "point")),
            ("pixels", f"rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}"),
            ("plan", NOT_STATED),
        ),
    )


def extent(values: npt.NDArray[Any]) -> list[int]:
    """The least and the largest; 0 and 0 of none."""
    return [int(values.min()), int(values.max())] if values.size else [0, 0]
