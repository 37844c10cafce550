"""Incremental decoder of the Open Beam Interface's command stream, written apart from the encoder.

Bytes may come in pieces of any size; what is decoded does not depend on them, apart from where runs of vector pixels
are divided. Arrays are opened: their commands are handed out as if each had been sent alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import ControllerError
from stemscan.hardware.obi import commands as obi
from stemscan.units import counted

__all__ = ["Decoder"]

_SIZES: Final = {0x0: 2, 0x6: 2, 0x8: 2, 0x9: 2, 0xA: 12, 0xB: 2, 0xC: 4, 0xD: 2, 0xE: 6, 0xF: 4}
_FLAGS: Final = {0x0: 0x7, 0x3: 0x1, 0x4: 0x3, 0x5: 0x3, 0x8: 0xF}
_REPEATABLE: Final = frozenset({0x6, 0x9, 0xA, 0xB, 0xC, 0xD, 0xE, 0xF})
_VECTOR: Final = frozenset({0xE, 0xF})


class Decoder:
    """Parser of a command stream.

    Examples
    --------
    >>> decoder = Decoder()
    >>> decoder.feed(bytes.fromhex("0212"))
    []
    >>> decoder.feed(bytes.fromhex("34 31"))
    [Synchronize(cookie=4660, raster=False, output=<Output.EIGHT_BIT: 1>), ExternalCtrl(enable=True)]
    """

    def __init__(self) -> None:
        self._rest = b""
        self._kind = 0
        self._left = 0
        self._read = 0
        self._problem: ControllerError | None = None
        self._room = _room(0)

    def feed(self, data: bytes) -> list[obi.Command | obi.VectorPixels]:
        """Commands that these bytes complete.

        Raises
        ------
        ControllerError
            At a byte that begins no command, naming the byte and its place in the stream. The commands before it are
            handed out first; the error is then raised by `check` and by any further call.
        """
        self.check()
        data = self._rest + data
        found: list[obi.Command | obi.VectorPixels] = []
        at = 0
        while at < len(data):
            if self._vector_next(data[at]) and (used := self._vectors(data, at, found)):
                at += used
                continue
            try:
                size = self._other(data, at, found)
            except ControllerError as problem:
                self._problem = problem
                if not found:
                    raise
                break
            if not size:
                break
            at += size
        self._rest = data[at:]
        self._read += at
        return found

    def check(self) -> None:
        """Say whether the stream broke after the commands that were handed out last.

        Raises
        ------
        ControllerError
            When it did.
        """
        if self._problem is not None:
            raise self._problem

    def finish(self) -> None:
        """Say that the stream ended.

        Raises
        ------
        ControllerError
            When it did so inside a command, or broke before.
        """
        self.check()
        if self._rest not in (b"", b"\x52", b"\x53") or self._left:
            raise ControllerError(
                f"expected whole commands of the Open Beam Interface, got an end inside one after "
                f"{counted(self._read, 'byte')}"
            )

    def _vector_next(self, head: int) -> bool:
        """Tell whether a vector pixel may stand here, perhaps after a Blank."""
        return self._kind in _VECTOR if self._left else head in (0x52, 0x53, 0x8E, 0x8F, 0xE0, 0xF0)

    def _vectors(self, data: bytes, at: int, found: list[obi.Command | obi.VectorPixels]) -> int:
        """Decode vector pixels; how many bytes they took."""
        from stemscan.hardware.obi.kernels import read_pixels

        view = np.frombuffer(data, np.uint8, offset=at)
        if len(self._room[0]) < view.size // 4 + 1:
            self._room = _room(view.size // 4 + 1)
        used, n, self._kind, self._left = (int(one) for one in read_pixels(view, self._kind, self._left, *self._room))
        if n:
            x, y, dwell, blank = self._room
            found.append(obi.VectorPixels(x[:n].copy(), y[:n].copy(), dwell[:n].copy(), blank[:n].copy()))
        return used

    def _other(self, data: bytes, at: int, found: list[obi.Command | obi.VectorPixels]) -> int:
        """Decode one other command; how many bytes it took, 0 if there are not enough."""
        if self._left:
            size = _SIZES[self._kind]
            if at + size > len(data):
                return 0
            found.append(_with_fields(self._kind, data[at : at + size]))
            self._left -= 1
            return size
        head = data[at]
        kind, flags = head >> 4, head & 0xF
        self._check(kind, flags, at)
        size = 1 + _SIZES.get(kind, 0)
        if at + size > len(data) or _waits_for_pixel(kind, flags, data[at + 1 : at + 2]):
            return 0
        if kind == 0x8:
            self._kind, self._left = flags, int.from_bytes(data[at + 1 : at + 3], "big") + 1
        elif kind in _REPEATABLE:
            found.append(_with_fields(kind, data[at + 1 : at + size]))
        else:
            found.append(_with_flags(kind, flags, data[at + 1 : at + size]))
        return size

    def _check(self, kind: int, flags: int, at: int) -> None:
        """Refuse what begins no command."""
        known = kind != 0x7 and not flags & ~_FLAGS.get(kind, 0)
        wrong_mode = (kind == 0x0 and flags >> 1 == 3) or (kind == 0x4 and flags == 3)
        if not known or wrong_mode or (kind == 0x8 and flags not in _REPEATABLE):
            raise ControllerError(
                f"expected a command of the Open Beam Interface, got byte 0x{kind << 4 | flags:02x} at "
                f"{self._read + at} of the stream; check what is sent"
            )


def _room(
    pixels: int,
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.int32], NDArray[np.int8]]:
    """Arrays for so many pixels to be read into."""
    return (
        np.empty(pixels, np.uint16),
        np.empty(pixels, np.uint16),
        np.empty(pixels, np.int32),
        np.empty(pixels, np.int8),
    )


def _waits_for_pixel(kind: int, flags: int, following: bytes) -> bool:
    """Tell an inline Blank that is told with the pixel after it, which is not whole or not there yet."""
    return kind == 0x5 and bool(flags & 2) and following in (b"", b"\x8e", b"\x8f", b"\xe0", b"\xf0")


def _with_fields(kind: int, payload: bytes) -> obi.Command:
    """A command whose meaning is all in its fields."""
    fields = [int.from_bytes(payload[i : i + 2], "big") for i in range(0, len(payload), 2)]
    if kind == 0x6:
        return obi.Delay(*fields)
    if kind == 0x9:
        return obi.RasterPixelFill(*fields)
    if kind == 0xA:
        return obi.RasterRegion(*fields)
    if kind == 0xB:
        return obi.RasterPixel(*fields)
    if kind == 0xC:
        return obi.RasterPixelRun(fields[0] + 1, fields[1])
    if kind == 0xD:
        return obi.RasterPixelFreeRun(*fields)
    return obi.VectorPixel(*fields) if kind == 0xE else obi.VectorPixelMinDwell(*fields)


def _with_flags(kind: int, flags: int, payload: bytes) -> obi.Command:
    """A command with flags, or without anything."""
    if kind == 0x0:
        return obi.Synchronize(int.from_bytes(payload, "big"), bool(flags & 1), obi.Output(flags >> 1))
    if kind == 0x1:
        return obi.Abort()
    if kind == 0x2:
        return obi.Flush()
    if kind == 0x3:
        return obi.ExternalCtrl(bool(flags))
    if kind == 0x4:
        return obi.BeamSelect(obi.Beam(flags))
    return obi.Blank(bool(flags & 1), bool(flags & 2))
