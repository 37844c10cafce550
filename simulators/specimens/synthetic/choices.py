"""Random choices that write down what they chose.

A choice has a name. Its random words are Philox at (seed, stream, index, checksum of the name): what one choice gives
depends neither on which others were made before nor on the size of the picture, and a new one changes no old one.
Numbers are rounded to nine digits, so that the record says exactly what was used and machines agree on it.

Numbers for many sites (is this column vacant, how far is that one displaced) come from a key that a name gives, and
from each site's own number.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stemscan.random import Stream, random_words
from stemscan.runtime.compiled import compiled

__all__ = ["Choices", "site_normals", "site_uniforms"]

T = TypeVar("T")

_STREAM: Final = Stream.SYNTHETIC
_HALF_WORD = 2.0**-33
_WORD = 2.0**-32
_ROOT_3 = math.sqrt(3.0)


class Choices:
    """Named random choices of one specimen.

    Parameters
    ----------
    seed, index : int
        0 to 2**64 - 1.

    Attributes
    ----------
    made : dict
        Choices by name, in the order of choosing; plain data.
    """

    def __init__(self, seed: int, index: int) -> None:
        self._seed = np.uint64(seed)
        self._index = np.uint64(index)
        self._prefix = ""
        self.made: dict[str, Any] = {}

    def under(self, prefix: str) -> Choices:
        """The same choices, with names that begin with `prefix` and a dot; written into the same record."""
        inner = Choices.__new__(Choices)
        inner._seed, inner._index, inner.made = self._seed, self._index, self.made
        inner._prefix = f"{self._prefix}{prefix}."
        return inner

    def apart(self, prefix: str) -> Choices:
        """As `under`, with a record of its own."""
        inner = self.under(prefix)
        inner.made = {}
        return inner

    def uniform(self, name: str, low: float, high: float) -> float:
        """A number between `low` and `high`."""
        return self._note(name, _nine_digits(low + (high - low) * self._unit(name)))

    def log_uniform(self, name: str, low: float, high: float) -> float:
        """A number between `low` and `high`, uniform in its logarithm."""
        return self._note(name, _nine_digits(low * math.exp(math.log(high / low) * self._unit(name))))

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return self._note(name, low + int(self._unit(name) * (high - low + 1)))

    def chance(self, name: str, probability: float) -> bool:
        """True with this probability."""
        return self._note(name, self._unit(name) < probability)

    def one_of(self, name: str, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of several, with probabilities in proportion to `weights`."""
        shares = np.cumsum(np.ones(len(options)) if weights is None else np.asarray(weights, float))
        number = int(np.searchsorted(shares, self._unit(name) * shares[-1], side="right"))
        return self._note(name, options[min(number, len(options) - 1)])

    def key(self, name: str) -> np.uint64:
        """Seed of the numbers for many sites that go by this name; not recorded, for it follows from seed and index."""
        words = self._words(name)
        return np.uint64((int(words[2]) << 32) | int(words[3]))

    def _note(self, name: str, value: T) -> T:
        """Write a choice into the record."""
        self.made[self._prefix + name] = list(value) if isinstance(value, tuple) else value
        return value

    def _words(self, name: str) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
        """The four random words of a name."""
        draw = zlib.crc32((self._prefix + name).encode())
        return _words(self._seed, self._index, draw)

    def _unit(self, name: str) -> float:
        """A number in [0, 1)."""
        return float(int(self._words(name)[0]) * _WORD)


def _nine_digits(value: float) -> float:
    return float(f"{value:.9g}")


@compiled()
def _words(seed: np.uint64, index: np.uint64, draw: int) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Random words of the generator's stream."""
    return random_words(seed, _STREAM, index, draw)


@compiled()
def site_uniforms(key: np.uint64, sites: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A number in (0, 1) for each site.

    Parameters
    ----------
    key : uint64
        From `Choices.key`.
    sites : uint64 (n,)
        Numbers of the sites.

    Returns
    -------
    float64 (n,)
    """
    values = np.empty(sites.size)
    for n in range(sites.size):
        values[n] = random_words(key, _STREAM, sites[n], 0)[0] * _WORD + _HALF_WORD
    return values


@compiled()
def site_normals(key: np.uint64, sites: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A nearly normal number (mean 0, variance 1, within 3.5) for each site: the sum of four uniform ones.

    Parameters
    ----------
    sites : uint64 (n,)

    Returns
    -------
    float64 (n,)
    """
    values = np.empty(sites.size)
    for n in range(sites.size):
        a, b, c, d = random_words(key, _STREAM, sites[n], 1)
        values[n] = ((np.float64(a) + np.float64(b) + np.float64(c) + np.float64(d)) * _WORD - 2.0) * _ROOT_3
    return values
