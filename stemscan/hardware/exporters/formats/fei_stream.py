"""Formats `fei-stream` (16-bit) and `fei-stream-12` (12-bit): Thermo Fisher (FEI) stream files (.str).

Line 1 is `s16`, `s16,25ns` or `s` (12-bit; units of 100 ns unless it says 25), line 2 how often the whole is repeated,
line 3 the number of points; then a line `dwell x y` or `dwell x y blank` a point: dwell in time units, x and y in codes
from the top left, blank 0 with the beam blanked and 1 with it on. A stream file drives the patterning engine, which
returns no samples, and leaves the beam as the last point does: that is a blanked one, where the profile parks, or on
the last sample. Description: public readers and writers of such files, among them fib-o-mat
(https://gitlab.com/viggge/fib-o-mat).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import DataError, ProfileError, UsageError
from stemscan.hardware.exporters.decimal_text import decimal_lines
from stemscan.hardware.exporters.format import NOT_STATED, Contents, Format, extent
from stemscan.hardware.exporters.text_reader import open_data, read_header_line, read_table
from stemscan.hardware.program import Steps
from stemscan.units import counted, format_duration

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.hardware.program import Program

__all__ = ["FORMATS", "StreamFile", "read_fei_stream", "write_fei_stream"]

_FIRST_LINES = {(16, 25): "s16,25ns", (16, 100): "s16", (12, 100): "s"}
_FIRST_LINE = re.compile(r"s(16)?(?:, ?(25|100) ?ns)?")
_PLAIN_NS = 100  # the unit of a first line that names none, which every engine knows


@dataclass(frozen=True, eq=False)
class StreamFile:
    """Contents of a stream file.

    Parameters
    ----------
    bits : int
        Of the codes: 16 or 12.
    unit_ns : int
        Time unit of the dwells in nanoseconds: 25 or 100.
    repeats : int
        Times that the points are run through.
    dwell : int64 (n,)
        In time units, at least 1.
    x, y : int32 (n,)
        Codes of column and row.
    blanked : bool (n,)
        True where the beam is blanked.
    """

    bits: int
    unit_ns: int
    repeats: int
    dwell: npt.NDArray[np.int64]
    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    blanked: npt.NDArray[np.bool_]


def write_fei_stream(source: Source, path: Path, *, bits: int) -> int:
    """Write what a program tells the patterning engine, with codes of 16 or 12 bits; returns the number of points.

    Raises
    ------
    ProfileError
        When the profile is of a controller that no stream file of so many bits can be for, or cannot blank corners.
    """
    program = _program(source)
    profile = program.profile
    units = _units(profile, bits)
    ending = _ending(program, corners=source.corners)
    points, plain = _survey(source, program)
    unit = _PLAIN_NS if plain and _PLAIN_NS in units else profile.dwell.quantum_ns
    coarser = unit // profile.dwell.quantum_ns
    columns = 3 if profile.blanker == "none" else 4
    with path.open("wb") as file:
        file.write(f"{units[unit]}\n1\n{points + len(ending)}\n".encode())
        for steps in _and_then(source.steps(program), ending):
            dwell = -(-(steps.dwell - profile.dwell.offset) // coarser)  # rounded up at the end only
            numbers = (dwell, steps.x, steps.y, (~steps.blanked).astype(np.uint8))
            file.write(decimal_lines(numbers[:columns], b" "))
    return points + len(ending)


def read_fei_stream(path: Path) -> StreamFile:
    """Read a stream file.

    Raises
    ------
    InputNotFoundError
        When there is no such file.
    DataError
        When it is cut short, goes on too long, or a line is not what it must be.
    """
    with open_data(path) as file:
        bits, unit_ns = _parse_first(read_header_line(file, path, 1, "s, s16 or s16,25ns"), path)
        repeats = _positive(read_header_line(file, path, 2, "the number of repeats"), path, 2)
        points = _positive(read_header_line(file, path, 3, "the number of points"), path, 3)
        table = read_table(file, path, separator=" ", columns=(4, 3), first_line=4)
    if len(table) != points:
        raise DataError(f"{path}: expected {counted(points, 'point')}, as line 3 says, got {len(table)}")
    _check(table[:, 0] < 1, table, path, "a dwell of at least 1")
    _check(table[:, 1:3].max(axis=1) >= 1 << bits, table, path, f"x and y below {1 << bits}")
    blank = table[:, 3] if table.shape[1] == 4 else np.ones(points, np.int64)
    _check(blank > 1, table, path, "a last number of 0 (blanked) or 1")
    x, y = table[:, 1].astype(np.int32), table[:, 2].astype(np.int32)
    return StreamFile(bits, unit_ns, repeats, table[:, 0].copy(), x, y, blank == 0)


def _program(source: Source) -> Program:
    """The program of the source."""
    if source.program is None:
        raise UsageError("expected a profile for a stream file, got none; give one")
    return source.program


def _units(profile: ControllerProfile, bits: int) -> dict[int, str]:
    """The time units in ns that files of so many bits have, and the line that names width and unit."""
    units = {unit: text for (width, unit), text in _FIRST_LINES.items() if width == bits}
    given, quantum = profile.grid.bits, profile.dwell.quantum_ns
    if given != bits or quantum not in units:
        raise ProfileError(
            f"expected a profile of {bits} bits with a dwell quantum of {' or '.join(map(str, units))} ns for a "
            f"{bits}-bit stream file, got {profile.name!r} of {'pixels' if given is None else f'{given} bits'} with "
            f"{quantum} ns; choose another profile"
        )
    return units


def _survey(source: Source, program: Program) -> tuple[int, bool]:
    """Number of all steps, which stands above them in the file, and whether all last whole units of 100 ns."""
    profile = program.profile
    whole = _PLAIN_NS // profile.dwell.quantum_ns
    plain = profile.dwell.offset == 0 and program.quantisation.dwell_quanta % whole == 0
    if profile.settle is None and not profile.flyback_ns:
        return source.plan.total_samples, plain
    points = 0
    for steps in program.batches(0, source.plan.total_samples):
        points += len(steps)
        plain = plain and not (steps.dwell % whole).any()
    return points, plain


def _ending(program: Program, *, corners: bool) -> Steps:
    """Points after the last sample: blanked ones in two corners of the field, and one where the beam is left.

    A loader that centres a pattern on its points centres the field then. Nothing for a profile that neither blanks nor
    parks.
    """
    profile = program.profile
    if corners and profile.blanker == "none":
        raise ProfileError(
            f"expected a profile with a blanker for corner points, which would be exposed, got {profile.name!r}; leave "
            "--corners out, or choose another profile"
        )
    codes = [(0, 0), (profile.grid.columns - 1, profile.grid.rows - 1)] if corners else []
    if profile.park is not None:
        codes.append((profile.park[1], profile.park[0]))
    elif profile.blanker != "none":
        last = program.steps(program.plan.total_samples - 1, program.plan.total_samples)
        codes.append((int(last.x[-1]), int(last.y[-1])))
    number = len(codes)
    x, y = np.array(codes, np.int32).reshape(-1, 2).T
    dwell = np.full(number, profile.dwell.smallest, np.int64)
    return Steps(x, y, dwell, np.full(number, profile.blanker != "none"), np.full(number, -1, np.int64))


def _and_then(steps: Iterator[Steps], ending: Steps) -> Iterator[Steps]:
    """Steps, and the last ones."""
    yield from steps
    yield ending


def _parse_first(line: str, path: Path) -> tuple[int, int]:
    """Bits and time unit in nanoseconds."""
    match = _FIRST_LINE.fullmatch(line)
    if match is None:
        raise DataError(f"{path}: expected s, s16 or s16,25ns in line 1, got {line!r}")
    return (16 if match[1] else 12), int(match[2] or 100)


def _positive(text: str, path: Path, number: int) -> int:
    """A whole number of at least 1."""
    if not re.fullmatch(r"\d{1,18}", text) or int(text) < 1:
        raise DataError(f"{path}: expected a whole number of at least 1 in line {number}, got {text!r}")
    return int(text)


def _check(wrong: npt.NDArray[np.bool_], table: npt.NDArray[np.int64], path: Path, what: str) -> None:
    """Refuse the first wrong line."""
    if wrong.any():
        bad = int(np.argmax(wrong))
        shown = " ".join(str(value) for value in table[bad])
        raise DataError(f"{path}: expected {what} in line {bad + 4}, got {shown!r}")


def _begins(start: bytes, *, bits: int) -> bool:
    """Tell whether the first line is that of a stream file with codes of so many bits."""
    match = _FIRST_LINE.fullmatch(start.split(b"\n")[0].strip().decode("latin-1"))
    return match is not None and (16 if match[1] else 12) == bits


def _describe(path: Path) -> Contents:
    """Points, codes and time."""
    stream = read_fei_stream(path)
    points, blanked = len(stream.x), int(stream.blanked.sum())
    time = int(stream.dwell.sum()) * stream.unit_ns * stream.repeats
    x, y = extent(stream.x), extent(stream.y)
    return Contents(
        {
            "bits": stream.bits,
            "unit_ns": stream.unit_ns,
            "repeats": stream.repeats,
            "points": points,
            "blanked_points": blanked,
            "x": x,
            "y": y,
            "time_ns": time,
        },
        (
            ("points", f"{counted(points, 'point')}, {blanked} of them blanked, run {counted(stream.repeats, 'time')}"),
            ("codes", f"x {x[0]} to {x[1]}, y {y[0]} to {y[1]}"),
            ("time", f"{format_duration(time)}, in units of {stream.unit_ns} ns"),
            ("plan", NOT_STATED),
        ),
    )


FORMATS = tuple(
    Format(
        name,
        f"stream file, {bits} bits, for Thermo Fisher (FEI) patterning engines",
        (".str",),
        partial(write_fei_stream, bits=bits),
        read_fei_stream,
        profile=name,
        takes_profile=True,
        takes_corners=True,
        dwell="points",
        begins=partial(_begins, bits=bits),
        describe=_describe,
    )
    for name, bits in (("fei-stream", 16), ("fei-stream-12", 12))
)
