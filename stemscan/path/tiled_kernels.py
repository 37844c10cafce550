"""Compiled: expansion of patterns with a fixed number of samples in every tile."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.path.permutation import domain, permute
from stemscan.path.tile_kernels import Scratch, choose_exclusive, choose_head, new_scratch, tile_extent
from stemscan.path.traversal import Positions, walk_band
from stemscan.runtime.compiled import compiled

__all__ = [
    "Tiles",
    "band_starts",
    "edge_index",
    "expand_bands",
    "expand_random",
    "grid_of",
    "new_working",
    "numbers_of_cut",
    "pixel_of_slot",
    "pixels_of_bands",
]

Edges = npt.NDArray[np.int32]


class Tiles(NamedTuple):
    """A plan's pattern of tiles.

    Attributes
    ----------
    seed : uint64
    shape, tile : tuple of int
        Rows and columns of the grid and of a whole tile.
    per_tile : int
        Samples of a whole tile.
    edges : array of int32, (passes + 1, cut tiles)
        See `stemscan.path.tile_kernels.edge_offsets`.
    exclusive : bool
        Whether no pass visits what earlier ones have, until all is visited.
    """

    seed: np.uint64
    shape: tuple[int, int]
    tile: tuple[int, int]
    per_tile: int
    edges: Edges
    exclusive: bool


@compiled(inline=True)
def grid_of(tiles: Tiles) -> tuple[int, int]:
    """Rows and columns of tiles, cut ones among them."""
    return (
        (tiles.shape[0] + tiles.tile[0] - 1) // tiles.tile[0],
        (tiles.shape[1] + tiles.tile[1] - 1) // tiles.tile[1],
    )


@compiled()
def numbers_of_cut(tiles: Tiles) -> npt.NDArray[np.int64]:
    """Numbers, row by row, of the tiles that the edge cuts: down the right edge, then along the bottom."""
    down, across = grid_of(tiles)
    whole_down, whole_across = tiles.shape[0] // tiles.tile[0], tiles.shape[1] // tiles.tile[1]
    right = whole_down if across > whole_across else 0
    numbers = np.empty(right + (across if down > whole_down else 0), np.int64)
    for edge in range(len(numbers)):
        numbers[edge] = edge * across + whole_across if edge < right else whole_down * across + edge - right
    return numbers


@compiled()
def edge_index(tile: Any, tiles: Tiles) -> Any:
    """Number of a cut tile among the cut ones; -1 for a whole tile."""
    across = grid_of(tiles)[1]
    whole_down, whole_across = tiles.shape[0] // tiles.tile[0], tiles.shape[1] // tiles.tile[1]
    row, column = tile // across, tile % across
    right = whole_down if across > whole_across else 0
    if row >= whole_down:
        return right + column
    return row if column >= whole_across else -1


@compiled()
def _fill_offsets(tiles: Tiles, edge: int, offsets: Any) -> None:
    """Samples that a tile gets before each pass."""
    for number in range(len(offsets)):
        offsets[number] = number * tiles.per_tile if edge < 0 else tiles.edges[number, edge]


@compiled(inline=True)
def new_working(tiles: Tiles, number: int) -> tuple[Scratch, Any, Any]:
    """Working memory for a pass: scratch, pixels chosen in a tile, and samples of a whole tile before each pass."""
    area = tiles.tile[0] * tiles.tile[1]
    offsets = np.empty(number + 2, np.int64)
    _fill_offsets(tiles, -1, offsets)
    return new_scratch(area), np.empty(area, np.int32), offsets


@compiled(inline=True)
def _choose(tiles: Tiles, tile: Any, number: int, scratch: Scratch, chosen: Any, offsets: Any) -> Any:
    """Write the numbers of the pixels that a pass visits in a tile to `chosen`; return how many."""
    _, _, rows, columns = tile_extent(tile, tiles.shape, tiles.tile)
    edge = edge_index(tile, tiles)
    if edge >= 0:
        _fill_offsets(tiles, edge, offsets)
    count = offsets[number + 1] - offsets[number]
    if tiles.exclusive:
        choose_exclusive(offsets, number, rows * columns, tiles.seed, tile, scratch, chosen)
    else:
        choose_head(0, count, rows * columns, tiles.seed, tile, number, scratch, chosen)
    if edge >= 0:
        _fill_offsets(tiles, -1, offsets)
    return count


@compiled()
def band_starts(tiles: Tiles, number: int) -> npt.NDArray[np.int64]:
    """Number of samples before each band of a pass, and after the last."""
    down, across = grid_of(tiles)
    starts = np.zeros(down + 1, np.int64)
    for band in range(down):
        samples = 0
        for column in range(across):
            edge = edge_index(band * across + column, tiles)
            samples += tiles.per_tile if edge < 0 else tiles.edges[number + 1, edge] - tiles.edges[number, edge]
        starts[band + 1] = starts[band] + samples
    return starts


@compiled()
def expand_bands(tiles: Tiles, number: int, order: int, band: int, skip: int, out: Positions) -> None:
    """Fill `out` with the points of a pass from sample `skip` of a band on."""
    across = grid_of(tiles)[1]
    mask = np.zeros((tiles.tile[0], tiles.shape[1]), np.uint8)
    scratch, chosen, offsets = new_working(tiles, number)
    at = 0
    while at < len(out):
        row0 = band * tiles.tile[0]
        rows = min(tiles.tile[0], tiles.shape[0] - row0)
        for tile in range(band * across, (band + 1) * across):
            _, column, _, columns = tile_extent(tile, tiles.shape, tiles.tile)
            count = _choose(tiles, tile, number, scratch, chosen, offsets)
            for i in range(count):
                mask[chosen[i] // columns, column + chosen[i] % columns] = 1
        at = walk_band(mask, rows, row0, order, tiles.tile, skip, out, at)
        mask[:] = 0
        band += 1
        skip = 0


@compiled()
def pixels_of_bands(tiles: Tiles, number: int, first: int, stop: int, samples: int) -> npt.NDArray[np.uint32]:
    """Pixels, row * columns + column, that a pass visits in bands first .. stop - 1, tile by tile."""
    across = grid_of(tiles)[1]
    scratch, chosen, offsets = new_working(tiles, number)
    out = np.empty(samples, np.uint32)
    at = 0
    for tile in range(first * across, stop * across):
        row, column, _, columns = tile_extent(tile, tiles.shape, tiles.tile)
        count = _choose(tiles, tile, number, scratch, chosen, offsets)
        for i in range(count):
            out[at] = (row + chosen[i] // columns) * tiles.shape[1] + column + chosen[i] % columns
            at += 1
    return out


@compiled()
def pixel_of_slot(
    tiles: Tiles, tile: Any, slot: Any, number: int, scratch: Scratch, chosen: Any, offsets: Any
) -> tuple[Any, Any]:
    """Row and column of the sample number `slot`, as drawn, of a tile in a pass."""
    row, column, rows, columns = tile_extent(tile, tiles.shape, tiles.tile)
    if tiles.exclusive:
        _fill_offsets(tiles, edge_index(tile, tiles), offsets)
        choose_exclusive(offsets, number, rows * columns, tiles.seed, tile, scratch, chosen)
    else:
        choose_head(0, slot + 1, rows * columns, tiles.seed, tile, number, scratch, chosen)
    return row + chosen[slot] // columns, column + chosen[slot] % columns


@compiled()
def _locate(sample: Any, tiles: Tiles, cut: Any, edge_ends: Any) -> tuple[Any, Any]:
    """Tile and slot of a sample in canonical numbering: whole tiles row by row, then the cut ones."""
    across = grid_of(tiles)[1]
    whole_down, whole_across = tiles.shape[0] // tiles.tile[0], tiles.shape[1] // tiles.tile[1]
    whole = whole_down * whole_across * tiles.per_tile
    if sample < whole:
        index = sample // tiles.per_tile
        return index // whole_across * across + index % whole_across, sample % tiles.per_tile
    sample -= whole
    edge = np.searchsorted(edge_ends, sample, side="right")
    return cut[edge], sample - (edge_ends[edge - 1] if edge > 0 else 0)


@compiled()
def expand_random(tiles: Tiles, number: int, samples: int, keys: Any, start: int, out: Positions) -> None:
    """Fill `out` with samples start, start + 1, ... of a random order of a pass."""
    bits, high_values = domain(samples)
    edge_ends = np.cumsum((tiles.edges[number + 1] - tiles.edges[number]).astype(np.int64))
    cut = numbers_of_cut(tiles)
    scratch, chosen, offsets = new_working(tiles, number)
    for i in range(len(out)):
        sample = permute(start + i, samples, bits, high_values, keys)
        tile, slot = _locate(sample, tiles, cut, edge_ends)
        out[i, 0], out[i, 1] = pixel_of_slot(tiles, tile, slot, number, scratch, chosen, offsets)
