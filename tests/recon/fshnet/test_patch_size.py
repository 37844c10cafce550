"""Equation 14."""

from __future__ import annotations

import numpy as np
import pytest

from stemscan.errors import ReconError
from stemscan.recon.fshnet.patch_size import patch_size, strongest_peaks
from tests.recon.fshnet.fshnet_kit import lattice, sparse_scan, uniform


def waves(shape: tuple[int, int], *frequencies: tuple[float, float]) -> np.ndarray:
    y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    total: np.ndarray = np.sum(
        [np.cos(2 * np.pi * (i * y / shape[0] + j * x / shape[1])) for i, j in frequencies], axis=0
    )
    return total


@pytest.mark.parametrize(("period", "factor", "expected"), [(24, 1, 24), (24, 2, 12), (40, 2, 20), (21, 1, 24)])
def test_size_is_the_period_rounded_up_to_four(period: int, factor: int, expected: int) -> None:
    inputs = sparse_scan(lattice((period * 8, period * 8), period), ratio=0.05)
    assert patch_size(inputs.S, inputs.V, factor=factor) == expected


def test_largest_component_of_the_papers_figure_counts() -> None:
    image = np.sin(2 * np.pi * (24 * np.arange(512)[:, None] + 16 * np.arange(512)[None, :]) / 512)
    peaks = strongest_peaks(image, np.ones(image.shape))
    np.testing.assert_allclose(np.abs(peaks), [[24 / 512, 16 / 512]])
    assert patch_size(image, np.ones(image.shape)) == 24  # 512 / 24 = 21.3


def test_size_is_held_between_eight_and_thirty_two() -> None:
    coarse, fine = waves((256, 256), (2, 0)), waves((256, 256), (0, 24))
    ones = np.ones((256, 256))
    assert patch_size(coarse, ones) == 32
    assert patch_size(fine, ones, factor=2) == 8


def test_noise_alone_has_no_peaks() -> None:
    for seed in range(5):
        noise = uniform(seed, (128, 128)).astype(np.float32)
        assert len(strongest_peaks(noise, np.ones(noise.shape))) == 0
    assert patch_size(noise, np.ones(noise.shape)) == 16


def test_pattern_of_visits_is_no_lattice() -> None:
    visits = np.zeros((128, 128))
    visits[::16] = 1
    assert len(strongest_peaks(0.5 * visits, visits)) == 0


def test_mirror_images_count_once_in_every_column() -> None:
    shape = (64, 64)
    peaks = strongest_peaks(waves(shape, (4, 0), (0, 5), (3, 4), (-3, 4)), np.ones(shape), radius=200)
    found = {tuple(np.round(np.abs(peak) * 64).astype(int)) for peak in peaks}
    assert len(peaks) == 4
    assert found == {(4, 0), (0, 5), (3, 4)}


def test_strongest_come_first_and_no_more_than_asked_for() -> None:
    shape = (128, 128)
    image = waves(shape, (4, 0)) + 3 * waves(shape, (0, 8)) + 2 * waves(shape, (6, 6))
    peaks = strongest_peaks(image, np.ones(shape), count=2)
    np.testing.assert_allclose(np.abs(peaks) * 128, [[0, 8], [6, 6]])


def test_search_ends_at_the_radius() -> None:
    shape = (256, 256)
    image = waves(shape, (30, 0)) + waves(shape, (8, 0))  # 30 / 256 = 120 / 1024
    np.testing.assert_allclose(np.abs(strongest_peaks(image, np.ones(shape))), [[8 / 256, 0]])
    with pytest.raises(ReconError, match="radius"):
        strongest_peaks(image, np.ones(shape), radius=-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 40), (7, 7)])
def test_smallest_grids_have_a_size_too(shape: tuple[int, int]) -> None:
    assert 8 <= patch_size(uniform(1, shape), np.ones(shape)) <= 32
