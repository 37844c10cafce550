"""Compiled: patterns with a fixed number of samples in every tile, kept to a region of the grid.

A tile that the region's edge (or the grid's) cuts shares the rest of the samples by its area, as
`stemscan.patterns.tile_kernels.edge_offsets` does at the edge of the grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled
from stemscan.patterns.tile_kernels import choose_exclusive, choose_head, new_scratch, tile_extent
from stemscan.random import Stream, random_words

__all__ = ["choose_in_region", "region_offsets"]

_EDGE = Stream.EDGE
Mask = npt.NDArray[np.uint8]


@compiled()
def _areas(mask: Mask, tile_shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Pixels of the region in each tile, tiles row by row."""
    across = (mask.shape[1] + tile_shape[1] - 1) // tile_shape[1]
    areas = np.zeros((mask.shape[0] + tile_shape[0] - 1) // tile_shape[0] * across, np.int64)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            if mask[row, column]:
                areas[row // tile_shape[0] * across + column // tile_shape[1]] += 1
    return areas


@compiled()
def region_offsets(
    mask: Mask, tile_shape: tuple[int, int], seed: Any, passes: int, samples: int, per_tile: int
) -> npt.NDArray[np.int32]:
    """Samples that each tile gets before each pass, (passes + 1, tiles)."""
    areas = _areas(mask, tile_shape)
    full = tile_shape[0] * tile_shape[1]
    whole = np.int64((areas == full).sum())
    area = areas.sum() - whole * full
    rest = samples - whole * per_tile
    offsets = np.zeros((passes + 1, len(areas)), np.int32)
    for number in range(passes):
        w0, w1, _, _ = random_words(seed, _EDGE, np.uint64(number), 0)
        start = np.int64(((np.uint64(w0) << np.uint64(32)) | np.uint64(w1)) % np.uint64(max(area, 1)))
        covered = np.int64(0)
        for tile in range(len(areas)):
            share = np.int64(per_tile if areas[tile] == full else 0)
            if 0 < areas[tile] < full:
                before = (rest * covered + start) // area
                covered += areas[tile]
                share = (rest * covered + start) // area - before
            offsets[number + 1, tile] = offsets[number, tile] + share
    return offsets


@compiled()
def choose_in_region(
    mask: Mask, tile_shape: tuple[int, int], offsets: Any, seed: Any, exclusive: bool, number: int, samples: int
) -> npt.NDArray[np.uint32]:
    """Pixels, row * columns + column, that a pass visits, tile by tile: (samples,) uint32."""
    out = np.empty(samples, np.uint32)
    scratch = new_scratch(tile_shape[0] * tile_shape[1])
    inside = np.empty(tile_shape[0] * tile_shape[1], np.uint32)
    chosen = np.empty(tile_shape[0] * tile_shape[1], np.int32)
    at = 0
    for tile in range(offsets.shape[1]):
        count = offsets[number + 1, tile] - offsets[number, tile]
        if count == 0:
            continue
        row0, column0, rows, columns = tile_extent(tile, mask.shape, tile_shape)
        area = 0
        for row in range(row0, row0 + rows):
            for column in range(column0, column0 + columns):
                if mask[row, column]:
                    inside[area] = np.uint32(row * mask.shape[1] + column)
                    area += 1
        if exclusive:
            choose_exclusive(offsets[: number + 2, tile].astype(np.int64), number, area, seed, tile, scratch, chosen)
        else:
            choose_head(0, count, area, seed, tile, number, scratch, chosen)
        for i in range(count):
            out[at] = inside[chosen[i]]
            at += 1
    return out
