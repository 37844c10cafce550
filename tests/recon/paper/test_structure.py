"""Equation 12."""

from __future__ import annotations

import numpy as np

from stemscan.recon.fshnet.fourier_masks import amplitude_mask, forward
from stemscan.recon.paper.structure import global_structure
from tests.recon.fshnet.fshnet_kit import coefficients_kept, lattice, sparse_scan


def test_lattice_is_found_in_a_sparse_scan() -> None:
    truth = lattice((240, 240))
    inputs = sparse_scan(truth, ratio=0.05)
    structure = global_structure(inputs.S, inputs.V, count=5)  # the mean and two pairs
    assert structure.dtype == np.float32
    assert np.abs(structure - truth).max() < 0.1


def test_strongest_are_taken_before_the_low_pass_not_after() -> None:
    y = np.arange(256)[:, None] * np.ones((1, 256))
    visits = np.ones(y.shape)
    strong_fast, weak_slow = np.cos(2 * np.pi * 60 / 256 * y), 0.1 * np.cos(2 * np.pi * 10 / 256 * y)
    image = 1.0 + strong_fast + weak_slow
    np.testing.assert_allclose(global_structure(image, visits, count=3), 1.0, atol=1e-5)
    np.testing.assert_allclose(global_structure(image, visits, count=5), 1.0 + weak_slow, atol=1e-5)


def test_real_part_keeps_dark_areas_dark() -> None:
    y = np.arange(64)[:, None] * np.ones((1, 64))
    wave = np.cos(2 * np.pi * 2 / 64 * y)
    np.testing.assert_allclose(global_structure(wave, np.ones(y.shape), count=2), wave, atol=1e-5)


def test_number_of_coefficients_is_the_papers() -> None:
    inputs = sparse_scan(lattice((128, 128)))
    mask = amplitude_mask(forward(inputs.S), inputs.shape, 200)
    assert coefficients_kept(mask, inputs.shape) == 200
