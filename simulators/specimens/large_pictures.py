"""Large pictures that are specimens as they stand, read band by band into an array that takes no memory of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.files.numpy_files import npy_layout
from stemscan.runtime import roomy as memory
from stemscan.runtime.roomy import give_back, roomy

__all__ = ["large_picture"]

_BAND_PIXELS = 1 << 24
Steps = list[dict[str, Any]]


def large_picture(path: Path, shape: tuple[int, int]) -> tuple[NDArray[np.float32], Steps] | None:
    """Signal of a file that is too large to be read at once, and the steps of its record.

    It is the one that the picture read as a whole has, bit for bit. Whether single pixels stand out of it is not looked
    for.

    Parameters
    ----------
    path : pathlib.Path
        A file of numpy's (.npy), or the folder of a zarr array.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    tuple or None
        None of small pictures, of those of another shape, and of those that are no floating-point numbers in [0, 1]
        with a contrast: they are prepared as a whole.
    """
    if prod(shape) * np.dtype(np.float32).itemsize < memory.LARGE:
        return None
    with _array(path) as array:
        if array is None or array.shape != shape or array.dtype.kind != "f":
            return None
        signal, limits = roomy(shape, np.float32), list[tuple[float, float]]()
        step = _rows(array)
        for first in range(0, shape[0], step):
            band = np.asarray(array[first : first + step])
            limits.append((float(band.min()), float(band.max())))
            if not (limits[-1][0] >= 0 and limits[-1][1] <= 1):
                return None
            signal[first : first + step] = band
            give_back(signal)
            give_back(band)
        low, high = min(one for one, _ in limits), max(one for _, one in limits)
        if not np.float32(low) < np.float32(high):
            return None
        read = {"step": "read", "shape": list(shape), "dtype": str(array.dtype)}
        return signal, [read, {"step": "scale", "kind": "none", "values": [low, high]}]


def _rows(array: Any) -> int:
    """Rows of a band: of whole chunks, where there are."""
    chunk = getattr(array, "chunks", (1,))[0]
    return int(max(1, _BAND_PIXELS // (array.shape[1] * chunk)) * chunk)


@contextmanager
def _array(path: Path) -> Iterator[Any]:
    """The array of a file, of which bands can be read; None where it is something else, which others tell of."""
    if path.is_dir():
        yield _zarr_array(path)
        return
    if path.suffix.lower() != ".npy":
        yield None
        return
    with path.open("rb") as file:
        try:
            shape, dtype, fortran = npy_layout(file)
        except ValueError:
            yield None
            return
        yield None if fortran or not prod(shape) else np.memmap(path, dtype, "r", file.tell(), shape)


def _zarr_array(path: Path) -> Any:
    """A zarr array without a group; None of all else."""
    try:
        is_array = json.loads((path / "zarr.json").read_bytes())["node_type"] == "array"
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_array:
        return None
    import zarr

    return zarr.open_array(path, mode="r")
