"""Compiled: rounds over the tiles of a pattern, one sample from each, any of them alone.

Turn u of a pass is that of tile (step (u mod T)) mod T in round u // T. Cut tiles have another number of samples than
there are rounds: they rest at some turns, and what they have more comes after the last round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.path.far_apart import rounds_of
from stemscan.path.grid_kernels import kept_number
from stemscan.path.tiled_kernels import Tiles, edge_index, grid_of, new_working, numbers_of_cut, pixel_of_slot
from stemscan.path.traversal import Positions
from stemscan.runtime.compiled import compiled

__all__ = ["Rests", "expand_delocalised", "rests"]

Numbers = npt.NDArray[np.int64]
Rests = tuple[Numbers, Numbers]
"""Turns at which a cut tile rests, ascending; tile and slot of what cut tiles have beyond the rounds, (n, 2)."""


@compiled()
def rests(tiles: Tiles, number: int, multiplier: Any) -> Rests:
    """What makes a pass differ from whole rounds."""
    down, across = grid_of(tiles)
    count_of_tiles = np.uint64(down * across)
    cut = numbers_of_cut(tiles)
    rounds = tiles.per_tile
    turns = np.empty(len(cut) * rounds, np.int64)
    counts = (tiles.edges[number + 1] - tiles.edges[number]).astype(np.int64)
    beyond = np.empty((np.maximum(counts - rounds, 0).sum(), 2), np.int64)
    resting, more = 0, 0
    for edge in range(len(cut)):
        time = np.int64((multiplier * np.uint64(cut[edge])) % count_of_tiles)
        count = min(counts[edge], rounds)
        slot = 0
        for turn in range(rounds):
            if slot < count and rounds_of(slot, count, rounds) == turn:
                slot += 1
                continue
            turns[resting] = turn * np.int64(count_of_tiles) + time
            resting += 1
        for slot in range(rounds, counts[edge]):
            beyond[more, 0], beyond[more, 1] = cut[edge], slot
            more += 1
    return np.sort(turns[:resting]), beyond


@compiled()
def _slot_of(turn: Any, count: Any, rounds: Any) -> Any:
    """Which of its samples a tile with `count` of them gives in a round."""
    slot = turn * count // rounds  # within one of it
    while slot > 0 and rounds_of(slot, count, rounds) > turn:
        slot -= 1
    while rounds_of(slot, count, rounds) < turn:
        slot += 1
    return slot


@compiled()
def expand_delocalised(
    tiles: Tiles, number: int, step: Any, resting: Numbers, beyond: Numbers, start: int, out: Positions
) -> None:
    """Fill `out` with samples start, start + 1, ... of a pass in rounds over its tiles."""
    down, across = grid_of(tiles)
    count_of_tiles, rounds = np.int64(down * across), tiles.per_tile
    scratch, chosen, offsets = new_working(tiles, number)
    for i in range(len(out)):
        turn = kept_number(start + i, resting)
        slot = turn // count_of_tiles
        if slot >= rounds:
            tile, slot = beyond[turn - rounds * count_of_tiles]
        else:
            tile = np.int64((step * np.uint64(turn % count_of_tiles)) % np.uint64(count_of_tiles))
            edge = edge_index(tile, tiles)
            if edge >= 0:
                count = np.int64(tiles.edges[number + 1, edge] - tiles.edges[number, edge])
                slot = _slot_of(slot, min(count, rounds), rounds)
        out[i, 0], out[i, 1] = pixel_of_slot(tiles, tile, slot, number, scratch, chosen, offsets)
