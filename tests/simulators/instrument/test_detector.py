"""The virtual detector: exact tables, the distribution of the counts, and that nothing but seed and index matters."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from stemscan.errors import UsageError
from stemscan.simulators.instrument.detector import MAX_MEAN, count_dtype, detect, poisson
from stemscan.simulators.instrument.poisson_table import (
    ALIAS_BITS,
    FINE_STEPS,
    digit_mean,
    level_of,
    poisson_tables,
    table_bits,
)

N = 200_000
MEANS = [0.05, 0.1, 0.5, 1.0, 1.06, 5.0, 10.0, 29.0, 30.0, 31.99, 32.0, 100.0, 500.0, 8191.9, 60000.3, 3e6]


def table_probabilities(level: int, digit: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and the probabilities that an alias table gives them."""
    tables = poisson_tables(digit_mean(level, digit))
    cells = 1 << table_bits(level)
    begin = int(tables.start[level]) + digit * cells
    entries = tables.entries[begin : begin + cells]
    own = (entries >> np.uint64(ALIAS_BITS)).astype(np.float64) / 2.0 ** (64 - ALIAS_BITS)
    alias = (entries & np.uint64((1 << ALIAS_BITS) - 1)).astype(np.int64)
    probabilities = own + np.bincount(alias, 1 - own, cells)
    return np.arange(cells) + int(tables.first[level, digit]), probabilities / cells


@pytest.mark.parametrize(
    ("level", "digits"), [(0, range(1, FINE_STEPS)), (1, range(1, 16)), (2, range(1, 16)), (3, (1, 8, 15))]
)
def test_tables_hold_the_poisson_distribution_to_rounding(level: int, digits: range) -> None:
    for digit in digits:
        counts, probabilities = table_probabilities(level, digit)
        exact = stats.poisson.pmf(counts, digit_mean(level, digit))
        assert np.abs(probabilities - exact).max() < 1e-14 * 10**level
        assert stats.poisson.sf(counts[-1], digit_mean(level, digit)) < 1e-17


def test_the_widest_tables_are_normalised_and_centred() -> None:
    for level in (4, 5):
        counts, probabilities = table_probabilities(level, 15)
        mean = digit_mean(level, 15)
        assert probabilities.sum() == pytest.approx(1, abs=1e-12)
        assert float(probabilities @ (counts - mean)) == pytest.approx(0, abs=1e-5)
        assert float(probabilities @ (counts - mean) ** 2) == pytest.approx(mean, rel=1e-9)


def test_digits_cover_every_mean() -> None:
    assert [level_of(mean) for mean in (0, 31.99, 32, 511.9, 512, 8192, 131072, 2097152, MAX_MEAN - 1)] == [
        *(0, 0, 1, 1, 2, 3, 4, 5, 5)
    ]


@pytest.mark.parametrize("mean", MEANS)
def test_mean_variance_and_distribution(mean: float) -> None:
    counts = poisson(np.full(N, mean), seed=20).astype(np.float64)
    assert abs(counts.mean() - mean) < 4 * np.sqrt(mean / N)
    assert abs(counts.var() / mean - 1) < 4 * np.sqrt((2 + 1 / mean) / N)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.0002, 0.9998, 60), mean))
    expected = np.diff(stats.poisson.cdf(edges, mean), prepend=0, append=1) * N
    observed = np.bincount(np.searchsorted(edges, counts), minlength=edges.size + 1)
    common = expected > 5
    rare = (observed[~common].sum(), expected[~common].sum())
    pairs = [*zip(observed[common], expected[common], strict=True), *([rare] if rare[1] > 5 else [])]
    seen, wanted = np.array(pairs).T
    assert stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-3


def test_a_spread_of_means_has_the_mixture_distribution() -> None:
    means = np.tile(np.linspace(0, 12, 25), 8000)
    counts = poisson(means, seed=4)
    top = 30
    expected = stats.poisson.pmf(np.arange(top)[:, None], np.linspace(0, 12, 25)).sum(axis=1) * 8000
    keep = expected > 5
    observed = np.bincount(np.minimum(counts, top - 1), minlength=top)
    assert stats.chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue > 1e-3


def test_counts_of_neighbouring_samples_and_seeds_are_uncorrelated() -> None:
    counts = poisson(np.full(N, 7.3), seed=1).astype(np.float64)
    others = poisson(np.full(N, 7.3), seed=2).astype(np.float64)
    for other in (others, np.roll(counts, 1), np.roll(counts, 512)):
        assert abs(np.corrcoef(counts, other)[0, 1]) < 5 / np.sqrt(N)


def test_the_parts_of_a_large_count_are_independent() -> None:
    """The variance of a sum of correlated digits would not be its mean."""
    for mean in (31.9 + 480, 31.9 + 480 + 7680):
        counts = poisson(np.full(N, mean), seed=3)
        assert abs(counts.var() / mean - 1) < 4 * np.sqrt(2 / N)


def test_zero_electrons_are_zero_counts() -> None:
    assert not poisson(np.zeros(1000), seed=5).any()
    assert poisson([], seed=5).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(
    split=st.lists(st.integers(0, 3000), max_size=5),
    start=st.integers(0, 2**40),
    top=st.sampled_from([0.01, 10.0, 300.0, 1e5]),
    seed=st.integers(0, 2**64 - 1),
)
def test_blocks_do_not_change_counts(split: list[int], start: int, top: float, seed: int) -> None:
    means = np.linspace(0, top, 3000)
    whole = poisson(means, seed=seed, start=start)
    edges = [0, *sorted(split), 3000]
    parts = [poisson(means[a:b], seed=seed, start=start + a) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_threads_do_not_change_counts() -> None:
    means = np.random.default_rng(0).random(300_001) * 40
    alone = poisson(means, seed=8, start=17)
    for threads in (2, 3, 8):
        np.testing.assert_array_equal(poisson(means, seed=8, start=17, threads=threads), alone)


def test_the_dose_scale_belongs_to_the_mean() -> None:
    """A count depends on the product of dose and signal alone, not on the largest mean of its block."""
    signal = np.array([0.25, 0.5, 1.0], np.float32)
    high = detect(signal, electrons_per_sample=10, seed=1)
    low = detect(signal[:2], electrons_per_sample=10, seed=1)
    np.testing.assert_array_equal(high[:2], low)
    np.testing.assert_array_equal(high, poisson(signal.astype(np.float64) * 10, seed=1))


def test_eq5_is_the_signal_times_poisson_of_the_dose() -> None:
    signal = np.random.default_rng(1).random(N).astype(np.float32)
    values = detect(signal, electrons_per_sample=10, noise="eq5", seed=6)
    electrons = poisson(np.full(N, 10.0), seed=6)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, (signal.astype(np.float64) * electrons).astype(np.float32))
    assert not detect(np.zeros(10, np.float32), electrons_per_sample=10, noise="eq5", seed=6).any()


@pytest.mark.parametrize(
    ("noise", "dose", "dtype"),
    [("poisson", 10, "uint16"), ("poisson", 60000, "uint16"), ("poisson", 60000.5, "uint32"), ("eq5", 10, "float32")],
)
def test_types_of_counts(noise: str, dose: float, dtype: str) -> None:
    assert count_dtype(noise, dose) == dtype  # type: ignore[arg-type]
    counts = detect(np.ones(1000, np.float32), electrons_per_sample=dose, noise=noise, seed=1)  # type: ignore[arg-type]
    assert counts.dtype == dtype
    assert abs(float(counts.astype(np.float64).mean()) - dose) < 5 * np.sqrt(dose / 1000)


def digest(counts: NDArray[np.uint32]) -> str:
    return hashlib.sha256(counts.astype("<u4").tobytes()).hexdigest()[:16]


GOLDEN = {
    0.1: "a649ec151b8e71b0",
    10.0: "5404c8ed7b1f1c43",
    100.0: "5fb60c171cb2d2ff",
    60000.0: "13700b272276f420",
    3e7: "86807be5e17d4b78",
}


@pytest.mark.parametrize("top", GOLDEN)
def test_counts_never_change(top: float) -> None:
    """A changed digest means that old stores cannot be resumed: do not renew these, find the cause."""
    counts = poisson(np.arange(4000) * (top / 4000), seed=2**63 + 5, start=2**33 + 1)
    assert digest(counts) == GOLDEN[top]


def test_tables_never_change() -> None:
    entries = poisson_tables(3e7).entries.astype("<u8")
    assert hashlib.sha256(entries.tobytes()).hexdigest()[:16] == "ac7fef36b846f7c4"


@pytest.mark.parametrize(
    ("means", "problem"),
    [
        ([-1.0], "got -1 to -1"),
        ([np.nan, 1.0], "got nan"),
        ([np.inf], "to inf"),
        ([MAX_MEAN], "0 to 33554432 electrons"),
        ([[1.0, 2.0]], "shape"),
    ],
)
def test_impossible_means_are_refused(means: list[float], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        poisson(means, seed=1)


def test_impossible_noise_seed_and_dose_are_refused() -> None:
    ones = np.ones(3, np.float32)
    with pytest.raises(UsageError, match="'gauss'"):
        detect(ones, electrons_per_sample=1, noise="gauss", seed=1)  # type: ignore[arg-type]
    for seed in (-1, 2**64):
        with pytest.raises(UsageError, match=str(seed)):
            detect(ones, electrons_per_sample=1, seed=seed)
    with pytest.raises(UsageError, match="-0.5"):
        detect(-ones, electrons_per_sample=0.5, noise="eq5", seed=1)
