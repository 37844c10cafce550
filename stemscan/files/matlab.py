"""Pictures from MATLAB's files of version 5 (save -v6, -v7), by scipy; those of version 7.3 are HDF5."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scipy.io import loadmat, whosmat

from stemscan.errors import DataError
from stemscan.files.images import Loaded, Signal
from stemscan.files.limits import check_claim

__all__ = ["open_mat"]

_BYTES = {"double": 8, "single": 4, "int64": 8, "uint64": 8, "int32": 4, "uint32": 4, "int16": 2, "uint16": 2}
_BYTES |= {"int8": 1, "uint8": 1, "logical": 1}


@contextmanager
def open_mat(path: Path) -> Iterator[Sequence[Signal]]:
    """Open the numeric arrays of a file that could be pictures as signals, named as its variables."""
    yield [
        _signal(path, name, shape, _BYTES[kind])
        for name, shape, kind in whosmat(path)[:1000]
        if kind in _BYTES and len(shape) >= 2 and min(shape[:2]) > 1
    ]


def _signal(path: Path, name: str, shape: tuple[int, ...], size: int) -> Signal:
    """The frames of a variable: MATLAB has rows and columns first, then colour or frames."""
    colour = len(shape) > 2 and shape[2] in (3, 4) and shape[1] > 4
    stack = shape[3:] if colour else shape[2:]

    def load(number: int) -> Loaded:
        check_claim(math.prod(shape), path.stat().st_size, str(path))
        array = loadmat(path, variable_names=[name], squeeze_me=False)[name]
        if array.shape != tuple(shape) or array.dtype.kind not in "biufc":
            raise DataError(f"expected numbers in {name!r}, got another array in {str(path)!r}, which is damaged")
        place = [number // math.prod(stack[:at]) % stack[at] for at in range(len(stack))]
        return array[(slice(None),) * (3 if colour else 2) + tuple(place)], ()

    frame_bytes = size * math.prod(shape[: 3 if colour else 2])
    return Signal(load, (shape[0], shape[1]), frame_bytes, tuple(stack), name)
