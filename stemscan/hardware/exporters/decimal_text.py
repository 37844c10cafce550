"""Integers as lines of decimal digits, a million at a time: what np.savetxt does, without a Python call a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["decimal_lines"]


def decimal_lines(columns: Sequence[npt.NDArray[Any]], separator: bytes) -> bytes:
    r"""Lines of numbers.

    Parameters
    ----------
    columns : sequence of integer arrays, (n,)
        At least 0 each.
    separator : bytes
        One character between the numbers of a line.

    Returns
    -------
    bytes
        n lines, each ended by one line feed.

    Examples
    --------
    >>> decimal_lines([np.array([7, 10]), np.array([0, 123])], b" ")
    b'7 0\n10 123\n'
    """
    count = len(columns[0])
    if count == 0:
        return b""
    parts: list[npt.NDArray[np.uint8]] = []
    shown: list[npt.NDArray[np.bool_]] = []
    for index, column in enumerate(columns):
        digits, needed = _digits(column)
        end = separator if index + 1 < len(columns) else b"\n"
        parts += [digits, np.full((count, 1), ord(end), np.uint8)]
        shown += [needed, np.ones((count, 1), bool)]
    return np.concatenate(parts, axis=1)[np.concatenate(shown, axis=1)].tobytes()


def _digits(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Digits of each value as characters, (n, width), and which of them are no leading zeros."""
    highest = int(values.max())
    width = len(str(highest))
    rest: npt.NDArray[Any] = values.astype(np.uint32 if highest < 2**32 else np.uint64)
    ten = rest.dtype.type(10)
    digits = np.empty((len(values), width), np.uint8)
    needed = np.ones((len(values), width), bool)
    for place in range(width - 1, -1, -1):
        if place < width - 1:
            needed[:, place] = rest > 0
        quotient = rest // ten
        digits[:, place] = (rest - quotient * ten).astype(np.uint8) + ord("0")
        rest = quotient
    return digits, needed
