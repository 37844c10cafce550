"""PSNR and SSIM: values, invariances, and images that have no range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.errors import ReconError
from stemscan.recon.metrics import absolute_psnr, affine_fit, compare
from tests.recon.sampling_kit import lattice

TRUTH = lattice((40, 50)).astype(np.float64)
TRUTH = (TRUTH - TRUTH.min()) / np.ptp(TRUTH)
NOISY = TRUTH + 0.05 * np.random.default_rng(0).standard_normal(TRUTH.shape)


def test_values() -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    metrics = compare(NOISY, TRUTH)
    scaled = (NOISY - NOISY.min()) / np.ptp(NOISY)
    gain, offset = np.polyfit(NOISY.ravel(), TRUTH.ravel(), 1)
    assert metrics.psnr == pytest.approx(peak_signal_noise_ratio(TRUTH, NOISY, data_range=1))
    assert metrics.psnr_affine == pytest.approx(peak_signal_noise_ratio(TRUTH, gain * NOISY + offset, data_range=1))
    assert metrics.psnr_minmax == pytest.approx(peak_signal_noise_ratio(TRUTH, scaled, data_range=1))
    assert absolute_psnr(NOISY, TRUTH) == metrics.psnr
    assert metrics.ssim == pytest.approx(structural_similarity(TRUTH, NOISY, data_range=1))
    assert metrics.ssim_minmax == pytest.approx(structural_similarity(TRUTH, scaled, data_range=1))


def test_a_perfect_image() -> None:
    metrics = compare(TRUTH, TRUTH)
    assert (metrics.psnr, metrics.psnr_minmax) == (math.inf, math.inf)
    assert metrics.psnr_affine > 200
    assert [metrics.ssim, metrics.ssim_minmax] == pytest.approx([1, 1])
    assert metrics.to_dict()["psnr"] is None


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_affine_and_minmax_do_not_see_gain_and_offset(gain: float, offset: float) -> None:
    plain, scaled = compare(NOISY, TRUTH), compare(gain * NOISY + offset, TRUTH)
    assert scaled.psnr_affine == pytest.approx(plain.psnr_affine, abs=1e-6)
    assert scaled.psnr_minmax == pytest.approx(plain.psnr_minmax, abs=1e-6)
    assert scaled.ssim_minmax == pytest.approx(plain.ssim_minmax, abs=1e-6)
    assert scaled.psnr <= plain.psnr_affine + 1e-6


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_affine_does_not_depend_on_the_units_of_the_truth(gain: float, offset: float) -> None:
    assert compare(NOISY, gain * TRUTH + offset).psnr_affine == pytest.approx(
        compare(NOISY, TRUTH).psnr_affine, abs=1e-6
    )


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_no_gain_and_offset_are_better_than_the_fit(gain: float, offset: float) -> None:
    best = affine_fit(NOISY, TRUTH)
    error = np.mean((best[0] * NOISY + best[1] - TRUTH) ** 2)
    assert error <= np.mean((gain * NOISY + offset - TRUTH) ** 2) + 1e-12


@pytest.mark.parametrize("value", [0.0, 0.37, 0.1])
def test_a_constant_image(value: float) -> None:
    metrics = compare(np.full(TRUTH.shape, value, dtype=np.float32), TRUTH)
    best = compare(np.full(TRUTH.shape, TRUTH.mean()), TRUTH)
    assert metrics.psnr == pytest.approx(-10 * np.log10(np.mean((np.float32(value) - TRUTH) ** 2)))
    assert metrics.psnr_affine == pytest.approx(best.psnr)
    assert metrics.psnr_minmax == pytest.approx(metrics.psnr)
    assert 10 < best.psnr < 20


def test_a_constant_truth() -> None:
    metrics = compare(NOISY, np.full(TRUTH.shape, 0.5))
    assert np.isfinite(metrics.psnr)
    assert math.isnan(metrics.psnr_affine)
    assert math.isnan(metrics.psnr_minmax)
    assert math.isnan(metrics.ssim_minmax)
    assert metrics.to_dict()["psnr_affine"] is None


@pytest.mark.parametrize("shape", [(1, 30), (2, 9)])
def test_ssim_needs_three_pixels_each_way(shape: tuple[int, int]) -> None:
    metrics = compare(np.zeros(shape), np.eye(*shape))
    assert math.isnan(metrics.ssim)
    assert np.isfinite(metrics.psnr)


def test_ssim_of_a_small_image() -> None:
    assert compare(TRUTH[:4, :6], TRUTH[:4, :6]).ssim == pytest.approx(1)


def test_refuses() -> None:
    with pytest.raises(ReconError, match=r"truth's shape \(40, 50\), got \(40, 49\)"):
        compare(NOISY[:, :49], TRUTH)
    with pytest.raises(ReconError, match="image to be finite, got 1 pixel of"):
        compare(np.where(TRUTH.max() == TRUTH, np.nan, TRUTH), TRUTH)
    with pytest.raises(ReconError, match=r"image as \(rows, columns\), got shape \(2000,\)"):
        compare(NOISY.ravel(), TRUTH)
