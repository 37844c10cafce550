"""Compiled: which pixels of one tile a pass visits.

A tile has `area` pixels, numbered row by row. For each cycle it has a random permutation of them (Fisher-Yates,
Philox words keyed by seed, tile and cycle). Independent passes take the head of a permutation each; exclusive passes
take successive stretches of the stream of permutations, and at the wrap from one permutation to the next put off
those pixels that the pass already has, so that no pass visits a pixel twice and every permutation is used up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.random import Stream, bounded, random_words
from stemscan.runtime.compiled import compiled

__all__ = [
    "Scratch",
    "choose_exclusive",
    "choose_head",
    "clean_cycle",
    "edge_offsets",
    "edge_start",
    "new_scratch",
    "tile_extent",
]

_PATTERN = Stream.PATTERN
_EDGE = Stream.EDGE
_CYCLE_SHIFT = 20  # below it: numbers of word blocks, for tiles of up to 2**22 pixels; above it: cycles

Scratch = npt.NDArray[np.int32]


@compiled()
def new_scratch(area: int) -> Scratch:
    """Working memory for tiles of up to `area` pixels: identity, swaps, two permutations, marks."""
    scratch = np.zeros((5, area), np.int32)
    for i in range(area):
        scratch[0, i] = i
    return scratch


@compiled()
def tile_extent(tile: int, shape: tuple[int, int], tile_shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """First row, first column, rows and columns of a tile, cut at the edge of the grid."""
    tiles_across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    row = tile // tiles_across * tile_shape[0]
    column = tile % tiles_across * tile_shape[1]
    return row, column, min(tile_shape[0], shape[0] - row), min(tile_shape[1], shape[1] - column)


@compiled()
def _shuffle_head(head: int, area: int, seed: np.uint64, tile: int, cycle: int, perm: Any, swaps: Any) -> None:
    """Bring the first `head` elements of the cycle's permutation to the front of the identity `perm`."""
    draw = cycle << _CYCLE_SHIFT
    w0 = w1 = w2 = w3 = np.uint32(0)
    for k in range(head):
        lane = k & 3
        if lane == 0:
            w0, w1, w2, w3 = random_words(seed, _PATTERN, np.uint64(tile), draw + (k >> 2))
            word = w0
        elif lane == 1:
            word = w1
        elif lane == 2:
            word = w2
        else:
            word = w3
        other = k + bounded(word, area - k)
        perm[k], perm[other] = perm[other], perm[k]
        swaps[k] = other


@compiled()
def choose_head(
    start: int, stop: int, area: int, seed: np.uint64, tile: int, cycle: int, scratch: Scratch, chosen: Any
) -> int:
    """Write elements start .. stop - 1 of the cycle's permutation to `chosen`; return their number."""
    perm, swaps = scratch[0], scratch[1]
    _shuffle_head(stop, area, seed, tile, cycle, perm, swaps)
    for k in range(start, stop):
        chosen[k - start] = perm[k]
    for back in range(stop):
        k = stop - 1 - back
        other = swaps[k]
        perm[k], perm[other] = perm[other], perm[k]
    return stop - start


@compiled()
def _put_off(perm: Any, tail: Any, area: int, needed: int, marks: Any, spare: Any) -> None:
    """Reorder the head of `perm`: the first `needed` elements outside `tail`, then those of `tail` passed over."""
    for i in range(len(tail)):
        marks[tail[i]] = 1
    kept = 0
    passed_over = 0
    scanned = 0
    while kept < needed:
        element = perm[scanned]
        scanned += 1
        if marks[element]:
            spare[passed_over] = element
            passed_over += 1
        else:
            perm[kept] = element
            kept += 1
    for i in range(passed_over):
        perm[kept + i] = spare[i]
    for i in range(len(tail)):
        marks[tail[i]] = 0


@compiled()
def clean_cycle(offsets: Any, number: int, area: int, cycle: int) -> int:
    """The last cycle up to this one that begins with a pass: nothing of an earlier one matters to it."""
    while cycle > 0:
        while offsets[number] > cycle * area:
            number -= 1
        if offsets[number] == cycle * area:
            break
        cycle -= 1
    return cycle


@compiled()
def choose_exclusive(
    offsets: Any, number: int, area: int, seed: np.uint64, tile: int, scratch: Scratch, chosen: Any
) -> int:
    """Write the pixels that pass `number` takes from the tile's stream to `chosen`; return how many.

    Parameters
    ----------
    offsets : array of int, at least number + 2
        Samples that the tile gets before each pass.
    number : int
        Which pass.
    area, seed, tile, scratch, chosen
        As in `choose_head`.
    """
    first, last = offsets[number], offsets[number + 1]
    if last <= area:
        return choose_head(first, last, area, seed, tile, 0, scratch, chosen)
    cycle, position = first // area, first % area
    most = 0
    for k in range(number + 1):
        most = max(most, offsets[k + 1] - offsets[k])
    # A wrap reorders at most the first `most` elements; a tail beyond them does not depend on earlier wraps.
    base = clean_cycle(offsets, number, area, cycle)
    base = max(base, cycle - 1) if 2 * most <= area else base
    swaps, current, previous, marks = scratch[1], scratch[2], scratch[3], scratch[4]
    count = 0
    for c in range(base, (last - 1) // area + 1):
        current[:area] = scratch[0, :area]
        _shuffle_head(area, area, seed, tile, c, current, swaps)
        if c > base:
            wrap = np.searchsorted(offsets[: number + 2], c * area, side="right") - 1
            if offsets[wrap] < c * area:
                _put_off(
                    current,
                    previous[offsets[wrap] % area : area],
                    area,
                    offsets[wrap + 1] - c * area,
                    marks,
                    swaps,
                )
        if c == cycle:
            for i in range(position, min(area, position + last - first)):
                chosen[count] = current[i]
                count += 1
        elif c == cycle + 1:
            for i in range(last - c * area):
                chosen[count] = current[i]
                count += 1
        current, previous = previous, current
    return count


@compiled()
def edge_start(seed: Any, number: int, area: int) -> np.int64:
    """Where the sharing out of a pass among cut tiles begins, 0 .. area - 1."""
    w0, w1, _, _ = random_words(seed, _EDGE, np.uint64(number), 0)
    return np.int64(((np.uint64(w0) << np.uint64(32)) | np.uint64(w1)) % np.uint64(max(area, 1)))


@compiled()
def edge_offsets(
    seed: np.uint64, passes: int, shape: tuple[int, int], tile_shape: tuple[int, int], total: int, per_tile: int
) -> npt.NDArray[np.int32]:
    """Samples that each cut tile gets before each pass, (passes + 1, cut tiles).

    What a pass has beyond the whole tiles is shared in proportion to the area: systematic sampling with a random
    start of each pass, so that the sum is exact and no tile gets more than it has pixels. Cut tiles are numbered
    from top to bottom along the right edge, then from left to right along the bottom.
    """
    whole_down, whole_across = shape[0] // tile_shape[0], shape[1] // tile_shape[1]
    across = (shape[1] + tile_shape[1] - 1) // tile_shape[1]
    right = whole_down if across > whole_across else 0
    bottom = across if shape[0] % tile_shape[0] else 0
    offsets = np.zeros((passes + 1, right + bottom), np.int32)
    area = shape[0] * shape[1] - whole_down * whole_across * tile_shape[0] * tile_shape[1]
    rest = total - whole_down * whole_across * per_tile
    for number in range(passes):
        start = edge_start(seed, number, area)
        covered = np.int64(0)
        for edge in range(right + bottom):
            tile = edge * across + whole_across if edge < right else whole_down * across + edge - right
            _, _, rows, columns = tile_extent(tile, shape, tile_shape)
            before = (rest * covered + start) // area
            covered += rows * columns
            offsets[number + 1, edge] = offsets[number, edge] + (rest * covered + start) // area - before
    return offsets
