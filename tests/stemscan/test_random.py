"""The counter-based generator: published known answers, uniformity, independence of its parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from stemscan.random import Stream, bounded, philox4x32, random_words, uniform53
from stemscan.runtime.compiled import compiled

ONES = 0xFFFFFFFF
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@compiled()
def _words(seed: np.uint64, stream: int, indices: NDArray[np.uint64], draw: int, out: NDArray[np.uint32]) -> None:
    for i in range(indices.size):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = random_words(seed, stream, indices[i], draw)


@compiled()
def _bounded(words: NDArray[np.uint32], bound: int, out: NDArray[np.int64]) -> None:
    for i in range(words.size):
        out[i] = bounded(words[i], bound)


@compiled()
def _uniform(high: NDArray[np.uint32], low: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
    for i in range(high.size):
        out[i] = uniform53(high[i], low[i])


def words(seed: int, stream: int, indices: NDArray[np.uint64], draw: int = 0) -> NDArray[np.uint32]:
    out = np.empty((indices.size, 4), np.uint32)
    _words(np.uint64(seed), stream, indices, draw, out)
    return out


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]
) -> None:
    got = philox4x32(*(np.uint32(word) for word in counter + key))
    assert tuple(int(word) for word in got) == answer


def test_words_are_philox_of_index_stream_draw_under_the_seed() -> None:
    seed, index = 0x299F31D0A4093822, 0x85A308D3243F6A88
    got = words(seed, 0x13198A2E, np.array([index], np.uint64), 0x03707344)
    assert got[0].tolist() == list(KNOWN[2][2])


def reference(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x32-10 in plain integers, written from the paper."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


@given(seed=st.integers(0, 2**64 - 1), stream=st.integers(0, 2**31), index=st.integers(0, 2**64 - 1))
def test_words_equal_a_plain_implementation(seed: int, stream: int, index: int) -> None:
    got = words(seed, stream, np.array([index], np.uint64), 5)[0].tolist()
    counter = (index % 2**32, index >> 32, stream, 5)
    assert tuple(got) == reference(counter, (seed % 2**32, seed >> 32))


def test_streams_keep_their_released_numbers_and_are_all_different() -> None:
    named = {name: value for name, value in vars(Stream).items() if name.isupper()}
    assert len(set(named.values())) == len(named)
    assert (Stream.PATTERN, Stream.GRID, Stream.ORDER, Stream.EDGE, Stream.DETECTOR) == (1, 2, 3, 4, 16)


def test_words_are_uniform_in_every_byte() -> None:
    bytes_seen = words(3, Stream.DETECTOR, np.arange(50_000, dtype=np.uint64)).view(np.uint8).reshape(-1, 16)
    for column in range(16):
        counts = np.bincount(bytes_seen[:, column], minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("other", ["seed", "stream", "index", "draw"])
def test_neighbouring_seeds_streams_indices_and_draws_are_uncorrelated(other: str) -> None:
    indices = np.arange(50_000, dtype=np.uint64)
    base = words(11, 16, indices).astype(np.float64)
    changed = {
        "seed": lambda: words(12, 16, indices),
        "stream": lambda: words(11, 17, indices),
        "index": lambda: words(11, 16, indices + np.uint64(1)),
        "draw": lambda: words(11, 16, indices, 1),
    }[other]().astype(np.float64)
    correlation = np.corrcoef(base.T, changed.T)[:4, 4:]
    # Words of index i + 1 are those of the base shifted by one: no column equals another.
    assert np.abs(correlation).max() < 5 / np.sqrt(indices.size)


@given(word=st.integers(0, 2**32 - 1), bound=st.integers(1, 2**32))
def test_bounded_is_the_product_shifted_and_stays_below_the_bound(word: int, bound: int) -> None:
    out = np.empty(1, np.int64)
    _bounded(np.array([word], np.uint32), bound, out)
    assert out[0] == word * bound >> 32
    assert 0 <= out[0] < bound


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 64, 1000])
def test_bounded_numbers_are_uniform(bound: int) -> None:
    source = words(5, Stream.PATTERN, np.arange(100_000, dtype=np.uint64))[:, 0].copy()
    out = np.empty(source.size, np.int64)
    _bounded(source, bound, out)
    counts = np.bincount(out, minlength=bound)
    assert counts.size == bound
    assert bound == 1 or stats.chisquare(counts).pvalue > 1e-4


def test_uniform53_uses_the_upper_53_bits_and_never_reaches_one() -> None:
    high = np.array([0, 0, 0x80000000, ONES], np.uint32)
    low = np.array([0, 1 << 11, 0, ONES], np.uint32)
    out = np.empty(4)
    _uniform(high, low, out)
    assert out.tolist() == [0.0, 2.0**-53, 0.5, 1 - 2.0**-53]


def test_uniform53_is_uniform() -> None:
    source = words(9, Stream.DETECTOR, np.arange(100_000, dtype=np.uint64))
    out = np.empty(len(source))
    _uniform(source[:, 0].copy(), source[:, 1].copy(), out)
    assert stats.kstest(out, "uniform").pvalue > 1e-4
