"""Permutations: bijective, inverted exactly, every arrangement as likely."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from stemscan.path.permutation import CHUNK, domain, permute, permute_back, permute_back_chunk, round_keys
from stemscan.runtime.compiled import compiled


@compiled()
def both_ways(n: int, keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    bits, high_values = domain(n)
    table = np.empty((2, n), np.int64)
    for i in range(n):
        table[0, i] = permute(i, n, bits, high_values, keys)
        table[1, i] = permute_back(i, n, bits, high_values, keys)
    return table


@given(st.integers(1, 6000), st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_is_a_permutation_with_its_inverse(n: int, seed: int) -> None:
    forward, back = both_ways(n, round_keys(n, np.uint64(seed), 3, 0))
    np.testing.assert_array_equal(np.sort(forward), np.arange(n))
    np.testing.assert_array_equal(forward[back], np.arange(n))


@pytest.mark.parametrize("n", [1, 5, 1000, 123_457])
def test_chunks_are_single_elements(n: int) -> None:
    keys = round_keys(n, np.uint64(1), 2, 3)
    _, back = both_ways(n, keys)
    numbers = np.empty(CHUNK, np.int64)
    for first in range(0, n, CHUNK):
        count = min(CHUNK, n - first)
        permute_back_chunk(first, count, n, *domain(n), keys, numbers)
        np.testing.assert_array_equal(numbers[:count], back[first : first + count])


@pytest.mark.parametrize("n", [3, 4, 5, 6, 9])
def test_small_arrangements_are_equally_likely(n: int) -> None:
    seeds = 24_000
    counts = Counter(tuple(both_ways(n, round_keys(n, np.uint64(seed), 3, 0))[0, :3]) for seed in range(seeds))
    arrangements = n * (n - 1) * (n - 2)
    expected = seeds / arrangements
    statistic = sum((count - expected) ** 2 / expected for count in counts.values())
    statistic += (arrangements - len(counts)) * expected
    assert statistic < chi2.ppf(0.9999, arrangements - 1)


def test_permutations_of_one_stream_differ() -> None:
    first = both_ways(1000, round_keys(1000, np.uint64(1), 2, 0))[0]
    second = both_ways(1000, round_keys(1000, np.uint64(1), 2, 1))[0]
    assert (first == second).mean() < 0.02
