"""Encoder of the Open Beam Interface's command stream.

Everything is validated before it is encoded, for a device masks silently. Runs of pixels become an Array of
VectorPixel, in which short dwells stay what they are; a change of blanking goes before it as an inline Blank, which
acts on the tick of the move and cannot stand inside an Array. Rows of a full scan can be a RasterRegion, 13 bytes, and
a RasterPixelRun, 5 bytes, which both may stand among vector pixels.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan.errors import ProfileError, UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.rectangles import Rectangle, rectangles

if TYPE_CHECKING:
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.hardware.program import Steps

__all__ = ["StepEncoder", "encode", "largest_array"]

_ARRAY_HEADER: Final = 3  # bytes
_PIXEL: Final = 6  # bytes of a VectorPixel in an Array
LARGEST_ARRAY: Final = 1 << 16
LARGEST_RUN: Final = 1 << 16

_FIELDS: Final[dict[type, tuple[int, str]]] = {
    obi.Delay: (0x6, "units"),
    obi.RasterPixelFill: (0x9, "dwell"),
    obi.RasterRegion: (0xA, "x_start x_count x_step y_start y_count y_step"),
    obi.RasterPixel: (0xB, "dwell"),
    obi.RasterPixelRun: (0xC, "length dwell"),
    obi.RasterPixelFreeRun: (0xD, "dwell"),
    obi.VectorPixel: (0xE, "x y dwell"),
    obi.VectorPixelMinDwell: (0xF, "x y"),
}
_LARGEST: Final = dict.fromkeys(("x", "y", "x_start", "y_start"), obi.CODES - 1) | {"dwell": obi.LONGEST_DWELL - 1}


def encode(command: obi.Command) -> bytes:
    """Bytes of one command.

    Raises
    ------
    UsageError
        When a field is beyond what the command can carry.
    """
    match command:
        case obi.Synchronize(cookie, raster, output):
            mode = _checked("output", output, 0, max(obi.Output))
            return struct.pack(">BH", int(raster) | mode << 1, _checked("cookie", cookie, 0, 0xFFFF))
        case obi.Abort():
            return b"\x10"
        case obi.Flush():
            return b"\x20"
        case obi.ExternalCtrl(enable):
            return bytes([0x30 | int(enable)])
        case obi.BeamSelect(beam):
            return bytes([0x40 | _checked("beam", beam, 0, max(obi.Beam))])
        case obi.Blank(enable, inline):
            return bytes([0x50 | int(enable) | int(inline) << 1])
        case obi.Array(repeated):
            return _array(repeated)
    return bytes([_FIELDS[type(command)][0] << 4]) + _payload(command)


def _array(repeated: tuple[Any, ...]) -> bytes:
    """Bytes of an Array."""
    _checked("commands of an Array", len(repeated), 1, LARGEST_ARRAY)
    kinds = {type(one) for one in repeated}
    if len(kinds) > 1 or not kinds <= _FIELDS.keys():
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise UsageError(f"expected an Array of one type of command with fields and no flags, got {names}")
    header = struct.pack(">BH", 0x80 | _FIELDS[kinds.pop()][0], len(repeated) - 1)
    return header + b"".join(_payload(one) for one in repeated)


def _payload(command: Any) -> bytes:
    """Fields of a command."""
    if isinstance(command, obi.RasterRegion):
        _check_region(command)
    values = []
    for name in _FIELDS[type(command)][1].split():
        value = getattr(command, name)
        if name == "length":
            values.append(_checked(name, value, 1, 1 << 16) - 1)
        else:
            values.append(_checked(name, value, 0, _LARGEST.get(name, 0xFFFF)))
    return struct.pack(f">{len(values)}H", *values)


def _check_region(region: obi.RasterRegion) -> None:
    """Refuse a region without pixels, or with codes that a device would mask."""
    for axis in "xy":
        start, count, step = (getattr(region, f"{axis}_{name}") for name in ("start", "count", "step"))
        _checked(f"{axis}_count", count, 1, obi.CODES)
        _checked(f"the last {axis} of a region", start + ((count - 1) * step >> 8), 0, obi.CODES - 1)


def _checked(name: str, value: Any, low: int, high: int) -> int:
    """The value, if it is whole and a field can carry it."""
    if not isinstance(value, int | np.integer) or not low <= value <= high:
        raise UsageError(f"expected {low} to {high} for {name} of the Open Beam Interface, got {value}; correct it")
    return int(value)


def largest_array(profile: ControllerProfile) -> int:
    """Most pixels of an Array on a controller, by the largest command of its link.

    Raises
    ------
    ProfileError
        When not even one fits.
    """
    most = None if profile.link is None else profile.link.largest_command_bytes
    if most is None:
        return LARGEST_ARRAY
    pixels = (most - _ARRAY_HEADER) // _PIXEL
    if pixels < 1:
        raise ProfileError(
            f"expected link.largest_command_bytes of at least {_ARRAY_HEADER + _PIXEL} for the Open Beam Interface, "
            f"got {most} in {profile.name}; correct the profile"
        )
    return min(pixels, LARGEST_ARRAY)


class StepEncoder:
    """Encoder of a program's steps; remembers whether the beam is blanked.

    Parameters
    ----------
    blanked : bool
        True if the beam is blanked before the first step.
    largest_array : int
        Most pixels of an Array.
    runs : bool
        Write what goes along rows in equal steps as regions and runs of raster pixels.
    """

    def __init__(self, *, blanked: bool, largest_array: int = LARGEST_ARRAY, runs: bool = False) -> None:
        self.blanked = blanked
        self._runs = runs
        self._largest = _checked("largest_array", largest_array, 1, LARGEST_ARRAY)

    def encode(self, steps: Steps) -> bytes:
        """Bytes of consecutive steps.

        Raises
        ------
        ProfileError
            When a step has a code beyond 14 bits or a dwell beyond 1 to 65535 cycles.
        """
        if not len(steps):
            return b""
        for name, values, low, high in (
            ("column code", steps.x, 0, obi.CODES - 1),
            ("row code", steps.y, 0, obi.CODES - 1),
            ("dwell", steps.dwell, 1, obi.LONGEST_DWELL),
        ):
            if values.min() < low or values.max() > high:
                first = int(((values < low) | (values > high)).argmax())
                raise ProfileError(
                    f"expected a {name} of {low} to {high} for the Open Beam Interface, got {values[first]} at step "
                    f"{first} (sample {steps.sample[first]}); use the obi profile's grid and dwell"
                )
        found = rectangles(steps) if self._runs else []
        parts, done = [], 0
        for one in found:
            parts += [self._listed(steps, done, one.first), self._counted_off(steps, one)]
            done = one.first + one.columns * one.rows
        return b"".join([*parts, self._listed(steps, done, len(steps))])

    def _listed(self, steps: Steps, start: int, stop: int) -> bytes:
        """Steps start .. stop - 1 as vector pixels."""
        from stemscan.hardware.obi.kernels import write_pixels

        if start == stop:
            return b""
        cut = slice(start, stop)
        x, y, dwell, blanked = steps.x[cut], steps.y[cut], steps.dwell[cut], steps.blanked[cut]
        out = np.empty(len(x) * 10, np.uint8)
        used = write_pixels(x, y, dwell, blanked, self.blanked, self._largest, out)
        self.blanked = bool(blanked[-1])
        return out[:used].tobytes()

    def _counted_off(self, steps: Steps, one: Rectangle) -> bytes:
        """A rectangle of steps as a region and runs."""
        at, blanked = one.first, bool(steps.blanked[one.first])
        x, y = (one.columns, one.x_step << 8), (one.rows, one.y_step << 8)
        stream = encode(obi.RasterRegion(int(steps.x[at]), *x, int(steps.y[at]), *y))
        if blanked is not self.blanked:
            stream += encode(obi.Blank(blanked, inline=True))
            self.blanked = blanked
        left, field = one.columns * one.rows, int(steps.dwell[at]) - 1
        lengths = [min(left - done, LARGEST_RUN) for done in range(0, left, LARGEST_RUN)]
        return stream + b"".join(encode(obi.RasterPixelRun(length, field)) for length in lengths)
