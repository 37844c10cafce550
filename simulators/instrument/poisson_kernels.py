"""Compiled loops that draw Poisson counts from the tables of `poisson_table`.

Each loop does one thing, on as many samples as stay in the processor's cache, so that most of them vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.random import random_words
from stemscan.runtime.compiled import compiled
from stemscan.simulators.instrument.poisson_table import ALIAS_BITS, BASE_BITS, FINE_STEP, FINE_STEPS, table_bits

__all__ = ["draw_counts"]

_BATCH = 512
_STEPS = 1.0 / FINE_STEP
_FINE_BITS = FINE_STEPS.bit_length() - 1
_FINE_TABLE_BITS = table_bits(0)
_DIGIT_MASK = (1 << BASE_BITS) - 1
_S11 = np.uint64(11)
_S32 = np.uint64(32)
_SEVEN_EIGHTHS = np.uint64(7 << 61)
_ALIAS_SHIFT = np.uint64(ALIAS_BITS)
_ALIAS_MASK = np.uint64((1 << ALIAS_BITS) - 1)
_UNIT = 1.0 / 9007199254740992.0


@compiled(inline=True)
def _cell(word: np.uint64, entries: NDArray[np.uint64], begin: int | np.int64, bits: int | np.int64) -> np.int64:
    """Draw a cell of the alias table at `begin` by one random word."""
    own = word >> np.uint64(64 - bits)
    entry = entries[begin + np.int64(own)]
    inside = ((word << np.uint64(bits)) >> _ALIAS_SHIFT) < (entry >> _ALIAS_SHIFT)
    return np.int64(own if inside else entry & _ALIAS_MASK)


@compiled()
def _small_poisson(uniform: float, mean: float) -> np.int64:
    """Invert the Poisson distribution of a mean up to 1/8; exp(-mean) by its series, for one result everywhere."""
    probability = (mean * (1 / 3628800) - 1 / 362880) * mean + 1 / 40320
    probability = ((probability * mean - 1 / 5040) * mean + 1 / 720) * mean - 1 / 120
    probability = ((((probability * mean + 1 / 24) * mean - 1 / 6) * mean + 0.5) * mean - 1.0) * mean + 1.0
    count = 0
    reached = probability
    while uniform >= reached and count < 16:
        count += 1
        probability *= mean / count
        reached += probability
    return np.int64(count)


@compiled()
def _words(
    seed: np.uint64,
    stream: int,
    start: np.uint64,
    draw: int,
    first: NDArray[np.uint64],
    second: NDArray[np.uint64],
    size: int,
) -> None:
    """Two random words for each of `size` samples; nothing else in the loop, so that it vectorises."""
    for i in range(size):
        a, b, c, d = random_words(seed, stream, start + np.uint64(i), draw)
        first[i] = (np.uint64(a) << _S32) | np.uint64(b)
        second[i] = (np.uint64(c) << _S32) | np.uint64(d)


@compiled()
def _fine(
    values: NDArray[Any],
    scale: np.float64,
    words: NDArray[np.uint64],
    entries: NDArray[np.uint64],
    out: NDArray[np.uint32],
) -> None:
    """Electrons of the fine digit."""
    for i in range(values.size):
        steps = np.int64(scale * np.float64(values[i]) * _STEPS)
        cell = _cell(words[i], entries, (steps & (FINE_STEPS - 1)) << _FINE_TABLE_BITS, _FINE_TABLE_BITS)
        out[i] = np.uint32(cell)


@compiled()
def _remainder(
    values: NDArray[Any],
    scale: np.float64,
    words: NDArray[np.uint64],
    likely: NDArray[np.int64],
    rests: NDArray[np.float64],
    out: NDArray[np.uint32],
) -> None:
    """Add the electrons of the remainder, which is below 1/8, so that seven of eight samples have none.

    Samples are sorted out without branches, which no processor could predict.
    """
    some = 0
    for i in range(values.size):
        likely[some] = i
        some += words[i] >= _SEVEN_EIGHTHS
    sure = 0
    for k in range(some):
        i = likely[k]
        mean = scale * np.float64(values[i])
        rest = mean - np.float64(np.int64(mean * _STEPS)) * FINE_STEP
        likely[sure], rests[sure] = i, rest
        sure += int(_uniform(words[i]) >= 1.0 - rest)
    for k in range(sure):
        i = likely[k]
        out[i] += np.uint32(_small_poisson(_uniform(words[i]), rests[k]))


@compiled(inline=True)
def _uniform(word: np.uint64) -> float:
    """A number in [0, 1) by the upper 53 bits of a word."""
    return np.float64(np.int64(word >> _S11)) * _UNIT


@compiled()
def draw_counts(
    values: NDArray[Any],
    scale: np.float64,
    seed: np.uint64,
    stream: int,
    draw: int,
    start: np.uint64,
    entries: NDArray[np.uint64],
    starts: NDArray[np.int64],
    bits: NDArray[np.int64],
    first: NDArray[np.int64],
    levels: int,
    out: NDArray[np.uint32],
) -> None:
    """Counts of one contiguous range of samples: draw 0 for fine digit and remainder, each further draw two levels."""
    left = np.empty(_BATCH, np.uint64)
    right = np.empty(_BATCH, np.uint64)
    higher = np.empty(_BATCH, np.int64)
    likely = np.empty(_BATCH, np.int64)
    rests = np.empty(_BATCH, np.float64)
    for begin in range(0, values.size, _BATCH):
        part, counts = values[begin : begin + _BATCH], out[begin : begin + _BATCH]
        size = part.size
        index = start + np.uint64(begin)
        _words(seed, stream, index, draw, left, right, size)
        _fine(part, scale, left, entries, counts)
        _remainder(part, scale, right, likely, rests, counts)
        if levels > 0:
            for i in range(size):
                higher[i] = np.int64(scale * np.float64(part[i]) * _STEPS) >> _FINE_BITS
        for level in range(1, levels + 1):
            if level & 1:
                _words(seed, stream, index, draw + ((level + 1) >> 1), left, right, size)
            words = left if level & 1 else right
            for i in range(size):
                digit = higher[i] & _DIGIT_MASK
                higher[i] >>= BASE_BITS
                cell = _cell(words[i], entries, starts[level] + (digit << bits[level]), bits[level])
                counts[i] += np.uint32(first[level, digit] + cell)
