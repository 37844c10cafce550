"""Pseudo-random permutations of 0 .. n - 1 that are computed one element at a time, in both directions.

A Feistel network over the pair (high, low) of an index, where low has a power of two of values and high just enough
to cover n; indices beyond n are permuted again until they fall inside (cycle walking, Black and Rogaway, CT-RSA
2002). Round functions are 32-bit multiply-and-shift mixers keyed by Philox words, so that nothing is stored and any
element costs the same.

All functions are compiled; `domain` and `round_keys` prepare their arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.random import random_words
from stemscan.runtime.compiled import compiled
from stemscan.types import Integers

__all__ = [
    "CHUNK",
    "domain",
    "number_left",
    "permute",
    "permute_back",
    "permute_back_chunk",
    "permuted",
    "round_keys",
]

CHUNK = 1024
"""Elements that `permute_back_chunk` treats at once."""

_ROUNDS = 8
_ROUNDS_SMALL = 32
_SMALL = 4096
_MIX = np.uint32(0x9E3779B1)
_S13, _S15, _S16, _S32 = np.uint32(13), np.uint32(15), np.uint32(16), np.uint64(32)


@compiled()
def domain(n: int) -> tuple[np.uint32, np.uint32]:
    """The number of bits of `low` and the number of values of `high` for a permutation of n elements (n <= 2**32)."""
    bits = 0
    while (1 << (2 * bits)) < n:
        bits += 1
    return np.uint32(bits), np.uint32((n + (1 << bits) - 1) >> bits)


@compiled()
def round_keys(n: int, seed: np.uint64, stream: int, index: int) -> npt.NDArray[np.uint32]:
    """Keys, (rounds, 2) uint32, for the permutation number `index` of a stream; small ones take more rounds to mix."""
    rounds = _ROUNDS_SMALL if n <= _SMALL else _ROUNDS
    keys = np.empty((rounds, 2), np.uint32)
    for pair in range(rounds // 2):
        w0, w1, w2, w3 = random_words(seed, stream, np.uint64(index), pair)
        keys[2 * pair, 0] = w0
        keys[2 * pair, 1] = w1 | np.uint32(1)
        keys[2 * pair + 1, 0] = w2
        keys[2 * pair + 1, 1] = w3 | np.uint32(1)
    return keys


@compiled(inline=True)
def _mix(value: Any, key: Any, multiplier: Any) -> np.uint32:
    """Keyed 32-bit mixer."""
    h = np.uint32((value ^ key) * _MIX)
    h = np.uint32(h ^ (h >> _S15))
    h = np.uint32(h * multiplier)
    h = np.uint32(h ^ (h >> _S13))
    h = np.uint32((h + key) * _MIX)
    return np.uint32(h ^ (h >> _S16))


@compiled(inline=True)
def _scaled(word: Any, bound: Any) -> np.uint32:
    """Map a 32-bit word to 0 .. bound - 1."""
    return np.uint32((np.uint64(word) * np.uint64(bound)) >> _S32)


@compiled(inline=True)
def _forward(x: Any, bits: Any, high_values: Any, keys: Any) -> np.uint32:
    """One application of the network."""
    mask = np.uint32((np.uint32(1) << bits) - np.uint32(1))
    high = np.uint32(x >> bits)
    low = np.uint32(x & mask)
    for r in range(0, keys.shape[0], 2):
        low = np.uint32(low ^ (_mix(high, keys[r, 0], keys[r, 1]) & mask))
        high = np.uint32(high + _scaled(_mix(low, keys[r + 1, 0], keys[r + 1, 1]), high_values))
        if high >= high_values:
            high = np.uint32(high - high_values)
    return np.uint32((high << bits) | low)


@compiled(inline=True)
def _backward(x: Any, bits: Any, high_values: Any, keys: Any) -> np.uint32:
    """The inverse of `_forward`."""
    mask = np.uint32((np.uint32(1) << bits) - np.uint32(1))
    high = np.uint32(x >> bits)
    low = np.uint32(x & mask)
    for step in range(0, keys.shape[0], 2):
        r = keys.shape[0] - 2 - step
        shift = _scaled(_mix(low, keys[r + 1, 0], keys[r + 1, 1]), high_values)
        high = np.uint32(high - shift) if high >= shift else np.uint32(high + high_values - shift)
        low = np.uint32(low ^ (_mix(high, keys[r, 0], keys[r, 1]) & mask))
    return np.uint32((high << bits) | low)


@compiled(inline=True)
def permute(x: Any, n: int, bits: Any, high_values: Any, keys: Any) -> np.int64:
    """Element number x of the permutation of 0 .. n - 1."""
    y = _forward(np.uint32(x), bits, high_values, keys)
    while np.int64(y) >= n:
        y = _forward(y, bits, high_values, keys)
    return np.int64(y)


@compiled(inline=True)
def permute_back(y: Any, n: int, bits: Any, high_values: Any, keys: Any) -> np.int64:
    """The number at which the permutation of 0 .. n - 1 has the element y."""
    x = _backward(np.uint32(y), bits, high_values, keys)
    while np.int64(x) >= n:
        x = _backward(x, bits, high_values, keys)
    return np.int64(x)


@compiled()
def permute_back_chunk(first: int, count: int, n: int, bits: Any, high_values: Any, keys: Any, numbers: Any) -> None:
    """Write `permute_back` of first .. first + count - 1 to `numbers`; count at most `CHUNK`.

    One loop over the chunk a round, which the compiler turns into vector instructions: several times as fast as one
    element after the other.
    """
    mask = np.uint32((np.uint32(1) << bits) - np.uint32(1))
    low = np.empty(CHUNK, np.uint32)
    high = np.empty(CHUNK, np.uint32)
    for i in range(count):
        x = np.uint32(first + i)
        high[i] = x >> bits
        low[i] = x & mask
    for step in range(0, keys.shape[0], 2):
        r = keys.shape[0] - 2 - step
        key, multiplier = keys[r + 1, 0], keys[r + 1, 1]
        for i in range(count):
            shift = _scaled(_mix(low[i], key, multiplier), high_values)
            wrap = high_values if high[i] < shift else np.uint32(0)
            high[i] = np.uint32(np.uint32(high[i] + wrap) - shift)
        key, multiplier = keys[r, 0], keys[r, 1]
        for i in range(count):
            low[i] = np.uint32(low[i] ^ (_mix(high[i], key, multiplier) & mask))
    for i in range(count):
        x = np.uint32((high[i] << bits) | low[i])
        while np.int64(x) >= n:
            x = _backward(x, bits, high_values, keys)
        numbers[i] = np.int64(x)


@compiled()
def permuted(n: int, keys: Any, start: int, out: Any) -> None:
    """Fill `out` with elements start, start + 1, ... of the permutation of 0 .. n - 1."""
    bits, high_values = domain(n)
    for i in range(len(out)):
        out[i] = permute(start + i, n, bits, high_values, keys)


@compiled()
def number_left(index: int, left_out: Integers) -> int:
    """The number at `index` among 0, 1, 2, ... without those left out (ascending)."""
    low, high = 0, len(left_out)
    while low < high:
        middle = (low + high) // 2
        if left_out[middle] - middle <= index:
            low = middle + 1
        else:
            high = middle
    return index + low
