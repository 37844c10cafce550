"""Coarse grids: centres in their places, constants and means kept, nothing lost below the band limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import ReconError
from stemscan.recon.inputs.grids import bin_mean, coarse_shape, upsample, upsample_linear

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
FACTORS = st.integers(1, 5)


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@given(SHAPES, FACTORS)
def test_constants_stay(shape: tuple[int, int], factor: int) -> None:
    coarse = np.full(coarse_shape(shape, factor), 0.7, dtype=np.float32)
    for function in (upsample, upsample_linear):
        fine = function(coarse, factor, shape)
        assert fine.shape == shape
        assert fine.dtype == np.float32
        np.testing.assert_allclose(fine, 0.7, rtol=1e-5)
    np.testing.assert_allclose(bin_mean(np.full(shape, 0.7, dtype=np.float32), factor), 0.7, rtol=1e-6)


@given(SHAPES, FACTORS)
def test_linear(shape: tuple[int, int], factor: int) -> None:
    a, b = noise(coarse_shape(shape, factor), 1), noise(coarse_shape(shape, factor), 2)
    for function in (upsample, upsample_linear):
        together = function(2 * a - b, factor, shape)
        np.testing.assert_allclose(together, 2 * function(a, factor, shape) - function(b, factor, shape), atol=2e-5)


@given(SHAPES, FACTORS)
def test_upsampling_keeps_the_mean(shape: tuple[int, int], factor: int) -> None:
    whole = shape[0] * factor, shape[1] * factor
    coarse = noise(shape)
    assert upsample(coarse, factor, whole).mean() == pytest.approx(coarse.mean(), abs=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_centres_are_in_their_places(factor: int) -> None:
    """A cosine that fits the frame comes out as the same cosine of the plan's coordinates."""
    shape = 24 * factor, 16 * factor
    row, column = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    wave = np.cos(np.pi * 5 * row / shape[0]) * np.cos(np.pi * 7 * column / shape[1])
    at_centres = np.cos(np.pi * 5 * (np.arange(24)[:, None] + 0.5) / 24) * np.cos(
        np.pi * 7 * (np.arange(16)[None, :] + 0.5) / 16
    )
    np.testing.assert_allclose(upsample(at_centres.astype(np.float32), factor, shape), wave, atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3])
def test_linear_interpolation_of_a_ramp(factor: int) -> None:
    ramp = np.arange(12 * factor, dtype=np.float32)[:, None] * np.ones((1, 5 * factor), dtype=np.float32)
    fine = upsample_linear(bin_mean(ramp, factor), factor, ramp.shape)
    inner = slice(factor, -factor)
    np.testing.assert_allclose(fine[inner], ramp[inner], rtol=1e-6)
    assert fine.min() >= 0
    assert fine.max() <= ramp.max()


def test_edges_that_do_not_fill_a_block() -> None:
    image = np.arange(15, dtype=np.float32).reshape(3, 5)
    np.testing.assert_allclose(bin_mean(image, 2), [[3, 5, 6.5], [10.5, 12.5, 14]])
    assert upsample(bin_mean(image, 2), 2, (3, 5)).shape == (3, 5)


def test_factor_one_is_the_image_itself() -> None:
    image = noise((5, 7))
    np.testing.assert_array_equal(upsample(image, 1, (5, 7)), image)
    np.testing.assert_array_equal(upsample_linear(image, 1, (5, 7)), image)
    np.testing.assert_array_equal(bin_mean(image, 1), image)


def test_refuses_an_image_that_does_not_cover_the_grid() -> None:
    with pytest.raises(ReconError, match=r"shape \(3, 4\) for a grid of \(5, 7\) at factor 2, got \(2, 4\)"):
        upsample(noise((2, 4)), 2, (5, 7))
