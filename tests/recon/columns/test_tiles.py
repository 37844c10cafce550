"""A scan in tiles: the same columns as in one, none twice and none missing at seams, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.recon.columns import tiles
from stemscan.recon.columns.find import find_columns, finding
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.table import FIELDS
from stemscan.recon.columns.whole import once
from stemscan.recon.inputs.gridding import PlacedSamples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.run import reconstruct
from stemscan.recon.threads import limit_threads
from tests.recon.columns.columns_kit import crystal, render, sparse_scan

_SIZE = 400


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return sparse_scan(render(crystal(_SIZE, seed=11)), seed=12)


@pytest.fixture(scope="module")
def image(inputs: Inputs) -> np.ndarray:
    return reconstruct(inputs, "fourier-eb").image


@pytest.fixture(scope="module")
def one(inputs: Inputs, image: np.ndarray) -> Finding:
    found = finding(inputs, image)
    assert isinstance(found, Finding)
    return found


@pytest.fixture(scope="module")
def several(inputs: Inputs, image: np.ndarray) -> Finding:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "CORE", 128)
        found = finding(inputs, image)
    assert isinstance(found, Finding)
    assert len(found.scan.tiles) == 9
    return found


def test_tiles_find_the_columns_of_the_whole(one: Finding, several: Finding) -> None:
    """Positions agree to a fraction of their errors, errors to a few per cent."""
    distance, nearest = cKDTree(several.places[several.inside]).query(one.places[one.inside])
    same = distance < 2
    assert same.mean() > 0.98
    std = one.errors.std[one.inside][same]
    other = several.errors.std[several.inside][nearest[same]]
    off = several.places[several.inside][nearest[same]] - one.places[one.inside][same]
    assert np.sqrt(np.mean((off / std[:, :2]) ** 2)) < 0.25
    assert 0.95 < np.median(other / std) < 1.05


def test_no_column_is_there_twice(several: Finding) -> None:
    assert not cKDTree(several.places).query_pairs(8.0)


def test_errors_at_seams_are_those_elsewhere(several: Finding) -> None:
    truth = crystal(_SIZE, seed=11)
    distance, nearest = cKDTree(truth.places).query(several.places)
    seams = np.array([side[0] for tile in several.scan.tiles for side in tile.core if np.isfinite(side[0])])
    at_seam = (np.abs(several.places[:, :, None] - seams) < 12).any(axis=(1, 2)) & several.inside & (distance < 6)
    z = (several.places - truth.places[nearest])[at_seam] / several.errors.std[at_seam, :2]
    assert at_seam.sum() > 40
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.2


def test_results_do_not_depend_on_threads(inputs: Inputs, image: np.ndarray, several: Finding) -> None:
    with pytest.MonkeyPatch.context() as patch, limit_threads(1):
        patch.setattr(tiles, "CORE", 128)
        alone = finding(inputs, image)
    assert isinstance(alone, Finding)
    first, second = alone.table(), several.table()
    for name in FIELDS:
        np.testing.assert_array_equal(first[name], second[name])


def test_images_are_made_tile_by_tile(inputs: Inputs, monkeypatch: pytest.MonkeyPatch, several: Finding) -> None:
    """Without an image no step sees more than a tile."""
    monkeypatch.setattr(tiles, "CORE", 128)
    found = find_columns(inputs)
    assert abs(len(found) - len(several.table())) <= 4


def test_one_fit_of_each_column_counts() -> None:
    """Three tiles meet; each column below is placed by two or three of them, in whatever core."""
    places = np.array(
        [[9.9, 5], [10.1, 5], [10.1, 25], [9.9, 25], [9.8, 9.9], [10.1, 9.8], [10.2, 10.1], [3, 3], [4, 3]]
    )
    number = np.array([0, 1, 0, 1, 0, 1, 2, 0, 0])
    owned = np.array([True, True, False, False, False, False, False, True, True])
    np.testing.assert_array_equal(
        once(places, number, owned, 3.0), [True, False, True, False, True, False, False, True, True]
    )
    owned[6] = True
    assert once(places, number, owned, 3.0)[4:7].tolist() == [False, False, True]


def test_a_fit_that_the_owner_refused_does_not_count() -> None:
    assert not once(np.array([[10.2, 5.0]]), np.array([0]), np.array([False]), 3.0).any()


def test_a_large_empty_scan_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "CORE", 64)
    table = find_columns(sparse_scan(np.full((160, 160), 0.4), seed=7))
    assert len(table) == 0
    assert table.note


def test_samples_between_pixels_are_divided_among_tiles() -> None:
    """Each lies in one tile without a margin, where it is as far from the tile's corner as from the grid's."""
    random = np.random.default_rng(3)
    places = random.uniform(-0.5, 63.5, (500, 2)).astype(np.float32)
    inputs = Inputs.from_samples(PlacedSamples.of(np.arange(500.0), places, (0, 200, 500), (64, 64)), 10.0)
    halves = (slice(0, 40), slice(40, 64))
    parts = {(a.start, b.start): inputs.part(a, b) for a in halves for b in halves}
    whole = {float(count): place for count, place in zip(np.arange(500.0), places, strict=True)}
    seen = 0
    for corner, part in parts.items():
        assert part.placed is not None
        first, _, last = part.placed.pass_starts
        assert (first, last) == (0, len(part.placed.electrons))
        for count, place in zip(part.placed.electrons, part.placed.positions, strict=True):
            np.testing.assert_allclose(place + np.array(corner), whole[float(count)], atol=1e-5)
            seen += 1
        assert part.whole.frames.sum() == part.placed.electrons.sum()
    assert seen == 500
