"""Costs of an evaluation: what is left is told by the methods' declarations, then by their cases."""

from __future__ import annotations

import math

import pytest

from stemscan.recon.evaluation.cases import Case, Grid, all_cases
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.evaluation.costs import Costs
from stemscan.recon.evaluation.images import synthetic_images


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Two images by a slow and a quick method."""
    grid = Grid(("poisson",), (3,), (10.0,), 4, 1)
    return all_cases(synthetic_images(2, 16), grid, [parse_contender("bpfa", {}), parse_contender("linear", {})], "cpu")


def test_slow_methods_are_expected_to_be_slow(cases: list[Case]) -> None:
    costs = Costs(cases)
    assert costs.share == 0
    for case in cases:
        if case.contender.method == "linear":
            costs.done(case, 1e-3)
    assert 0 < costs.share < 0.05


def test_methods_take_what_their_cases_took(cases: list[Case]) -> None:
    costs = Costs(cases)
    for case in cases[:2]:  # one of each
        costs.done(case, 1.0)
    assert costs.share == pytest.approx(0.5)
    costs.done(cases[2], math.nan)
    costs.done(cases[3], 1.0)
    assert costs.share == 1
