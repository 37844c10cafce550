"""Compiled: which pixels of the tiles of a pattern a pass visits.

Whole tiles get a fixed number of samples. What a pass has beyond them is shared by the tiles that an edge cuts, of the
grid or of a region, in proportion to their area: systematic sampling with a random start of each pass, so that the sum
is exact and no tile gets more than it has pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stemscan.path.permutation import number_left
from stemscan.path.pixels import Pixels
from stemscan.path.sources.tile_choice import Scratch, choose_head, choose_stretch
from stemscan.random import Stream, random_words
from stemscan.runtime.compiled import compiled
from stemscan.types import Integers, Mask

__all__ = [
    "Tiles",
    "choose_in_rows",
    "fill_drawn",
    "fill_rounds",
    "share_begins",
    "shared_before",
    "whole_and_cut",
]

_EDGE = Stream.EDGE
_HALF = 16
_LOW = (1 << _HALF) - 1


class Tiles(NamedTuple):
    """A plan's pattern of tiles.

    Attributes
    ----------
    shape, tile : tuple of int
        Rows and columns of the grid and of a whole tile.
    per_tile : int
        Samples of a whole tile.
    rest, area : int
        Samples of a pass in tiles that are cut, and pixels of these, at least 1.
    begins : array of int64, (passes,)
        Begin of the sharing out of each pass among cut tiles, 0 .. area - 1.
    exclusive : bool
        True if no pass visits what earlier ones have, until all is visited.
    """

    seed: np.uint64
    shape: tuple[int, int]
    tile: tuple[int, int]
    per_tile: int
    rest: int
    area: int
    begins: Integers
    exclusive: bool


@compiled()
def _new_working(tiles: Tiles, number: int) -> tuple[Scratch, Scratch, Integers, Integers]:
    """Working memory for the tiles of a pass.

    Returns
    -------
    scratch : array of int32, (5, area)
        Identity, swaps, two permutations, marks.
    chosen : array of int32, (area,)
        Gets the pixels of a tile that the pass visits.
    of_whole, of_cut : array of int64, (passes + 1,)
        Samples before each pass up to this one, of a whole tile and of one that is cut.
    """
    area = tiles.tile[0] * tiles.tile[1]
    scratch = np.zeros((5, area), np.int32)
    scratch[0] = np.arange(area)
    of_whole = np.arange(number + 2) * tiles.per_tile
    return scratch, np.empty(area, np.int32), of_whole, np.zeros(number + 2, np.int64)


@compiled()
def share_begins(seed: Any, passes: int, area: int) -> Integers:
    """Begin of the sharing out of each pass among cut tiles of so many pixels, 0 .. area - 1."""
    begins = np.empty(passes, np.int64)
    for number in range(passes):
        w0, w1, _, _ = random_words(seed, _EDGE, np.uint64(number), 0)
        begins[number] = ((np.uint64(w0) << np.uint64(32)) | np.uint64(w1)) % np.uint64(area)
    return begins


@compiled()
def shared_before(covered: Any, begin: Any, rest: int, area: int) -> Any:
    """(rest covered + begin) // area, which overflows 64 bits where almost all of a huge grid is cut, in two steps."""
    product = rest * (covered >> _HALF)
    left = (product % area << _HALF) + rest * (covered & _LOW) + begin
    return (product // area << _HALF) + left // area


@compiled(inline=True)
def _samples_of(tiles: Tiles, area: Any, covered: Any, number: Any) -> Any:
    """Samples that a pass has in a tile with `area` pixels, after `covered` pixels of tiles that are cut."""
    if area == tiles.tile[0] * tiles.tile[1]:
        return np.int64(tiles.per_tile)
    begin = tiles.begins[number]
    after = shared_before(covered + area, begin, tiles.rest, tiles.area)
    return after - shared_before(covered, begin, tiles.rest, tiles.area)


@compiled(inline=True)
def _choose(
    tiles: Tiles,
    tile: Any,
    area: Any,
    covered: Any,
    number: int,
    samples: Any,
    scratch: Scratch,
    chosen: Scratch,
    of_whole: Integers,
    of_cut: Integers,
) -> None:
    """Write the first samples, or all, of a pass in a tile to `chosen`."""
    if not tiles.exclusive:
        choose_head(0, samples, area, tiles.seed, tile, number, scratch, chosen)
    elif area == tiles.tile[0] * tiles.tile[1]:
        choose_stretch(of_whole, number, area, tiles.seed, tile, scratch, chosen)
    else:
        for k in range(number + 1):
            of_cut[k + 1] = of_cut[k] + _samples_of(tiles, area, covered, k)
        choose_stretch(of_cut, number, area, tiles.seed, tile, scratch, chosen)


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
def _list_inside(mask: Mask, top: Any, rows: Any, columns: Any, inside: Pixels) -> Any:
    """List the pixels of a tile that are true in a mask whose first row is `top`; return how many."""
    area = 0
    for row in range(rows[0], rows[1]):
        for column in range(columns[0], columns[1]):
            if mask[row - top, column]:
                inside[area] = row * mask.shape[1] + column
                area += 1
    return area


@compiled()
def choose_in_rows(tiles: Tiles, number: int, rows: tuple[int, int], mask: Mask, covered: Any, samples: int) -> Pixels:
    """Pixels that a pass visits in rows of tiles, tile by tile: (samples,) uint32.

    Parameters
    ----------
    number : int
        Of the pass.
    rows : tuple of int
        First row, of a tile, and the end: that of a tile or of the grid.
    mask : array of bool, (rows, W) or (0, 0)
        Pixels of these rows that may be visited; empty for all.
    covered : int
        Pixels of cut tiles before these rows.
    samples : int
        Sum of the samples of these tiles.
    """
    out = np.empty(samples, np.uint32)
    scratch, chosen, of_whole, of_cut = _new_working(tiles, number)
    width = tiles.shape[1]
    inside = np.empty(tiles.tile[0] * tiles.tile[1], np.uint32)
    tile = rows[0] // tiles.tile[0] * ((width + tiles.tile[1] - 1) // tiles.tile[1])
    at = 0
    for first_row in range(rows[0], rows[1], tiles.tile[0]):
        last_row = min(first_row + tiles.tile[0], rows[1])
        for first_column in range(0, width, tiles.tile[1]):
            last_column = min(first_column + tiles.tile[1], width)
            area = (last_row - first_row) * (last_column - first_column)
            if len(mask):
                area = _list_inside(mask, rows[0], (first_row, last_row), (first_column, last_column), inside)
            count = _samples_of(tiles, area, covered, number)
            if count > 0:
                _choose(tiles, tile, area, covered, number, count, scratch, chosen, of_whole, of_cut)
            for i in range(count):
                pixel = chosen[i]
                if len(mask):
                    out[at] = inside[pixel]
                else:
                    across = last_column - first_column
                    out[at] = (first_row + pixel // across) * width + first_column + pixel % across
                at += 1
            covered += 0 if area == len(inside) else area
            tile += 1
    return out


@compiled(inline=True)
def _place_of(tiles: Tiles, tile: Any) -> tuple[Any, Any, Any, Any, Any]:
    """First row and column of a tile of the whole grid, its rows and columns, pixels of cut tiles before it."""
    across = (tiles.shape[1] + tiles.tile[1] - 1) // tiles.tile[1]
    row, column = tile // across * tiles.tile[0], tile % across * tiles.tile[1]
    height, width = min(tiles.tile[0], tiles.shape[0] - row), min(tiles.tile[1], tiles.shape[1] - column)
    covered = row * (tiles.shape[1] % tiles.tile[1]) + (column * height if height < tiles.tile[0] else 0)
    return row, column, height, width, covered


@compiled(inline=True)
def _pixel_of(
    tiles: Tiles,
    tile: Any,
    slot: Any,
    number: int,
    scratch: Scratch,
    chosen: Scratch,
    of_whole: Integers,
    of_cut: Integers,
) -> Any:
    """Pixel of the sample number `slot`, as drawn, of a tile of the whole grid in a pass."""
    row, column, height, width, covered = _place_of(tiles, tile)
    _choose(tiles, tile, height * width, covered, number, slot + 1, scratch, chosen, of_whole, of_cut)
    pixel = chosen[slot]
    return (row + pixel // width) * tiles.shape[1] + column + pixel % width


@compiled()
def fill_drawn(tiles: Tiles, number: int, cut: Integers, ends: Integers, out: Pixels) -> None:
    """Replace numbers of samples of a pass over the whole grid by their pixels.

    Samples are numbered tile by tile: whole tiles row by row, then the cut ones.

    Parameters
    ----------
    number : int
        Of the pass.
    cut, ends : array of int64, (n,)
        Numbers of cut tiles, and of samples in these, up to each.
    out : array of uint32
        Numbers of samples; gets pixels.
    """
    scratch, chosen, of_whole, of_cut = _new_working(tiles, number)
    down, across = tiles.shape[0] // tiles.tile[0], tiles.shape[1] // tiles.tile[1]
    all_across = (tiles.shape[1] + tiles.tile[1] - 1) // tiles.tile[1]
    for i in range(len(out)):
        sample: Any = np.int64(out[i])
        index = sample // tiles.per_tile
        if index < down * across:
            tile, slot = index // across * all_across + index % across, sample % tiles.per_tile
        else:
            sample -= down * across * tiles.per_tile
            edge = np.searchsorted(ends, sample, side="right")
            tile, slot = cut[edge], sample - (ends[edge - 1] if edge > 0 else 0)
        out[i] = _pixel_of(tiles, tile, slot, number, scratch, chosen, of_whole, of_cut)


@compiled()
def fill_rounds(
    tiles: Tiles, number: int, step: Any, resting: Integers, beyond: Integers, start: int, out: Pixels
) -> None:
    """Fill `out` with samples start, start + 1, ... of a pass in rounds over the tiles of the whole grid.

    Turn u of a pass is that of tile (step (u mod T)) mod T in round u // T. Cut tiles have another number of samples
    than there are rounds: they rest at some turns, and what they have more comes after the last round.

    Parameters
    ----------
    number : int
        Of the pass.
    step : uint64
        See `stemscan.path.orders.far_apart.step_between`.
    resting : array of int64, (n,)
        Turns at which a cut tile rests, ascending.
    beyond : array of int64, (n, 2)
        Tile and slot of what cut tiles have beyond the rounds.
    """
    scratch, chosen, of_whole, of_cut = _new_working(tiles, number)
    rounds, full = tiles.per_tile, tiles.tile[0] * tiles.tile[1]
    count_of_tiles: Any = ((tiles.shape[0] - 1) // tiles.tile[0] + 1) * ((tiles.shape[1] - 1) // tiles.tile[1] + 1)
    for i in range(len(out)):
        turn = number_left(start + i, resting)
        slot = turn // count_of_tiles
        if slot >= rounds:
            tile, slot = beyond[turn - rounds * count_of_tiles]
        else:
            tile = np.int64((step * np.uint64(turn % count_of_tiles)) % np.uint64(count_of_tiles))
            _, _, height, width, covered = _place_of(tiles, tile)
            if height * width < full:  # the inverse of `rounds_of`
                count = min(_samples_of(tiles, height * width, covered, number), rounds)
                slot = (2 * count * slot + rounds - 1) // (2 * rounds)
        out[i] = _pixel_of(tiles, tile, slot, number, scratch, chosen, of_whole, of_cut)
