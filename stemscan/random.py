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

from stemscan.runtime.compiled import compiled

__all__ = ["Stream", "bounded", "philox4x32", "random_words", "uniform53"]


class Stream:
    """Names of the independent streams of one seed; a value, once released, never changes."""

    PATTERN: Final = 1
    GRID: Final = 2
    ORDER: Final = 3
    EDGE: Final = 4
    WALK: Final = 5
    BLUE_NOISE: Final = 6
    DETECTOR: Final = 16
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


@compiled(inline=True)
def philox4x32(
    c0: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, k0: np.uint32, k1: np.uint32
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Apply Philox4x32-10 to the counter (c0, c1, c2, c3) under the key (k0, k1).

    Parameters
    ----------
    c0, c1, c2, c3, k0, k1 : uint32

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
    """Four random 32-bit words for (seed, stream, index, draw).

    Parameters
    ----------
    seed, index : uint64
    stream, draw : uint32

    Returns
    -------
    tuple of four uint32
    """
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
    word : uint32
    bound : int
        At least 1, at most 2**32.

    Returns
    -------
    int64
    """
    return np.int64((np.uint64(word) * np.uint64(bound)) >> _S32)


@compiled(inline=True)
def uniform53(high: np.uint32, low: np.uint32) -> np.float64:
    """A double in [0, 1) with 53 random bits from two random 32-bit words."""
    return np.float64(((np.uint64(high) << _S32) | np.uint64(low)) >> _S11) * (1.0 / 9007199254740992.0)
