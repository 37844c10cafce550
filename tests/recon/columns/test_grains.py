"""Two grains: columns belong to the lattice on whose sites they stand, and no site is empty where a column stands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stemscan.recon.columns.find import finding, pilot_image
from stemscan.recon.columns.finding import Finding
from stemscan.recon.columns.image import drawn_columns, paint
from stemscan.recon.columns.lattice import find_lattices
from stemscan.recon.columns.sites import predict
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.types import Floats
from tests.recon.columns.columns_kit import Crystal, render, sparse_scan

_CELL = 24.0


def bicrystal(size: int = 256, turn: float = 14.0) -> Floats:
    """Places of two square lattices, the one right of the middle turned by so many degrees."""
    index = np.stack(np.meshgrid(np.arange(-30, 30), np.arange(-30, 30), indexing="ij"), axis=-1).reshape(-1, 2)
    grains = []
    for angle, left in ((0.0, True), (np.deg2rad(turn), False)):
        cell = _CELL * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        places = index @ cell + size / 2
        within = (places[:, 1] < size / 2 - 5) if left else (places[:, 1] > size / 2 + 5)
        grains.append(places[within & ((places > -30) & (places < size + 29)).all(axis=1)])
    far = cKDTree(grains[0]).query(grains[1])[0] > _CELL / 2
    return np.concatenate([grains[0], grains[1][far]])


@pytest.fixture(scope="module")
def scanned() -> tuple[Floats, Inputs]:
    """The signal of a bicrystal, and a scan of it."""
    places = bicrystal()
    count = len(places)
    truth = Crystal(places, places, np.full(count, 0.8), np.zeros(count, np.int64), np.zeros(count, bool), (256, 256))
    signal = render(truth, sigma=4.0)
    return signal, sparse_scan(signal, seed=5)


def found_from(inputs: Inputs, seed: int, relative: float) -> Finding:
    """Columns found from a first image to which noise of so large a share is added."""
    image = pilot_image(inputs)
    noise = np.random.default_rng(seed).normal(size=image.shape)
    found = finding(inputs, (image * (1 + relative * noise)).astype(np.float32))
    assert isinstance(found, Finding)
    return found


@pytest.mark.parametrize("turn", [6.0, 14.0, 30.0])
def test_members_stand_at_their_sites(turn: float) -> None:
    places = bicrystal(400, turn) + np.random.default_rng(3).normal(0, 0.3, bicrystal(400, turn).shape)
    lattices = find_lattices(places, np.ones(len(places)), np.full(len(places), 0.05))
    assert sum(len(lattice.members) for lattice in lattices) > 0.9 * len(places)
    for lattice in lattices:
        off = places[lattice.members] - predict(lattice, places, lattice.indices).places
        assert np.hypot(*off.T).max() < 0.35 * _CELL


def test_no_site_is_empty_where_a_column_stands(scanned: tuple[Floats, Inputs]) -> None:
    found = found_from(scanned[1], 0, 0.0)
    empty = np.stack([found.empty["row"], found.empty["col"]], axis=1)
    if len(empty):
        assert cKDTree(found.places).query(empty)[0].min() > found.model.profiles[0].sigma
    assert compare(paint(found, drawn_columns(found))[0], scanned[0]).psnr > 35


def test_last_bits_of_the_first_image_decide_nothing(scanned: tuple[Floats, Inputs]) -> None:
    """Those of the counts' image differ with threads and versions of torch; the columns do not."""
    first, second = (found_from(scanned[1], seed, 1e-7) for seed in (1, 2))
    assert len(first.places) == len(second.places)
    assert [len(one.members) for one in first.lattices] == [len(one.members) for one in second.lattices]
    images = [paint(one, drawn_columns(one))[0] for one in (first, second)]
    assert np.sqrt(np.mean((images[0] - images[1]) ** 2)) < 1e-3
