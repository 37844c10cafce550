"""Files of groups and arrays, HDF5 and Zarr alike: HyperSpy's layout, and plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from stemscan.files.images import Loaded, Signal
from stemscan.files.limits import check_claim
from stemscan.files.microscope import signal_of

__all__ = ["hyperspy_signals", "plain_signal"]


def hyperspy_signals(root: Any, stored: int, file: str) -> list[Signal]:
    """Signals of a file of HyperSpy (hspy, zspy): its groups below Experiments, their axes as attributes.

    Parameters
    ----------
    stored : int
        Bytes of the file.
    file : str
        For messages.
    """
    found = []
    for name in root["Experiments"]:
        group = root["Experiments"][name]
        data = group["data"] if "data" in group else group["data/data"]
        axes = [
            {key: _plain(value) for key, value in group[f"axis-{number}"].attrs.items()}
            for number in range(len(data.shape))
            if f"axis-{number}" in group
        ]
        title = {"metadata": {"General": {"title": name}}}
        found.append(signal_of({"data": _Guarded(data, stored, file), "axes": axes, **title}))
    return [signal for signal in found if signal is not None]


def plain_signal(
    data: Any,
    name: str,
    stored: int,
    file: str,
    *,
    transposed: bool = False,
    colour: Callable[[Any], bool] | None = None,
) -> Signal | None:
    """The frames of an array of numbers; None where it can be no picture.

    Parameters
    ----------
    name, stored, file
        As of `Signal` and `hyperspy_signals`.
    transposed : bool
        True if its axes are in reverse order, as MATLAB writes them.
    colour : callable, optional
        True if a shape is one with colours as its last axis.
    """
    shape = tuple(int(extent) for extent in data.shape or ())
    if len(shape) < 2 or min(shape[-2:]) < 2 or data.dtype.kind not in "biufc":
        return None
    inner = 3 if colour is not None and colour(shape) else 2
    stack, size = shape[:-inner], (shape[-inner], shape[1 - inner])
    guarded = _Guarded(data, stored, file)

    def load(number: int) -> Loaded:
        values = guarded[tuple(np.unravel_index(number, stack)) if stack else ()]
        return (values.T if transposed else values), ()

    frame_bytes = data.dtype.itemsize * math.prod(shape[-inner:])
    return Signal(load, size[::-1] if transposed else size, frame_bytes, stack, name)


class _Guarded:
    """An array of a file, the size of whose chunks is compared with the file's before one is decoded."""

    def __init__(self, data: Any, stored: int, file: str) -> None:
        self._data, self._stored, self._file = data, stored, file
        self.shape, self.dtype = tuple(data.shape), data.dtype

    def __getitem__(self, place: Any) -> Any:
        chunk = getattr(self._data, "shards", None) or self._data.chunks or (1,)
        check_claim(math.prod(chunk) * self.dtype.itemsize, self._stored, self._file)
        return np.asarray(self._data[place])


def _plain(value: Any) -> Any:
    """An attribute as text or number."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
