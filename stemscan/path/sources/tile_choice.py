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

__all__ = ["Scratch", "choose_head", "choose_stretch", "clean_cycle"]

_PATTERN = Stream.PATTERN
_CYCLE_SHIFT = 20  # below it: numbers of word blocks, for tiles of up to 2**22 pixels; above it: cycles

Scratch = npt.NDArray[np.int32]


@compiled()
def _shuffle_head(head: int, area: int, seed: np.uint64, tile: int, cycle: int, perm: Any, swaps: Any) -> None:
    """Bring the first `head` elements of the cycle's permutation to the front of the identity `perm`."""
    draw = cycle << _CYCLE_SHIFT
    w0 = w1 = w2 = w3 = np.uint32(0)
    for k in range(head):
        lane = k & 3
        if lane == 0:
            w0, w1, w2, w3 = random_words(seed, _PATTERN, np.uint64(tile), draw + (k >> 2))
        word = w0 if lane == 0 else w1 if lane == 1 else w2 if lane == 2 else w3
        other = k + bounded(word, area - k)
        perm[k], perm[other] = perm[other], perm[k]
        swaps[k] = other


@compiled()
def choose_head(
    start: int, stop: int, area: int, seed: np.uint64, tile: int, cycle: int, scratch: Scratch, chosen: Scratch
) -> None:
    """Write elements start .. stop - 1 of the cycle's permutation to `chosen`."""
    perm, swaps = scratch[0], scratch[1]
    _shuffle_head(stop, area, seed, tile, cycle, perm, swaps)
    for k in range(start, stop):
        chosen[k - start] = perm[k]
    for back in range(stop):
        k = stop - 1 - back
        other = swaps[k]
        perm[k], perm[other] = perm[other], perm[k]


@compiled()
def _put_off(perm: Any, tail: Any, needed: int, marks: Any, spare: Any) -> None:
    """Reorder the head of `perm`: the first `needed` elements outside `tail`, then those of `tail` passed over."""
    for element in tail:
        marks[element] = 1
    taken, passed_over = 0, 0
    while taken < needed:
        element = perm[taken + passed_over]
        if marks[element]:
            spare[passed_over] = element
            passed_over += 1
        else:
            perm[taken] = element
            taken += 1
    for i in range(passed_over):
        perm[taken + i] = spare[i]
    for element in tail:
        marks[element] = 0


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
def choose_stretch(
    offsets: Any, number: int, area: int, seed: np.uint64, tile: int, scratch: Scratch, chosen: Scratch
) -> None:
    """Write the pixels that pass `number` takes from the tile's stream to `chosen`.

    Parameters
    ----------
    offsets : array of int, at least number + 2
        Samples that the tile gets before each pass.
    number : int
        Number of the pass.
    area, seed, tile, scratch, chosen
        As in `choose_head`.
    """
    first, last = offsets[number], offsets[number + 1]
    if last <= area:
        choose_head(first, last, area, seed, tile, 0, scratch, chosen)
        return
    cycle, most = first // area, 0
    for k in range(number + 1):
        most = max(most, offsets[k + 1] - offsets[k])
    # A wrap reorders at most the first `most` elements; a tail beyond them does not depend on earlier wraps.
    base = clean_cycle(offsets, number, area, cycle)
    base = max(base, cycle - 1) if 2 * most <= area else base
    swaps, current, previous, marks = scratch[1], scratch[2], scratch[3], scratch[4]
    for c in range(base, (last - 1) // area + 1):
        begin = c * area
        current[:area] = scratch[0, :area]
        _shuffle_head(area, area, seed, tile, c, current, swaps)
        wrap = np.searchsorted(offsets[: number + 2], begin, side="right") - 1
        if c > base and offsets[wrap] < begin:
            _put_off(current, previous[offsets[wrap] % area : area], offsets[wrap + 1] - begin, marks, swaps)
        for at in range(max(first, begin), min(last, begin + area)):
            chosen[at - first] = current[at - begin]
        current, previous = previous, current
