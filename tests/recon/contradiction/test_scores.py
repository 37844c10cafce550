"""Scores: tails no heavier than a normal number's, thresholds that hold, places once each."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm, poisson

from stemscan.recon.contradiction import contradiction, scores, words
from stemscan.recon.contradiction.scores import normal_score, places_above, poisson_score, score_threshold


def test_examples() -> None:
    for module in (scores, words, contradiction):
        assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("mean", [0.02, 0.3, 1.0, 4.0, 30.0, 2000.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_tails_are_those_of_a_normal_number_or_lighter(mean: float, sign: int) -> None:
    counts = np.arange(0, round(mean + 8 * mean**0.5) + 12)
    counts = counts[counts >= mean] if sign > 0 else counts[counts <= mean]
    means = np.full(counts.shape, mean)
    score = sign * poisson_score(counts - means, means, means)
    true = poisson.sf(counts - 1, mean) if sign > 0 else poisson.cdf(counts, mean)
    seldom = (true < 0.02) & (true > 1e-12)
    assert (true[seldom] <= 1.01 * norm.sf(score[seldom])).all()
    assert (true[seldom] >= 0.45 * norm.sf(score[seldom])).all()


def test_a_normal_score_of_few_counts_is_of_no_use() -> None:
    counts, mean = np.array([3.0]), np.array([0.1])
    assert poisson.sf(2, 0.1) > norm.sf(3.62)
    assert normal_score(counts - mean, mean)[0] > 9
    assert poisson_score(counts - mean, mean, mean)[0] < 3.65


def test_many_counts_make_a_normal_score() -> None:
    slope, variance = np.linspace(-5, 5, 11) * 1e4, np.full(11, 1e8)
    np.testing.assert_allclose(poisson_score(slope, variance, variance), normal_score(slope, variance), atol=1e-2)
    np.testing.assert_allclose(poisson_score(slope, variance, 0 * variance), normal_score(slope, variance), atol=1e-4)


def test_nothing_known_is_no_score() -> None:
    zero = np.zeros((2, 2), np.float32)
    assert not poisson_score(zero, zero, zero).any()
    assert not normal_score(zero + 1, zero).any()
    assert not normal_score(zero + 1, zero + 1, least=1.0).any()


@pytest.mark.parametrize("sides", [1, 2])
def test_peaks_of_noise_above_the_threshold_are_as_many_as_meant(sides: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "FALSE_ALARMS", 20.0)
    monkeypatch.setattr(scores, "_LEAST_THRESHOLD", 0.1)
    random, found, sigma = np.random.default_rng(1), 0, 3.0
    threshold = score_threshold((400, 400), sigma, sides=sides)
    for _ in range(6):
        noise = gaussian_filter(random.standard_normal((440, 440)), sigma)[20:-20, 20:-20]
        noise /= noise.std()
        found += len(places_above(np.abs(noise) if sides == 2 else noise, 1.0, threshold))
    assert 90 < found < 150


def test_thresholds_rise_with_the_number_of_places() -> None:
    found = [score_threshold((side, side), 4.0, sides=2) for side in (8, 256, 1024, 8192)]
    assert found == sorted(found)
    assert found[0] == 4.0
    assert found[-1] < 6


def test_peaks_come_once_and_the_best_first() -> None:
    score = np.zeros((40, 40))
    score[5, 5], score[5, 7], score[30, 30] = 6, 5, 7
    assert places_above(score, 3, 4.0).tolist() == [[30, 30], [5, 5]]
    assert places_above(score, 1, 4.0).tolist() == [[30, 30], [5, 5], [5, 7]]
    assert places_above(score, 3, 8.0).shape == (0, 2)
