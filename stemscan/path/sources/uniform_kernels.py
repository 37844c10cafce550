"""Compiled: pixels drawn from the whole grid.

A pass reads a stretch of a stream of pseudo-random permutations of the grid's pixels. Exclusive passes read on where
the last one ended; the pass that wraps into the next permutation puts off there those pixels that it already has,
and the next pass takes them first. Which pixels are visited follows from the inverse permutation, pixel by pixel, so
that any band of rows can be made alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stemscan.path.permutation import CHUNK, domain, number_left, permute, permute_back, permute_back_chunk
from stemscan.path.pixels import Pixels
from stemscan.runtime.compiled import compiled
from stemscan.types import Integers

__all__ = ["Stretch", "draw", "pixels_between", "put_off", "starts_between"]

Keys = npt.NDArray[np.uint32]


class Stretch(NamedTuple):
    """The stretch that a pass reads: `length` elements from `position` on in one permutation, the rest from the next.

    `reach` and `put_off` tell how the pass that wrapped into a permutation left it: it read the numbers below `reach`
    but for those in `put_off` (ascending), which come next.
    """

    position: int
    length: int
    reach: int
    put_off: Integers
    keys: Keys
    next_reach: int
    next_put_off: Integers
    next_keys: Keys


@compiled()
def _listed(number: Any, numbers: Integers) -> Any:
    """Index of a number in an ascending list, -1 where it is not in it."""
    index = np.searchsorted(numbers, number)
    return index if index < len(numbers) and numbers[index] == number else -1


@compiled()
def _stream_position(number: Any, reach: int, put_off: Integers) -> Any:
    """Position in the stream of the element `number` of a permutation; -1 where the wrapping pass took it."""
    if number >= reach:
        return number
    index = _listed(number, put_off)
    return -1 if index < 0 else reach - len(put_off) + index


@compiled(inline=True)
def _pixel_of(sample: int, n: int, bits: Any, high_values: Any, stretch: Stretch) -> np.int64:
    """Pixel of a sample of the pass, as drawn."""
    if sample >= stretch.length:
        number = number_left(sample - stretch.length, stretch.next_put_off)
        return permute(number, n, bits, high_values, stretch.next_keys)
    number = stretch.position + sample
    if number < stretch.reach:
        number = stretch.put_off[number - stretch.reach + len(stretch.put_off)]
    return permute(number, n, bits, high_values, stretch.keys)


@compiled()
def put_off(
    n: int, needed: int, keys: Keys, old_keys: Keys, old_position: int, old_reach: int, old_put_off: Integers
) -> tuple[int, Integers]:
    """Find how far a wrapping pass reads into a permutation, and which of its numbers it puts off.

    Parameters
    ----------
    n : int
        Pixels of the grid.
    needed : int
        Pixels that the pass takes from this permutation.
    keys : array
        Of this permutation.
    old_keys, old_position, old_reach, old_put_off
        Of the permutation before, which the pass reads from `old_position` to its end.
    """
    bits, high_values = domain(n)
    numbers = np.empty(n - old_position, np.int64)
    count = 0
    reach = 0
    while reach - count < needed:
        pixel = permute(reach, n, bits, high_values, keys)
        before = permute_back(pixel, n, bits, high_values, old_keys)
        if _stream_position(before, old_reach, old_put_off) >= old_position:
            numbers[count] = reach
            count += 1
        reach += 1
    return reach, numbers[:count].copy()


@compiled()
def _mark(mask: Any, first: int, n: int, stretch: Stretch) -> None:
    """Mark the visited ones of the pixels from number `first` on, as many as the mask has, and unmark the others."""
    bits, high_values = domain(n)
    numbers = np.empty(CHUNK, np.int64)
    for start in range(0, len(mask), CHUNK):
        count = min(CHUNK, len(mask) - start)
        permute_back_chunk(first + start, count, n, bits, high_values, stretch.keys, numbers)
        for i in range(count):
            at = numbers[i]
            if at < stretch.reach:
                at = _stream_position(at, stretch.reach, stretch.put_off)
            mask[start + i] = stretch.position <= at < stretch.position + stretch.length
        if stretch.next_reach > 0:
            permute_back_chunk(first + start, count, n, bits, high_values, stretch.next_keys, numbers)
            for i in range(count):
                if numbers[i] < stretch.next_reach and _listed(numbers[i], stretch.next_put_off) < 0:
                    mask[start + i] = 1


@compiled()
def draw(n: int, stretch: Stretch, start: int, out: Pixels) -> None:
    """Fill `out` with samples start, start + 1, ... of the pass, as drawn from n pixels."""
    bits, high_values = domain(n)
    for i in range(len(out)):
        out[i] = _pixel_of(start + i, n, bits, high_values, stretch)


@compiled()
def starts_between(edges: Integers, n: int, samples: int, stretch: Stretch) -> Integers:
    """Number of pixels of the pass below each number of an ascending list from 0 to n."""
    bits, high_values = domain(n)
    counts = np.zeros(len(edges), np.int64)
    for sample in range(samples):
        pixel: Any = _pixel_of(sample, n, bits, high_values, stretch)
        part: Any = pixel * (len(edges) - 1) // n
        while pixel < edges[part]:
            part -= 1
        while pixel >= edges[part + 1]:
            part += 1
        counts[part + 1] += 1
    return np.cumsum(counts)


@compiled()
def pixels_between(first: int, stop: int, n: int, samples: int, stretch: Stretch) -> Pixels:
    """The numbers among first .. stop - 1 that the pass visits, `samples` in all, ascending."""
    out = np.empty(samples, np.uint32)
    mask = np.empty(min(CHUNK, stop - first), np.uint8)
    at = 0
    for start in range(first, stop, CHUNK):
        part = mask[: min(CHUNK, stop - start)]
        _mark(part, start, n, stretch)
        for i in range(len(part)):
            if part[i]:
                out[at] = start + i
                at += 1
    return out
