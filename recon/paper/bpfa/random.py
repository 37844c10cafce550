"""Random numbers of the Gibbs sampler, keyed by seed, sweep, item (a patch, or a pixel of the dictionary) and draw."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from stemscan.random import Stream, random_words, uniform53
from stemscan.runtime.compiled import compiled

__all__ = ["fill_uniforms", "key", "normals", "sweep_uniforms"]

_STREAM: Final = Stream.GIBBS
_S32: Final = np.uint64(32)
_NO_PATCH: Final = 0xFFFFFFFF
_WORD: Final = 1.0 / 4294967296.0
_TWO_PI: Final = 2.0 * math.pi


@compiled()
def key(sweep: int, item: int) -> np.uint64:
    """Index of the random numbers of an item in a sweep."""
    return (np.uint64(sweep) << _S32) | np.uint64(item)


@compiled()
def normals(seed: np.uint64, index: np.uint64, draw: int) -> tuple[float, float]:
    """Two standard normal deviates (Box and Muller, 1958)."""
    words = random_words(seed, _STREAM, index, draw)
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform53(words[0], words[1])))
    angle = _TWO_PI * uniform53(words[2], words[3])
    return radius * math.cos(angle), radius * math.sin(angle)


@compiled()
def fill_uniforms(seed: np.uint64, index: np.uint64, uniforms: npt.NDArray[np.float32]) -> None:
    """Random numbers in (0, 1), four at a time."""
    for draw in range(len(uniforms) // 4):
        words = random_words(seed, _STREAM, index, draw)
        uniforms[4 * draw] = (words[0] + 0.5) * _WORD
        uniforms[4 * draw + 1] = (words[1] + 0.5) * _WORD
        uniforms[4 * draw + 2] = (words[2] + 0.5) * _WORD
        uniforms[4 * draw + 3] = (words[3] + 0.5) * _WORD


@compiled()
def sweep_uniforms(seed: np.uint64, sweep: int, number: int) -> npt.NDArray[np.float64]:
    """Random numbers in (0, 1) that belong to a sweep as a whole, (number,) of float64."""
    drawn = np.empty(number)
    for n in range(number):
        words = random_words(seed, _STREAM, key(sweep, _NO_PATCH), n)
        drawn[n] = uniform53(words[0], words[1]) + 0.5 / 9007199254740992.0
    return drawn
