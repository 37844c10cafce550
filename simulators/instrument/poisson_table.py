"""Tables from which Poisson counts of any mean are drawn exactly, with the same result on every machine.

A sum of independent Poisson counts is a Poisson count of the summed mean. A mean is therefore written in digits, like
a number: a fine digit of 256 steps of 1/8 electron, then base-16 digits worth 32, 512, 8192, ... electrons, and a
remainder below 1/8. Each digit has a table of its distribution and costs one look-up; the remainder is zero nine times
out of ten and drawn by inversion otherwise. How a mean is split depends on nothing but the mean.

The tables are Walker's alias tables (Walker 1977, Vose 1991): one random word names a cell and, by its remaining
bits, the cell's own value or its alias. A table entry packs both: the upper 44 bits are the threshold, the lower 20
the alias, so a probability is off by no more than 1e-14. Weights come from the ratio of neighbouring terms, upwards and
downwards from the mode, and are normalised by their sum: only IEEE addition, multiplication and division are used,
which round alike on all machines, and no exponential of a mathematics library.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled

__all__ = ["MAX_MEAN", "PoissonTables", "poisson_tables"]

LEVELS: Final = 6
FINE_STEPS: Final = 256
BASE_BITS: Final = 4
FINE_STEP: Final = 0.125
ALIAS_BITS: Final = 20
MAX_MEAN: Final = 32.0 * 16.0 ** (LEVELS - 1)
"""Means from here on are refused: 33,554,432 electrons per sample."""

_THRESHOLD_ONE = 2.0 ** (64 - ALIAS_BITS)


class PoissonTables(NamedTuple):
    """Alias tables of every digit that means up to `max_mean` can have.

    Attributes
    ----------
    entries : uint64 (n,)
        Alias tables one behind the other; digit `d` of level `l` begins at ``start[l] + d * 2**bits[l]``. The
        table of digit 0 is all zeros and draws zero.
    start : int64 (6,)
        Begin of each level in `entries`.
    bits : int64 (6,)
        Base-2 logarithm of the number of cells of a table, by level.
    first : int64 (6, 256)
        Count that belongs to cell 0, by level and digit.
    levels : int
        Highest level there is.
    """

    entries: NDArray[np.uint64]
    start: NDArray[np.int64]
    bits: NDArray[np.int64]
    first: NDArray[np.int64]
    levels: int


def level_of(mean: float) -> int:
    """Highest level that the digits of `mean` reach."""
    level = 0
    while mean >= 32.0 * 16.0**level:
        level += 1
    return level


def digit_mean(level: int, digit: int) -> float:
    """Mean that a digit stands for."""
    return digit * FINE_STEP if level == 0 else digit * 32.0 * 16.0 ** (level - 1)


def table_bits(level: int) -> int:
    """Base-2 logarithm of a table's cells: at least 11 standard deviations on either side of the mode."""
    return 7 + 2 * level


_cache: dict[int, PoissonTables] = {}


def poisson_tables(max_mean: float) -> PoissonTables:
    """Tables for means up to `max_mean`, built once a process and size (0.5 ms for 32 electrons).

    Parameters
    ----------
    max_mean : float
        Largest mean in electrons, below `MAX_MEAN`.
    """
    top = level_of(max_mean)
    if top not in _cache:
        _cache[top] = _build(top)
    return _cache[top]


def _build(top: int) -> PoissonTables:
    """Fill the tables of levels 0 to `top`."""
    digits = [FINE_STEPS] + [1 << BASE_BITS] * (LEVELS - 1)
    bits = np.array([table_bits(level) for level in range(LEVELS)], np.int64)
    sizes = [digits[level] << table_bits(level) if level <= top else 0 for level in range(LEVELS)]
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    entries = np.zeros(sum(sizes), np.uint64)
    first = np.zeros((LEVELS, FINE_STEPS), np.int64)
    for level in range(top + 1):
        cells = 1 << table_bits(level)
        for digit in range(1, digits[level]):
            mean = digit_mean(level, digit)
            first[level, digit] = max(0, int(mean) - cells // 2)
            begin = int(start[level]) + digit * cells
            fill_alias_table(mean, int(first[level, digit]), entries[begin : begin + cells])
    return PoissonTables(entries, start, bits, first, top)


@compiled()
def fill_alias_table(mean: float, first: int, entries: NDArray[np.uint64]) -> None:
    """Write the alias table of Poisson(`mean`), cell 0 standing for the count `first`, into `entries`."""
    cells = entries.size
    share = np.empty(cells)
    mode = int(mean) - first
    share[mode] = 1.0
    for cell in range(mode + 1, cells):
        share[cell] = share[cell - 1] * mean / (first + cell)
    for cell in range(mode - 1, -1, -1):
        share[cell] = share[cell + 1] * (first + cell + 1) / mean
    total = 0.0
    for cell in range(cells):
        total += share[cell]
    poor = np.empty(cells, np.int64)
    rich = np.empty(cells, np.int64)
    n_poor = 0
    n_rich = 0
    for cell in range(cells):
        share[cell] = share[cell] / total * cells
        if share[cell] < 1.0:
            poor[n_poor] = cell
            n_poor += 1
        else:
            rich[n_rich] = cell
            n_rich += 1
    while n_poor > 0 and n_rich > 0:
        n_poor -= 1
        taker = poor[n_poor]
        giver = rich[n_rich - 1]
        threshold = np.uint64(share[taker] * _THRESHOLD_ONE)
        entries[taker] = (threshold << np.uint64(ALIAS_BITS)) | np.uint64(giver)
        share[giver] = (share[giver] + share[taker]) - 1.0
        if share[giver] < 1.0:
            n_rich -= 1
            poor[n_poor] = giver
            n_poor += 1
    for place in range(n_poor):
        entries[poor[place]] = np.uint64(poor[place])
    for place in range(n_rich):
        entries[rich[place]] = np.uint64(rich[place])
