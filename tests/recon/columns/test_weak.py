"""Columns too weak to be seen one by one are seen in all cells together, and only where there are some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.recon.columns.find import finding, pilot_image
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.method import columns
from tests.recon.columns.columns_kit import Crystal, crystal, render, sparse_scan


def found_of(truth: Crystal, weak: Crystal | None, seed: int) -> Finding:
    """Columns of a scan of a crystal, and of a second one on it."""
    signal = render(truth)
    if weak is not None:
        signal = signal + render(weak, background=0.0)
    inputs = sparse_scan(signal, seed=seed)
    found = finding(inputs, pilot_image(inputs))
    assert isinstance(found, Finding)
    return found


@pytest.fixture(scope="module")
def crystals() -> tuple[Crystal, Crystal]:
    """A crystal, and columns of 0.07 in the middle of two sides of its cells, a fifth of them displaced."""
    truth = crystal(size=320, seed=11, vacancies=0.06)
    step = np.array([[np.cos(np.deg2rad(3)), -np.sin(np.deg2rad(3))], [np.sin(np.deg2rad(3)), np.cos(np.deg2rad(3))]])
    bright = truth.sublattice == 0
    moved = truth.places[bright] - truth.sites[bright]
    places = np.concatenate([truth.sites[bright] + moved + 0.5 * 39.05 * axis for axis in step])
    inside = ((places > -20) & (places < 340)).all(axis=1)
    return truth, replace(truth, places=places[inside], amplitudes=np.full(int(inside.sum()), 0.07))


def test_weak_columns_are_found_by_their_number(crystals: tuple[Crystal, Crystal]) -> None:
    truth, weak = crystals
    found = found_of(truth, weak, 12)
    sets = found.table().settings["weak"]
    assert len(sets) == 2
    for one in sets:
        assert one["amplitude"] == pytest.approx(0.07, abs=0.02)
        assert one["columns"] == pytest.approx(weak.inside(0).sum() / 2, rel=0.2)


def test_weak_columns_are_drawn(crystals: tuple[Crystal, Crystal]) -> None:
    truth, weak = crystals
    signal = render(truth) + render(weak, background=0.0)
    made = columns(sparse_scan(signal, seed=12))
    assert made.std is not None
    rows, across = np.rint(weak.places[weak.inside(20)]).astype(int).T
    off = made.image[rows, across] - signal[rows, across]
    assert abs(off.mean()) < 0.02
    assert (np.abs(off) < 2 * made.std[rows, across]).mean() > 0.75  # what columns of a set err by they have in common


def test_vacancies_stay_empty_among_them(crystals: tuple[Crystal, Crystal]) -> None:
    truth, weak = crystals
    found = found_of(truth, weak, 13)
    gone = (truth.amplitudes == 0) & truth.inside(20)
    sites = np.stack([found.empty["row"], found.empty["col"]], axis=1)
    distance, nearest = cKDTree(sites).query(truth.sites[gone])
    heights = found.empty["amplitude"][nearest[distance < 6]]
    assert len(heights) >= 3
    assert abs(heights.mean()) < 0.06


@pytest.mark.parametrize("seed", [14, 15])
def test_where_there_are_none_none_are_found(crystals: tuple[Crystal, Crystal], seed: int) -> None:
    assert found_of(crystals[0], None, seed).table().settings["weak"] == []
