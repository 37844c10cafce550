"""Compiled loops over vector pixels, which are all but a few bytes of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled

__all__ = ["read_pixels", "write_pixels"]


@compiled()
def write_pixels(
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    dwell: NDArray[np.int64],
    blanked: NDArray[np.bool_],
    state: bool,
    largest: int,
    out: NDArray[np.uint8],
) -> int:
    """Write steps as inline Blanks, VectorPixels and Arrays of them; at most 10 bytes per step. Bytes written."""
    at = 0
    i = 0
    while i < x.size:
        if blanked[i] != state:
            state = blanked[i]
            out[at] = 0x53 if state else 0x52
            at += 1
        end = i + 1
        while end < x.size and end - i < largest and blanked[end] == state:
            end += 1
        if end - i == 1:
            out[at] = 0xE0
            at += 1
        else:
            out[at] = 0x8E
            out[at + 1] = (end - i - 1) >> 8
            out[at + 2] = (end - i - 1) & 255
            at += 3
        for k in range(i, end):
            field = dwell[k] - 1
            out[at] = x[k] >> 8
            out[at + 1] = x[k] & 255
            out[at + 2] = y[k] >> 8
            out[at + 3] = y[k] & 255
            out[at + 4] = field >> 8
            out[at + 5] = field & 255
            at += 6
        i = end
    return at


@compiled(inline=True)
def _word(data: NDArray[np.uint8], at: int) -> Any:
    """A big-endian 16-bit number."""
    return (np.int64(data[at]) << 8) | np.int64(data[at + 1])


@compiled()
def read_pixels(
    data: NDArray[np.uint8],
    kind: int,
    left: int,
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    dwell: NDArray[np.int32],
    blank: NDArray[np.int8],
) -> Any:
    """Read vector pixels and inline Blanks before them until another command or the end of what is whole.

    `kind` and `left` are type and number of the commands that an open Array still has. Returns bytes used, pixels
    read, and kind and left after them.
    """
    at, n, used = 0, 0, 0
    pending = -1
    while at < data.size:
        if left == 0:
            head: Any = np.int64(data[at])
            if head in (0x52, 0x53):
                pending = head & 1
                at += 1
                continue
            array = head in (0x8E, 0x8F)
            if not array and head not in (0xE0, 0xF0):
                break
            body = at + (3 if array else 1)
            new = head & 15 if array else head >> 4
            if (
                body + (6 if new == 14 else 4) > data.size
            ):  # begun only with its first pixel, after which its Blank is told
                break
            left = 1 + (_word(data, at + 1) if array else 0)
            kind = new
            at = body
        size = 6 if kind == 14 else 4
        number = min(left, (data.size - at) // size)
        for i in range(number):
            x[n + i] = _word(data, at + i * size)
            y[n + i] = _word(data, at + i * size + 2)
            dwell[n + i] = _word(data, at + i * size + 4) if size == 6 else -1
            blank[n + i] = -1
        if number > 0:
            blank[n] = pending
            pending = -1
        n += number
        left -= number
        at += number * size
        used = at
        if left > 0:
            break
    return used, n, kind, left
