"""Commands of the Open Beam Interface.

Byte 0 of a command is its type in the upper half and flags in the lower; fields after it are big-endian 16-bit numbers.
The values here are those on the wire: a dwell field of n lasts n + 1 ADC cycles of 125 ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CODES",
    "CYCLE_NS",
    "LONGEST_DWELL",
    "MIN_DWELL",
    "Abort",
    "Array",
    "Beam",
    "BeamSelect",
    "Blank",
    "Command",
    "Delay",
    "ExternalCtrl",
    "Flush",
    "Output",
    "RasterPixel",
    "RasterPixelFill",
    "RasterPixelFreeRun",
    "RasterPixelRun",
    "RasterRegion",
    "Synchronize",
    "VectorPixel",
    "VectorPixelMinDwell",
    "VectorPixels",
]

CODES: Final = 1 << 14
"""Codes of each axis; what is beyond would be masked silently by a device."""

CYCLE_NS: Final = 125
"""Time of one ADC cycle."""

LONGEST_DWELL: Final = (1 << 16) - 1
"""ADC cycles of the longest dwell; with one more, a device's 16-bit counter of readings wraps, and it answers 0."""

MIN_DWELL: Final = -1
"""Stands in `VectorPixels.dwell` for a pixel that was sent without a dwell."""


class Output(IntEnum):
    """Answer of a device for a pixel: 14 bits shifted left by 2 as two bytes, their top byte, or nothing."""

    SIXTEEN_BIT = 0
    EIGHT_BIT = 1
    NONE = 2


class Beam(IntEnum):
    """Beam that is controlled."""

    NONE = 0
    ELECTRON = 1
    ION = 2


@dataclass(frozen=True)
class Synchronize:
    """Answered by FF FF and the cookie; sets raster or vector mode and the output mode."""

    cookie: int
    raster: bool = False
    output: Output = Output.SIXTEEN_BIT


@dataclass(frozen=True)
class Abort:
    """Send out what was measured so far; whatever its name, nothing is dropped, and a raster goes on."""


@dataclass(frozen=True)
class Flush:
    """Send out what was measured so far."""


@dataclass(frozen=True)
class ExternalCtrl:
    """Take or give back control of the microscope's scan; without it a device blanks nothing."""

    enable: bool


@dataclass(frozen=True)
class BeamSelect:
    """Choose a beam, at once; the other is blanked."""

    beam: Beam


@dataclass(frozen=True)
class Blank:
    """Blank or unblank: at once, or (inline) on the tick of the next move."""

    enable: bool
    inline: bool = False


@dataclass(frozen=True)
class Delay:
    """Wait for so many units of 20.83 ns; does not wait for pixels in flight, so it is no settling."""

    units: int


@dataclass(frozen=True)
class RasterRegion:
    """Region of raster pixels: start code, number of pixels, and step in 1/256 codes, of columns and rows.

    A count is 1 to 16384; a device masks what is above.
    """

    x_start: int
    x_count: int
    x_step: int
    y_start: int
    y_count: int
    y_step: int


@dataclass(frozen=True)
class RasterPixel:
    """The region's next pixel."""

    dwell: int


@dataclass(frozen=True)
class RasterPixelRun:
    """The region's next ``length`` pixels, 1 to 65536."""

    length: int
    dwell: int


@dataclass(frozen=True)
class RasterPixelFreeRun:
    """Pixels of the region, round and round, until the next command."""

    dwell: int


@dataclass(frozen=True)
class RasterPixelFill:
    """Pixels up to the end of the region; none without one."""

    dwell: int


@dataclass(frozen=True)
class VectorPixel:
    """One pixel at a code of its own."""

    x: int
    y: int
    dwell: int


@dataclass(frozen=True)
class VectorPixelMinDwell:
    """One pixel at a code of its own, for the shortest time."""

    x: int
    y: int


Repeatable = (
    Delay
    | RasterRegion
    | RasterPixel
    | RasterPixelRun
    | RasterPixelFreeRun
    | RasterPixelFill
    | VectorPixel
    | VectorPixelMinDwell
)


@dataclass(frozen=True)
class Array:
    """1 to 65536 commands of one type, which has fields and no flags: so never Blank."""

    commands: tuple[Repeatable, ...]


@dataclass(frozen=True, eq=False)
class VectorPixels:
    """Consecutive vector pixels as a decoder finds them, sent alone or in arrays.

    Attributes
    ----------
    x, y : uint16 (n,)
    dwell : int32 (n,)
        Dwell fields, 0 to 65535 (a client sends at most 65534); `MIN_DWELL` for a pixel without.
    blank : int8 (n,)
        Inline Blank directly before the pixel: 1 blank, 0 unblank, -1 where there was none.
    """

    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    dwell: NDArray[np.int32]
    blank: NDArray[np.int8]


Command = Synchronize | Abort | Flush | ExternalCtrl | BeamSelect | Blank | Array | Repeatable
