"""Equation 9: masks keep what they say, and stay masks of real images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import ReconError
from stemscan.recon.fshnet.fourier_masks import (
    amplitude_mask,
    apply_mask,
    forward,
    inverse,
    low_pass_mask,
)
from tests.recon.fshnet.fshnet_kit import coefficient_weights, coefficients_kept, uniform

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
seeds = st.integers(0, 1000)


def whole_plane(half: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The half plane and its mirror image, index by index."""
    height, width = shape
    plane = np.zeros(shape, dtype=half.dtype)
    for i in range(height):
        for j in range(width):
            held = j <= width // 2
            plane[i, j] = half[i, j] if held else half[-i % height, width - j]
    return plane


@settings(deadline=None)
@given(shapes, seeds)
def test_transform_is_undone_and_keeps_energy(shape: tuple[int, int], seed: int) -> None:
    image = uniform(seed, shape)
    spectrum = forward(image)
    np.testing.assert_allclose(inverse(spectrum, shape), image, atol=1e-12)
    energy = (np.abs(spectrum) ** 2 * coefficient_weights(shape)).sum() / image.size
    assert energy == pytest.approx((image**2).sum())


@settings(deadline=None)
@given(shapes, st.floats(0, 800))
def test_low_pass_mask_is_the_printed_condition_on_the_whole_plane(shape: tuple[int, int], radius: float) -> None:
    rows, columns = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    distance = np.hypot(rows[:, None], columns[None, :]) * 1024
    plane = whole_plane(low_pass_mask(shape, radius), shape)
    sure = np.abs(distance - radius) > 1e-6
    np.testing.assert_array_equal(plane[sure], (distance <= radius)[sure])


def test_rim_of_the_low_pass_is_kept_as_printed() -> None:
    mask = low_pass_mask((1024, 1024), 150)
    i, j = np.meshgrid(np.fft.fftfreq(1024, 1 / 1024), np.arange(513), indexing="ij")
    np.testing.assert_array_equal(mask, i**2 + j**2 <= 150**2)
    assert mask[90, 120]  # 90^2 + 120^2 = 150^2
    assert not mask[91, 120]


def test_radius_is_a_frequency_on_every_grid() -> None:
    mask = low_pass_mask((512, 2048), 100)
    assert mask[:, 0].sum() == 2 * 50 + 1
    assert mask[0].sum() == 200 + 1


@settings(deadline=None)
@given(shapes, seeds, st.floats(0, 800))
def test_low_pass_is_a_projection_onto_real_images(shape: tuple[int, int], seed: int, radius: float) -> None:
    mask = low_pass_mask(shape, radius)
    once = inverse(apply_mask(mask, forward(uniform(seed, shape))), shape)
    twice = inverse(apply_mask(mask, forward(once)), shape)
    np.testing.assert_allclose(twice, once, atol=1e-12)


@settings(deadline=None)
@given(shapes, seeds, st.integers(0, 700))
def test_amplitude_mask_keeps_exactly_the_strongest_in_pairs(shape: tuple[int, int], seed: int, count: int) -> None:
    image = uniform(seed, shape)
    spectrum = forward(image)
    mask = amplitude_mask(spectrum, shape, count)
    kept = coefficients_kept(mask, shape)
    plane = whole_plane(mask, shape)
    assert kept == plane.sum()
    np.testing.assert_array_equal(plane, plane[-np.arange(shape[0])][:, -np.arange(shape[1])])
    # one place stays empty only where all coefficients that are their own mirror images are taken
    alone = [
        (i, j) for i in {0, shape[0] // 2} for j in {0, shape[1] // 2} if 2 * i % shape[0] == 0 == 2 * j % shape[1]
    ]
    wanted = min(count, image.size)
    assert kept == wanted or (kept == wanted - 1 and all(plane[place] for place in alone))
    amplitude = np.abs(np.fft.fft2(image))
    paired = np.ones(shape, dtype=bool)
    for place in alone:
        paired[place] = False
    if (plane & paired).any() and (~plane & paired).any():
        assert amplitude[plane & paired].min() >= amplitude[~plane & paired].max() - 1e-9


@settings(deadline=None)
@given(shapes, seeds, st.integers(1, 100))
def test_amplitude_mask_is_idempotent(shape: tuple[int, int], seed: int, count: int) -> None:
    spectrum = forward(uniform(seed, shape))
    masked = apply_mask(amplitude_mask(spectrum, shape, count), spectrum)
    again = apply_mask(amplitude_mask(masked, shape, count), masked)
    np.testing.assert_array_equal(again, masked)


def test_product_keeps_single_precision() -> None:
    spectrum = forward(uniform(1, (8, 8)).astype(np.float32))
    masked = apply_mask(low_pass_mask((8, 8), 300), spectrum)
    assert masked.dtype == np.complex64
    assert inverse(masked, (8, 8)).dtype == np.float32


def test_settings_without_a_meaning_are_refused() -> None:
    with pytest.raises(ReconError, match="radius of at least 0, got -1"):
        low_pass_mask((8, 8), -1)
    with pytest.raises(ReconError, match="radius of at least 0, got nan"):
        low_pass_mask((8, 8), float("nan"))
    with pytest.raises(ReconError, match="number of coefficients of at least 0, got -3"):
        amplitude_mask(forward(np.ones((4, 4))), (4, 4), -3)
