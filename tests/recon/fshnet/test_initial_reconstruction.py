"""Equations 10 and 11."""

from __future__ import annotations

import numpy as np

from stemscan.recon.fshnet.initial_reconstruction import initial_reconstruction, low_pass
from tests.recon.fshnet.fshnet_kit import lattice, sparse_scan, uniform


def test_low_pass_of_a_full_scan_is_the_signal() -> None:
    truth = lattice((96, 60))
    np.testing.assert_allclose(low_pass(3 * truth, np.full(truth.shape, 3)), truth, atol=1e-5)


def test_result_is_on_the_absolute_scale_however_sparse() -> None:
    inputs = sparse_scan(lattice((128, 128)), passes=16, ratio=0.05)
    image = low_pass(inputs.S, inputs.V)
    assert image.dtype == np.float32
    assert abs(image.mean() - inputs.S.sum() / inputs.V.sum()) < 1e-5


def test_measured_pixels_are_averaged_and_others_left_alone() -> None:
    inputs = sparse_scan(lattice((64, 64)))
    filtered, image = low_pass(inputs.S, inputs.V), initial_reconstruction(inputs.S, inputs.V)
    visited = inputs.V > 0
    np.testing.assert_array_equal(image[~visited], filtered[~visited])
    expected = (filtered[visited] + inputs.S[visited] / inputs.V[visited]) / 2
    np.testing.assert_allclose(image[visited], expected, rtol=1e-5, atol=1e-6)


def test_no_electron_is_a_measurement_too() -> None:
    visits = np.zeros((32, 32))
    visits[::3, ::2] = 1
    summed = visits * uniform(3, (32, 32))
    summed[6, 4] = 0.0
    filtered, image = low_pass(summed, visits), initial_reconstruction(summed, visits)
    assert filtered[6, 4] != 0
    assert np.isclose(image[6, 4], filtered[6, 4] / 2)


def test_band_limit_scales_with_the_grid() -> None:
    y = np.arange(256)[:, None] * np.ones((1, 96))
    visits = np.ones(y.shape)
    inside, outside = np.cos(2 * np.pi * 37 / 256 * y), np.cos(2 * np.pi * 38 / 256 * y)  # 150 / 1024 = 37.5 / 256
    np.testing.assert_allclose(low_pass(inside, visits), inside, atol=1e-6)
    np.testing.assert_allclose(low_pass(outside, visits), 0, atol=1e-6)
