"""Format `de-freescan`: a folder for Direct Electron's DE-Freescan, in pixels of the plan's grid.

`pass-000.npy`, `pass-001.npy`, ... hold int32 (samples, 2), the (x, y) of one pass each, for the package `deapi`:
`client.set_xy_array(np.load("pass-000.npy"), width=COLUMNS, height=ROWS)`. `scan_coordinates.csv` holds `x,y` of all
passes, without a line of names, and `scan_info.txt` says that the scan is none of lines; renamed to the name of the
movie, these two are what RosettaSciIO reads beside the MRC file to put every diffraction pattern at its place. Sources:
https://github.com/directelectron/deapi (`Client.set_xy_array`),
rsciio/mrc of https://github.com/hyperspy/rosettasciio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, InputNotFoundError, ProfileError
from stemscan.hardware.exporters.decimal_text import decimal_lines
from stemscan.hardware.exporters.format import Contents, Format, contents_of_points
from stemscan.hardware.exporters.npy_arrays import read_pairs, write_npy_array
from stemscan.hardware.exporters.text_reader import open_data, read_table
from stemscan.units import counted

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["COORDINATES", "FORMATS", "INFO", "Freescan", "read_de_freescan", "write_de_freescan"]

COORDINATES = "scan_coordinates.csv"
"""The file of the points of all passes."""

INFO = "scan_info.txt"
"""The file that says what kind of scan it is, in the words of the camera's own."""

_KIND = ("Scan - Type", "XY Array")

_LARGEST_INFO = 1 << 16
_PASS_FILE = re.compile(r"pass-(\d{3})\.npy")


@dataclass(frozen=True, eq=False)
class Freescan:
    """Points of a folder for DE-Freescan.

    Parameters
    ----------
    passes : tuple of int32 (n, 2)
        (x, y) in pixels of each pass.
    coordinates : int32 (N, 2)
        (x, y) in pixels of all passes.
    """

    passes: tuple[npt.NDArray[np.int32], ...]
    coordinates: npt.NDArray[np.int32]


def write_de_freescan(source: Source, folder: Path) -> int:
    """Fill an empty folder; returns the number of points.

    Raises
    ------
    ProfileError
        When the profile has codes other than pixels of the image, or waits after moves.
    """
    _check_profile(source)
    plan = source.plan
    with (folder / COORDINATES).open("wb") as file:

        def points(number: int) -> Iterator[npt.NDArray[np.int32]]:
            start = number * plan.samples_per_pass
            for batch in source.positions(start, start + plan.samples_per_pass):
                file.write(decimal_lines((batch[:, 1], batch[:, 0]), b","))
                yield batch[:, ::-1]

        for number in range(plan.passes):
            write_npy_array(folder / f"pass-{number:03d}.npy", (plan.samples_per_pass, 2), "<i4", points(number))
    (folder / INFO).write_text(
        "".join(f"{name} = {value}\n" for name, value in _info(source)), encoding="ascii", newline="\n"
    )
    return plan.total_samples


def read_de_freescan(folder: Path) -> Freescan:
    """Read a folder for DE-Freescan.

    Raises
    ------
    InputNotFoundError
        When there is no such folder, or a file is missing in it.
    DataError
        When a file is damaged, or its points are not those of the other files.
    """
    if not folder.is_dir():
        raise InputNotFoundError(f"expected a folder for DE-Freescan, got {str(folder)!r}, which is none")
    numbers = sorted(int(match[1]) for file in folder.iterdir() if (match := _PASS_FILE.fullmatch(file.name)))
    if not numbers or numbers != list(range(len(numbers))):
        raise InputNotFoundError(
            f"{folder}: expected pass-000.npy and those that follow it without a gap, got "
            f"{len(numbers) or 'no'} such files{f' up to pass-{numbers[-1]:03d}.npy' if numbers else ''}"
        )
    passes = tuple(_read_pass(folder / f"pass-{number:03d}.npy") for number in numbers)
    path = folder / COORDINATES
    with open_data(path) as file:
        table = read_table(file, path, separator=",", columns=(2,), first_line=1)
    every = np.concatenate(passes)
    if len(table) != len(every):
        raise DataError(f"{path}: expected the {counted(len(every), 'point')} of the passes, got {len(table)}")
    different = (table != every).any(axis=1)
    if different.any():
        bad = int(np.argmax(different))
        raise DataError(
            f"{path}: expected {every[bad, 0]},{every[bad, 1]} in line {bad + 1}, as the passes say, got "
            f"{table[bad, 0]},{table[bad, 1]}"
        )
    _check_info(folder / INFO)
    return Freescan(passes, every)


def _owns(name: str) -> bool:
    """Tell whether a file of this name is one that `write_de_freescan` writes."""
    return name in (COORDINATES, INFO) or _PASS_FILE.fullmatch(name) is not None


def _info(source: Source) -> list[tuple[str, object]]:
    """Names and values of the file that says what kind of scan it is."""
    rows, columns = source.plan.shape
    info: list[tuple[str, object]] = [
        ("Instrument Project TEMorSTEM Mode", 1),
        ("Scan - Enable", "Enable"),
        _KIND,
        ("Scan - Size X", columns),
        ("Scan - Size Y", rows),
    ]
    if (size := source.plan.pixel_size_nm) is not None:
        info += [(f"Specimen Pixel Size {axis} (nanometers)", size) for axis in "XY"]
    return info


def _check_info(path: Path) -> None:
    """Refuse a file that is none of `name = value`, or says that the scan is one of lines."""
    with open_data(path) as file:
        lines = file.read(_LARGEST_INFO).decode("latin-1").splitlines()
    for number, line in enumerate(lines, 1):
        if line.count("=") != 1:
            raise DataError(f"{path}: expected a name and a value as NAME = VALUE in line {number}, got {line[:40]!r}")
    found = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    name, value = _KIND
    if found.get(name) != value or found.get("Scan - Enable") != "Enable":
        raise DataError(
            f"{path}: expected {name} = {value} and Scan - Enable = Enable, got {found.get(name, 'none')} and "
            f"{found.get('Scan - Enable', 'none')}"
        )


def _check_profile(source: Source) -> None:
    """Refuse a profile whose program is more than a list of the plan's pixels; the program checked its limits."""
    profile = source.profile
    if profile is None:
        return
    for what, wrong in (
        (f"grid.fit {profile.grid.fit!r}", profile.grid.fit != "pixels"),
        (f"grid.origin {profile.grid.origin!r}", profile.grid.origin != "top-left"),
        (f"grid.transform {profile.grid.transform!r}", profile.grid.transform != "none"),
        ("settle", profile.settle is not None),
        (f"flyback_ns {profile.flyback_ns}", profile.flyback_ns > 0),
    ):
        if wrong:
            raise ProfileError(
                "expected a profile of whole pixels from the top left, without settle and flyback, for DE-Freescan, "
                f"whose positions are all samples, got {profile.name!r} with {what}; choose another profile"
            )


def _read_pass(path: Path) -> npt.NDArray[np.int32]:
    """Points of one pass."""
    points = read_pairs(path, kinds="iu", what="whole (x, y)")
    if points.size and (points.min() < 0 or points.max() > 65535):
        raise DataError(f"{path}: expected pixels from 0 to 65535, got {points.min()} to {points.max()}")
    return points.astype(np.int32)


def _describe(folder: Path) -> Contents:
    """Number and extent of the points, and their passes."""
    scan = read_de_freescan(folder)
    points, passes = contents_of_points(scan.coordinates[:, ::-1]), len(scan.passes)
    return Contents({"passes": passes, **points.facts}, (("passes", counted(passes, "pass")), *points.rows))


FORMATS = (
    Format(
        "de-freescan",
        "folder of (x, y) in pixels, a file a pass, for Direct Electron DE-Freescan and RosettaSciIO",
        (),
        write_de_freescan,
        read_de_freescan,
        profile="de-freescan",
        takes_profile=True,
        describe=_describe,
        holds=lambda shape, dtype: dtype.kind in "iu" and len(shape) == 2 and shape[1] == 2,
        owns=_owns,
    ),
)
