"""Counter-based random numbers: value = f(seed, stream, index, draw).

The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): ten rounds of a
keyed bijection of a 128-bit counter. Nothing is carried from one value to the next, so any value can be computed
alone, by any thread, in any order. The seed is the 64-bit key; index (64 bit), stream and draw (32 bit each) are the
counter.

All functions are compiled by numba and may be called from compiled code.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.compiled import compiled
from stemscan.runtime.portable_math import log

__all__ = [
    "Stream",
    "bounded",
    "fill_normals",
    "normal_pair",
    "philox4x32",
    "random_words",
    "standard_normal",
    "uniform53",
]


class Stream:
    """Names of the independent streams of one seed; a value, once released, never changes."""

    PATTERN: Final = 1
    GRID: Final = 2
    ORDER: Final = 3
    EDGE: Final = 4
    WALK: Final = 5
    BLUE_NOISE: Final = 6
    DETECTOR: Final = 16
    JITTER: Final = 17
    ROW_JITTER: Final = 18
    STAGE: Final = 19
    MAINS: Final = 20
    CURRENT: Final = 21
    DARK: Final = 22
    PULSE: Final = 23
    READ_NOISE: Final = 24
    DEAD_TIME: Final = 25
    CHANNEL: Final = 31
    CROSS_VALIDATION: Final = 32
    GIBBS: Final = 33
    FOLDS: Final = 34
    MEASURES: Final = 35
    SPECIMEN: Final = 48
    SYNTHETIC: Final = 49
    TRAINING: Final = 64
    FAULT: Final = 80


_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_S32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_S11 = np.uint64(11)
_BATCH = 512
_log = compiled()(log)


@compiled(inline=True)
def philox4x32(
    c0: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, k0: np.uint32, k1: np.uint32
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Apply Philox4x32-10 to the counter (c0, c1, c2, c3) under the key (k0, k1).

    Returns
    -------
    tuple of four uint32
        Uniform and independent for distinct counters.
    """
    for _ in range(10):
        p0 = _M0 * np.uint64(c0)
        p1 = _M1 * np.uint64(c2)
        c0 = np.uint32(p1 >> _S32) ^ c1 ^ k0
        c1 = np.uint32(p1 & _LOW)
        c2 = np.uint32(p0 >> _S32) ^ c3 ^ k1
        c3 = np.uint32(p0 & _LOW)
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)
    return c0, c1, c2, c3


@compiled(inline=True)
def random_words(
    seed: np.uint64, stream: int, index: np.uint64, draw: int
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Four random 32-bit words for (seed, stream, index, draw)."""
    return philox4x32(
        np.uint32(index & _LOW),
        np.uint32(index >> _S32),
        np.uint32(stream),
        np.uint32(draw),
        np.uint32(seed & _LOW),
        np.uint32(seed >> _S32),
    )


@compiled(inline=True)
def bounded(word: np.uint32, bound: int) -> np.int64:
    """Map a random 32-bit word to 0 .. bound - 1 by multiplication (bias below bound / 2**32).

    Parameters
    ----------
    bound : int
        At least 1, at most 2**32.
    """
    return np.int64((np.uint64(word) * np.uint64(bound)) >> _S32)


@compiled(inline=True)
def uniform53(high: np.uint32, low: np.uint32) -> np.float64:
    """A double in [0, 1) with 53 random bits from two random 32-bit words."""
    return np.float64(((np.uint64(high) << _S32) | np.uint64(low)) >> _S11) * (1.0 / 9007199254740992.0)


@compiled(inline=True)
def standard_normal(word: np.uint32) -> np.float64:
    """A standard normal number from one random 32-bit word, the same bits on every machine; at most 6.3 in size.

    The inverse of the normal distribution function as rational functions, to 1e-7 (Wichura, "Algorithm AS 241",
    Applied Statistics 37 (1988) 477, PPND7).
    """
    share = (np.float64(word) + 0.5) * 2.0**-32
    q = share - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        above = ((5.9109374720e1 * r + 1.5929113202e2) * r + 5.0434271938e1) * r + 3.3871327179
        below = ((6.7187563600e1 * r + 7.8757757664e1) * r + 1.7895169469e1) * r + 1.0
        return np.float64(q * above / below)
    r = np.sqrt(-_log(min(share, 1.0 - share)))
    if r <= 5.0:
        r -= 1.6
        above = ((1.7023821103e-1 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        below = (1.2021132975e-1 * r + 7.3700164250e-1) * r + 1.0
    else:
        r -= 5.0
        above = ((1.7337203997e-2 * r + 4.2868294337e-1) * r + 3.0812263860) * r + 6.6579051150
        below = (1.2258155635e-2 * r + 2.4197894225e-1) * r + 1.0
    return np.float64(above / below if q > 0.0 else -above / below)


@compiled()
def normal_pair(seed: np.uint64, stream: int, index: np.uint64, draw: int) -> tuple[np.float64, np.float64]:
    """Two independent standard normal numbers for (seed, stream, index, draw), see `standard_normal`."""
    first, second, _, _ = random_words(seed, stream, index, draw)
    return standard_normal(np.uint32(first)), standard_normal(np.uint32(second))


@compiled()
def fill_normals(
    seed: np.uint64, stream: int, start: np.uint64, draw: int, first: NDArray[np.float64], second: NDArray[np.float64]
) -> None:
    """Write the pairs of `normal_pair` for indices from `start` on into two arrays (n,); quicker than one by one."""
    high, low = np.empty(_BATCH, np.uint32), np.empty(_BATCH, np.uint32)
    for begin in range(0, first.size, _BATCH):
        size = min(_BATCH, first.size - begin)
        for i in range(size):
            a, b, _, _ = random_words(seed, stream, start + np.uint64(begin + i), draw)
            high[i], low[i] = a, b
        for i in range(size):
            first[begin + i] = standard_normal(high[i])
            second[begin + i] = standard_normal(low[i])
