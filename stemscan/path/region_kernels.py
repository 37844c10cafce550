"""Compiled: patterns with a fixed number of samples in every tile, kept to a region of the grid.

A tile that the region's edge (or the grid's) cuts shares the rest of the samples by its area, as
`stemscan.path.tile_kernels.edge_offsets` does at the edge of the grid. All is made band by band.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.path.tile_kernels import choose_exclusive, choose_head, edge_start, new_scratch
from stemscan.runtime.compiled import compiled

__all__ = ["Shares", "choose_in_region", "samples_of_strips", "shared_before", "whole_and_cut"]

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
_HALF = 16
_LOW = (1 << _HALF) - 1


class Shares(NamedTuple):
    """How many samples tiles get.

    Attributes
    ----------
    per_tile, full : int
        Samples and pixels of a whole tile.
    rest, area : int
        Samples and pixels of all tiles that are cut.
    """

    per_tile: int
    full: int
    rest: int
    area: int


@compiled()
def whole_and_cut(mask: Mask, tile: tuple[int, int]) -> tuple[int, int]:
    """Number of whole tiles, and of pixels of cut ones, in the rows of a mask, which begin with a tile's."""
    areas = np.zeros((mask.shape[1] + tile[1] - 1) // tile[1], np.int64)
    whole, cut = 0, 0
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            if mask[row, column]:
                areas[column // tile[1]] += 1
        if (row + 1) % tile[0] == 0 or row + 1 == mask.shape[0]:
            for i in range(len(areas)):
                if areas[i] == tile[0] * tile[1]:
                    whole += 1
                else:
                    cut += areas[i]
            areas[:] = 0
    return whole, cut


@compiled()
def shared_before(covered: Any, start: Any, shares: Shares) -> Any:
    """(rest covered + start) // area, which overflows 64 bits where almost all of a huge grid is cut, in two steps."""
    product = shares.rest * (covered >> _HALF)
    left = (product % shares.area << _HALF) + shares.rest * (covered & _LOW) + start
    return (product // shares.area << _HALF) + left // shares.area


@compiled()
def samples_of_strips(whole: Counts, covered: Counts, start: Any, shares: Shares) -> Counts:
    """Samples of strips of so many whole tiles each; `covered`, one longer, are the pixels of cut ones before each."""
    counts = whole * shares.per_tile
    if shares.area > 0:
        for strip in range(len(whole)):
            before = shared_before(covered[strip], start, shares)
            counts[strip] += shared_before(covered[strip + 1], start, shares) - before
    return counts


@compiled(inline=True)
def _share(area: Any, covered: Any, start: Any, shares: Shares) -> Any:
    """Samples of a tile with `area` pixels in a pass whose sharing out begins at `start`, after `covered` pixels."""
    if area == shares.full:
        return np.int64(shares.per_tile)
    return shared_before(covered + area, start, shares) - shared_before(covered, start, shares)


@compiled(inline=True)
def _list_inside(mask: Mask, row0: Any, column0: Any, tile: Any, first_row: Any, inside: Any) -> Any:
    """Write the pixels of a tile that lie inside to `inside`; return how many."""
    area = 0
    for row in range(row0, min(row0 + tile[0], mask.shape[0])):
        for column in range(column0, min(column0 + tile[1], mask.shape[1])):
            if mask[row, column]:
                inside[area] = np.uint32((first_row + row) * mask.shape[1] + column)
                area += 1
    return area


@compiled()
def choose_in_region(
    mask: Mask,
    first_row: int,
    tile_shape: tuple[int, int],
    shares: Shares,
    covered: Any,
    seed: Any,
    exclusive: bool,
    number: int,
    samples: int,
) -> npt.NDArray[np.uint32]:
    """Pixels, row * columns + column, that a pass visits in the rows of a mask, tile by tile: (samples,) uint32.

    Parameters
    ----------
    mask : array of bool, (h, W)
        Rows of the region; they begin and end with those of tiles, or with the grid.
    first_row : int
        Of the mask, on the grid.
    tile_shape, shares, seed, exclusive, number
        Of the pattern, the plan and the pass.
    covered : int
        Pixels of cut tiles before these rows.
    samples : int
        Sum of the samples of these tiles.
    """
    out = np.empty(samples, np.uint32)
    scratch = new_scratch(tile_shape[0] * tile_shape[1])
    inside = np.empty(tile_shape[0] * tile_shape[1], np.uint32)
    chosen = np.empty(tile_shape[0] * tile_shape[1], np.int32)
    edge_starts = np.array([edge_start(seed, k, shares.area) for k in range(number + 1)])
    offsets = np.zeros(number + 2, np.int64)
    tile = first_row // tile_shape[0] * ((mask.shape[1] + tile_shape[1] - 1) // tile_shape[1])
    at = 0
    for row0 in range(0, mask.shape[0], tile_shape[0]):
        for column0 in range(0, mask.shape[1], tile_shape[1]):
            area = _list_inside(mask, row0, column0, tile_shape, first_row, inside)
            count = _share(area, covered, edge_starts[number], shares) if area else 0
            if exclusive and count:
                for k in range(number + 1):
                    offsets[k + 1] = offsets[k] + _share(area, covered, edge_starts[k], shares)
                choose_exclusive(offsets, number, area, seed, tile, scratch, chosen)
            elif count:
                choose_head(0, count, area, seed, tile, number, scratch, chosen)
            for i in range(count):
                out[at] = inside[chosen[i]]
                at += 1
            covered += 0 if area == shares.full else area
            tile += 1
    return out
