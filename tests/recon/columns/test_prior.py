"""Empirical-Bayes estimates cover what they should, also where a few unknown exceptions hide among regular columns."""

from __future__ import annotations

import numpy as np
import pytest

from stemscan.recon.columns.prior import occupancy, shrink


@pytest.mark.parametrize("spike", [0.3, 0.5])
def test_two_thirds_of_errors_lie_within_half(spike: float) -> None:
    """Three in ten deviations are exceptions, many of them too small to be told from regular ones."""
    random = np.random.default_rng(5)
    size, error = 4000, 0.5
    exceptional = random.random(size) < 0.3
    truth = np.where(exceptional[:, None], random.normal(0, 1.5, (size, 2)), random.normal(0, spike, (size, 2)))
    fitted = truth + random.normal(0, error, (size, 2))
    found = shrink(fitted, np.tile(error**2 * np.eye(2), (size, 1, 1)))
    off = np.abs(found.mean - truth)
    assert (off <= found.half).mean() == pytest.approx(0.683, abs=0.05)
    assert (off <= 2 * found.half).mean() == pytest.approx(0.954, abs=0.03)
    assert np.sqrt((off**2).mean()) == pytest.approx(np.sqrt((found.std**2).mean()), rel=0.1)
    assert found.half.mean() < found.std.mean()


def test_few_columns_do_not_claim_to_know_the_spread() -> None:
    """Thirty regular deviations leave open whether the spread is zero: errors say so on average."""
    ratios = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        found = shrink(random.normal(0, 0.5, (30, 1)), np.full((30, 1, 1), 0.25))
        ratios.append((found.mean**2).mean() / (found.std**2).mean())
    assert np.mean(ratios) < 1.1


def test_with_few_deviations_nothing_is_learned() -> None:
    """Deviations are their own estimates."""
    deviations = np.ones((5, 2))
    found = shrink(deviations, np.tile(0.25 * np.eye(2), (5, 1, 1)))
    assert np.array_equal(found.mean, deviations)
    assert np.array_equal(found.half, np.full((5, 2), 0.5))
    assert np.isnan(found.exceptional).all()


def test_a_column_brings_noise_of_its_own() -> None:
    """An amplitude far below the usual one, of whose error half the column itself would be the reason."""
    amplitudes, std, usual = np.array([0.15, 0.01]), np.full(2, 0.044), (np.full(200, 0.4), np.full(200, 0.08))
    present = occupancy(
        np.concatenate([amplitudes, usual[0]]),
        np.concatenate([std, usual[1]]),
        np.full(202, 0.08),
        0.4,
        0.03,
    )[:2]
    assert present[0] > 0.9
    assert present[1] < 0.05
