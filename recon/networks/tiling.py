"""Frames of any size in bounded memory: a local method, tile by tile.

What a pixel of the output depends on is bounded for a network of convolutions: its receptive field. So a frame is cut
into tiles, each is computed with an overlap beyond its edges, and the inner parts are put together. Where the overlap
covers the receptive field, the result is that of the whole frame up to rounding. What depends on the whole frame (mean
and deviation of the samples, the initial reconstruction in Fourier space) is computed on the whole frame first and
handed in as one of the arrays.

Tiles begin at multiples of `multiple`, so that strides and pooling meet the same pixels as in the whole frame, and end
there or at the frame's end, where the method itself may pad as it would without tiles. With an overlap that does not
cover the receptive field there are seams; a taper blends them over some pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.errors import ReconError
from stemscan.recon.inputs.grids import coarse_shape
from stemscan.types import Image

__all__ = ["tiled"]


@dataclass(frozen=True)
class _Span:
    """A tile along one axis, in pixels of the scan: what is read, and the weight of what is made of it."""

    first: int
    last: int
    weight: npt.NDArray[np.float32]  # of each pixel of the output that `first` to `last` gives


def tiled(
    function: Callable[..., Image],
    arrays: Sequence[Any],
    factor: int,
    tile: int,
    overlap: int,
    *,
    multiple: int = 16,
    taper: int = 0,
) -> Image:
    """Compute an image tile by tile.

    Parameters
    ----------
    function : callable
        Takes the same part of every array, (..., h, w), and returns float32
        (..., ceil(h / factor), ceil(w / factor)).
    arrays : sequence of array_like, (..., H, W)
        Anything that numpy slices, in memory or not.
    factor : int
        Scan pixels per pixel of the output, in each direction.
    tile : int
        Side of a tile without overlap in scan pixels, a multiple of `multiple`. At most (tile + 2 overlap) squared
        pixels of each array are in use at a time.
    overlap : int
        Scan pixels that a tile is computed beyond its edges, where the frame goes on; rounded up to `multiple`.
    multiple : int
        Of which tiles begin at multiples: the product of all strides of the network; itself one of `factor`.
    taper : int
        Neighbouring tiles are blended linearly up to this many scan pixels on both sides of their common edge; needs
        `overlap` to reach as far. 0 puts them edge to edge.

    Returns
    -------
    ndarray of float32, (..., ceil(H / factor), ceil(W / factor))
        Does not depend on `tile` where `overlap` - `taper` covers the receptive field, up to rounding.

    Raises
    ------
    ReconError
        When sizes do not fit each other, or the function returns another shape.
    """
    shape = _common_shape(arrays)
    _check(factor, tile, overlap, multiple, taper)
    output: Image | None = None
    axes = [list(_spans(size, factor, tile, -(-overlap // multiple) * multiple, taper)) for size in shape]
    for rows, columns in product(*axes):
        parts = [np.asarray(array[..., rows.first : rows.last, columns.first : columns.last]) for array in arrays]
        made = function(*parts)
        expected = (rows.weight.size, columns.weight.size)
        if made.shape[-2:] != expected:
            raise ReconError(
                f"expected an image of shape {expected} of a tile at factor {factor}, got {made.shape}; "
                "give the factor of the method"
            )
        if output is None:
            output = np.zeros((*made.shape[:-2], *coarse_shape(shape, factor)), dtype=np.float32)
        _add(output, made, rows, columns, factor)
    assert output is not None  # a frame has at least one tile
    return output


def _add(output: Image, made: Image, rows: _Span, columns: _Span, factor: int) -> None:
    """Add a tile to the image; where its weight is 0 it is not even looked at."""
    inner = [slice(int(used[0]), int(used[-1]) + 1) for used in (np.flatnonzero(s.weight) for s in (rows, columns))]
    weight = np.outer(rows.weight[inner[0]], columns.weight[inner[1]])
    top, left = rows.first // factor, columns.first // factor
    place = (
        ...,
        slice(top + inner[0].start, top + inner[0].stop),
        slice(left + inner[1].start, left + inner[1].stop),
    )
    output[place] += weight * made[..., inner[0], inner[1]]


def _spans(size: int, factor: int, tile: int, overlap: int, taper: int) -> Iterator[_Span]:
    """Tiles along an axis of `size` pixels."""
    for begin in range(0, size, tile):
        end = begin + tile
        first, last = max(begin - overlap, 0), min(end + overlap, size)
        # output pixel i stands for the pixels from factor * i on; taken at its middle
        place = np.arange(first, last, factor, dtype=np.float64) + (factor - 1) / 2
        weight = np.ones(place.size)
        if begin > 0:
            weight *= _rise(place - begin, taper)
        if end < size:
            weight *= 1 - _rise(place - end, taper)
        yield _Span(first, last, weight.astype(np.float32))


def _rise(distance: npt.NDArray[np.floating[Any]], taper: int) -> npt.NDArray[np.float64]:
    """From 0 to 1 over an edge: at once, or linearly from `taper` pixels before it to as many behind it."""
    if taper == 0:
        return (distance >= 0).astype(np.float64)
    return np.asarray(np.clip((distance + taper) / (2 * taper), 0, 1), dtype=np.float64)


def _common_shape(arrays: Sequence[Any]) -> tuple[int, int]:
    """(H, W) of all arrays."""
    shapes = {tuple(int(side) for side in array.shape[-2:]) for array in arrays}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or 0 in shape:
        given = ", ".join(str(tuple(array.shape)) for array in arrays) or "none"
        raise ReconError(f"expected arrays of one grid (..., H, W), got {given}; bring them to the plan's grid")
    return shape[0], shape[1]


def _check(factor: int, tile: int, overlap: int, multiple: int, taper: int) -> None:
    """Refuse sizes that do not fit each other."""
    if factor < 1 or multiple < 1 or multiple % factor:
        raise ReconError(
            f"expected a factor of at least 1 and a multiple of it, got {factor} and {multiple}; give multiple={factor}"
        )
    if tile < multiple or tile % multiple:
        nearest = max(multiple, tile // multiple * multiple)
        raise ReconError(f"expected a tile that is a multiple of {multiple}, got {tile}; take {nearest}")
    if not (0 <= taper <= overlap and 2 * taper <= tile):
        raise ReconError(
            f"expected an overlap of at least 0, and a taper of at most the overlap and half a tile, got an overlap "
            f"of {overlap}, a taper of {taper} and tiles of {tile}; take taper={max(0, min(overlap, tile) // 2)}"
        )
