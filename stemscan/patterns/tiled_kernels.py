"""Compiled: expansion of patterns with a fixed number of samples in every tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.compiled import compiled
from stemscan.patterns.tile_kernels import Scratch, choose_exclusive, choose_head, new_scratch, tile_extent
from stemscan.patterns.traversal import Positions, walk_band
from stemscan.permutation import domain, permute

__all__ = ["band_starts", "expand_bands", "expand_random"]

Edges = npt.NDArray[np.int32]


@compiled()
def _edge_index(tile: int, shape: tuple[int, int], tile_shape: tuple[int, int]) -> int:
    """Number of a cut tile among the cut ones; -1 for a whole tile."""
    across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    whole_down, whole_across = shape[0] // tile_shape[0], shape[1] // tile_shape[1]
    row, column = tile // across, tile % across
    right = whole_down if across > whole_across else 0
    if row >= whole_down:
        return right + column
    return row if column >= whole_across else -1


@compiled()
def _fill_offsets(per_tile: int, edges: Edges, edge: int, offsets: Any) -> None:
    """Samples that a tile gets before each pass."""
    for number in range(len(offsets)):
        offsets[number] = number * per_tile if edge < 0 else edges[number, edge]


@compiled()
def _choose(
    seed: np.uint64,
    tile: int,
    area: int,
    exclusive: bool,
    number: int,
    offsets: Any,
    scratch: Scratch,
    chosen: Any,
) -> int:
    """Write the numbers of the pixels that a pass visits in a tile to `chosen`; return how many."""
    if exclusive:
        return choose_exclusive(offsets, number, area, seed, tile, scratch, chosen)
    count = offsets[number + 1] - offsets[number]
    return choose_head(0, count, area, seed, tile, number, scratch, chosen)


@compiled()
def band_starts(
    shape: tuple[int, int], tile_shape: tuple[int, int], per_tile: int, edges: Edges, number: int
) -> npt.NDArray[np.int64]:
    """Number of samples before each band of a pass, and after the last."""
    down = (shape[0] + tile_shape[0] - 1) // tile_shape[0]
    across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    starts = np.zeros(down + 1, np.int64)
    for band in range(down):
        samples = 0
        for column in range(across):
            edge = _edge_index(band * across + column, shape, tile_shape)
            samples += per_tile if edge < 0 else edges[number + 1, edge] - edges[number, edge]
        starts[band + 1] = starts[band] + samples
    return starts


@compiled()
def expand_bands(
    seed: np.uint64,
    shape: tuple[int, int],
    tile_shape: tuple[int, int],
    per_tile: int,
    edges: Edges,
    exclusive: bool,
    number: int,
    order: int,
    band: int,
    skip: int,
    out: Positions,
) -> None:
    """Fill `out` with the points of a pass from sample `skip` of a band on."""
    across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    mask = np.zeros((tile_shape[0], shape[1]), np.uint8)
    scratch = new_scratch(tile_shape[0] * tile_shape[1])
    chosen = np.empty(tile_shape[0] * tile_shape[1], np.int32)
    offsets = np.empty(number + 2, np.int64)
    _fill_offsets(per_tile, edges, -1, offsets)
    at = 0
    while at < len(out):
        row0 = band * tile_shape[0]
        rows = min(tile_shape[0], shape[0] - row0)
        for tile in range(band * across, (band + 1) * across):
            _, column, _, columns = tile_extent(tile, shape, tile_shape)
            edge = _edge_index(tile, shape, tile_shape)
            if edge >= 0:
                _fill_offsets(per_tile, edges, edge, offsets)
            count = _choose(seed, tile, rows * columns, exclusive, number, offsets, scratch, chosen)
            for i in range(count):
                mask[chosen[i] // columns, column + chosen[i] % columns] = 1
            if edge >= 0:
                _fill_offsets(per_tile, edges, -1, offsets)
        at = walk_band(mask, rows, row0, order, tile_shape, skip, out, at)
        mask[:] = 0
        band += 1
        skip = 0


@compiled()
def _locate(
    sample: Any, shape: tuple[int, int], tile_shape: tuple[int, int], per_tile: int, edge_ends: Any
) -> tuple[Any, Any]:
    """Tile and slot of a sample in canonical numbering: whole tiles row by row, then the cut ones."""
    across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    whole_down, whole_across = shape[0] // tile_shape[0], shape[1] // tile_shape[1]
    whole = whole_down * whole_across * per_tile
    if sample < whole:
        index = sample // per_tile
        return index // whole_across * across + index % whole_across, sample % per_tile
    sample -= whole
    edge = np.searchsorted(edge_ends, sample, side="right")
    slot = sample - (edge_ends[edge - 1] if edge > 0 else 0)
    right = whole_down if across > whole_across else 0
    tile = edge * across + whole_across if edge < right else whole_down * across + edge - right
    return tile, slot


@compiled()
def expand_random(
    seed: np.uint64,
    shape: tuple[int, int],
    tile_shape: tuple[int, int],
    per_tile: int,
    edges: Edges,
    exclusive: bool,
    number: int,
    samples: int,
    keys: Any,
    start: int,
    out: Positions,
) -> None:
    """Fill `out` with samples start, start + 1, ... of a random order of a pass."""
    bits, high_values = domain(samples)
    edge_ends = np.cumsum((edges[number + 1] - edges[number]).astype(np.int64))
    scratch = new_scratch(tile_shape[0] * tile_shape[1])
    chosen = np.empty(tile_shape[0] * tile_shape[1], np.int32)
    offsets = np.empty(number + 2, np.int64)
    for i in range(len(out)):
        sample = permute(start + i, samples, bits, high_values, keys)
        tile, slot = _locate(sample, shape, tile_shape, per_tile, edge_ends)
        row, column, rows, columns = tile_extent(tile, shape, tile_shape)
        if exclusive:
            _fill_offsets(per_tile, edges, _edge_index(tile, shape, tile_shape), offsets)
            choose_exclusive(offsets, number, rows * columns, seed, tile, scratch, chosen)
        else:
            choose_head(0, slot + 1, rows * columns, seed, tile, number, scratch, chosen)
        out[i, 0] = row + chosen[slot] // columns
        out[i, 1] = column + chosen[slot] % columns
