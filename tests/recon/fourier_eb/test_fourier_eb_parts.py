"""Operators and estimators of which Fourier empirical Bayes is made, each by its mathematical property."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.recon.fourier_eb.band_limit import find_band
from stemscan.recon.fourier_eb.conjugate_gradients import half_weights, inner, posterior_mean
from stemscan.recon.fourier_eb.domain import Axis, Domain, bin_sum, smooth_size
from stemscan.recon.fourier_eb.spectrum import SpectrumEstimator
from stemscan.recon.fourier_eb.uncertainty import standard_deviation
from stemscan.recon.fourier_eb.windows import WindowPrior, has_windows

Array = npt.NDArray[np.float64]

CPU = torch.device("cpu")
SHAPES = [(6, 8), (5, 7), (1, 9), (8, 1)]


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def half(image: torch.Tensor) -> torch.Tensor:
    spectrum: torch.Tensor = torch.fft.rfft2(image, norm="ortho")
    return spectrum


def power_of(spectrum: torch.Tensor) -> torch.Tensor:
    return spectrum.real**2 + spectrum.imag**2


@pytest.mark.parametrize("shape", SHAPES)
def test_inner_product_is_parsevals(shape: tuple[int, int]) -> None:
    a, b = noise(shape, 1), noise(shape, 2)
    assert inner(half(a), half(b), shape[1]) == pytest.approx(float((a * b).sum()), abs=1e-4)
    energy = float((power_of(half(a)) * half_weights(shape[1], CPU)).sum())
    assert energy == pytest.approx(float((a**2).sum()), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_posterior_mean_solves_the_dense_normal_equations(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    size = math.prod(shape)
    power = torch.from_numpy(rng.uniform(0.1, 5, (shape[0], shape[1] // 2 + 1)).astype(np.float32))
    kernel = torch.fft.irfft2(torch.complex(power, torch.zeros_like(power)), s=shape).numpy().astype(np.float64)
    rolled = [np.roll(kernel, (i, j), (0, 1)).ravel() for i in range(shape[0]) for j in range(shape[1])]
    covariance = (np.stack(rolled) + np.stack(rolled).T) / 2
    precision = rng.binomial(2, 0.5, size).astype(np.float64) * 3
    weighted = precision * rng.normal(size=size)
    dense = np.linalg.solve(np.eye(size) + covariance @ np.diag(precision), covariance @ weighted)
    # A half spectrum says everything about a real image only if its own mirror columns are symmetric.
    symmetric = torch.fft.rfft2(torch.from_numpy(covariance[0].reshape(shape).astype(np.float32))).real
    there = [torch.from_numpy(a.reshape(shape).astype(np.float32)) for a in (precision, weighted)]
    spectrum, data = posterior_mean(there[0], half(there[1]), symmetric, torch.zeros_like(half(there[0])), 200)
    image = torch.fft.irfft2(spectrum, s=shape, norm="ortho")
    np.testing.assert_allclose(image.numpy().ravel(), dense, atol=2e-4)
    np.testing.assert_allclose(data.numpy(), half(there[1] - there[0] * image).numpy(), atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_run_goes_on_where_the_first_one_ended(shape: tuple[int, int]) -> None:
    precision = torch.from_numpy(np.random.default_rng(5).binomial(3, 0.4, shape).astype(np.float32))
    weighted = precision * noise(shape, 6)
    first = torch.full((shape[0], shape[1] // 2 + 1), 4.0)
    second = first * 0.5
    estimate, left = posterior_mean(precision, half(weighted), first, torch.zeros_like(half(weighted)), 3)
    continued, _ = posterior_mean(precision, left, second, estimate, 200)
    afresh, _ = posterior_mean(precision, half(weighted), second, torch.zeros_like(estimate), 200)
    np.testing.assert_allclose(continued.numpy(), afresh.numpy(), atol=2e-4)


def test_coefficients_without_power_stay_zero() -> None:
    power = torch.ones(8, 5)
    power[3] = 0
    ones = torch.ones(8, 8)
    start = half(noise((8, 8), 1)) * (power > 0)
    left = half(noise((8, 8)) - torch.fft.irfft2(start, s=(8, 8), norm="ortho"))
    spectrum, _ = posterior_mean(ones, left, power, start, 5)
    assert bool((spectrum[3] == 0).all())
    assert bool((spectrum[2] != 0).any())


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 4]))
@settings(max_examples=40, deadline=None)
def test_binning_sums_blocks(rows: int, columns: int, factor: int) -> None:
    values = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    padded = np.pad(values, ((0, -rows % factor), (0, -columns % factor)))
    expected = padded.reshape(padded.shape[0] // factor, factor, -1, factor).sum((1, 3))
    np.testing.assert_array_equal(bin_sum(values, factor), expected)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_domains_hold_the_image_and_whole_strides(rows: int, columns: int, factor: int) -> None:
    domain = Domain.of((rows, columns), factor)
    assert domain.image_shape == (-(-rows // factor), -(-columns // factor))
    for axis in (domain.rows, domain.columns):
        assert axis.size > axis.length or axis.length == 1
        assert axis.size <= 1.4 * axis.length + 16
        assert smooth_size(axis.size) == axis.size
        assert axis.stride % 2 == 0
        assert axis.stride == 0 or axis.size % axis.stride == 0


def test_embedding_keeps_sums_and_leaves_the_margin_empty() -> None:
    domain = Domain.of((30, 50), 2)
    embedded = domain.embed(np.ones((30, 50), np.float32))
    assert embedded.shape == domain.shape
    assert embedded.sum() == 1500
    assert (embedded[:15, :25] == 4).all()


def small_domain() -> Domain:
    return Domain(1, Axis(16, 16, 4), Axis(16, 16, 4))


def matrix(prior: WindowPrior, side: int = 16) -> Array:
    units = torch.eye(side * side).reshape(-1, side, side)
    return np.stack([prior.apply(unit).numpy().ravel() for unit in units]).astype(np.float64)


def test_the_window_filter_is_symmetric_with_eigenvalues_between_0_and_1() -> None:
    filtered = matrix(WindowPrior(noise((16, 16)), 0.8, small_domain()))
    np.testing.assert_allclose(filtered, filtered.T, atol=1e-6)
    eigenvalues = np.linalg.eigvalsh((filtered + filtered.T) / 2)
    assert eigenvalues.min() > -1e-6
    assert eigenvalues.max() < 1


@pytest.mark.parametrize("shape", [(400, 200), (416, 48), (1, 400), (200, 200)])
def test_the_window_filter_is_the_identity_where_there_is_no_noise(shape: tuple[int, int]) -> None:
    domain = Domain.of(shape, 1)
    assert has_windows(domain)
    image = noise(domain.shape)
    out = WindowPrior(noise(domain.shape, 1) * 100, 1e-9, domain).apply(image)
    np.testing.assert_allclose(out.numpy(), image.numpy(), atol=2e-4)


def test_refinement_solves_the_dense_equations() -> None:
    rng = np.random.default_rng(5)
    level = 0.7
    prior = WindowPrior(noise((16, 16)) * 2, level, small_domain())
    filtered = matrix(prior)
    precision = rng.uniform(0, 3, 256)
    weighted = precision * rng.normal(size=256)
    inverse = np.linalg.inv((filtered + filtered.T) / 2)
    dense = np.linalg.solve((inverse - np.eye(256)) / level + np.diag(precision), weighted)
    there = [torch.from_numpy(a.reshape(16, 16).astype(np.float32)) for a in (precision, weighted)]
    refined = prior.refine(noise((16, 16), 9), there[0], there[1], 150)
    np.testing.assert_allclose(refined.numpy().ravel(), dense, atol=2e-3)


def test_noise_alone_has_next_to_no_power() -> None:
    estimator = SpectrumEstimator((128, 128), 0.5, CPU)
    power = estimator.power(power_of(half(noise((128, 128)))), 1.0)
    assert float(power.mean()) < 0.08


def test_a_peak_keeps_its_power_and_its_neighbours_get_none() -> None:
    estimator = SpectrumEstimator((128, 128), 0.5, CPU)
    wave = np.cos(2 * np.pi * (10 * np.arange(128)[:, None] + 20 * np.arange(128)) / 128)
    power = estimator.power(power_of(half(noise((128, 128)) + torch.from_numpy(wave.astype(np.float32)))), 1.0)
    assert float(power[10, 20]) == pytest.approx(128**2 / 4, rel=0.1)
    assert float(power[10, 24]) < 1


@pytest.mark.parametrize("shape", SHAPES)
def test_spectra_scale_with_the_noise_and_vanish_beyond_the_limit(shape: tuple[int, int]) -> None:
    estimator = SpectrumEstimator(shape, 0.3, CPU)
    periodogram = power_of(half(noise(shape) * 3))
    power = estimator.power(periodogram, 1.0)
    torch.testing.assert_close(estimator.power(periodogram * 4, 4.0), power * 4)
    rows, columns = np.abs(np.fft.fftfreq(shape[0])), np.fft.rfftfreq(shape[1])
    inside = np.hypot(rows[:, None], columns) <= 0.3
    assert bool((power[torch.from_numpy(~inside)] == 0).all())
    assert float(power[0, 0]) > 0


def test_the_noise_level_is_bounded_by_what_is_foreseen() -> None:
    estimator = SpectrumEstimator((128, 128), 0.5, CPU)
    periodogram = power_of(half(noise((128, 128))))
    assert estimator.noise_level(periodogram, 0.8) == pytest.approx(0.8)
    assert 1.0 < estimator.noise_level(periodogram, 1.25) < 1.25
    assert SpectrumEstimator((8, 8), 0.5, CPU).noise_level(power_of(half(noise((8, 8)))), 3.0) == 3.0


def sampled(signal: Array, seed: int = 0, ratio: float = 0.19) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    visits = (rng.random(signal.shape) < ratio).astype(np.float32)
    counts = rng.poisson(10 * signal * visits) / 10
    return torch.from_numpy(counts.astype(np.float32)), torch.from_numpy(visits)


def wave(frequency: float, side: int = 256, amplitude: float = 0.3) -> Array:
    row, column = np.mgrid[:side, :side]
    turn = 2 * np.pi * frequency
    image: Array = 0.5 + amplitude / 2 * (
        np.cos(turn * (0.8 * row + 0.6 * column)) + np.cos(turn * (0.6 * row - 0.8 * column))
    )
    return image


def test_a_flat_image_has_no_band() -> None:
    band = find_band(*sampled(np.full((256, 256), 0.5)), 0.5, 0.05)
    assert band.limit < 0.05
    assert band.factor == 4


@pytest.mark.parametrize(("frequency", "factors"), [(0.012, {4}), (0.05, {2}), (0.2, {2}), (0.29, {1}), (0.45, {1})])
def test_the_band_holds_the_lattice_on_the_coarsest_grid(frequency: float, factors: set[int]) -> None:
    band = find_band(*sampled(wave(frequency)), 0.5, 0.05)
    assert band.limit > frequency
    assert band.factor in factors


def test_variance_inside_bins_is_that_of_the_lattice() -> None:
    signal = wave(0.1)
    inside = signal.var() - signal.reshape(128, 2, 128, 2).mean((1, 3)).var()
    band = find_band(*sampled(signal), 0.5, 0.05)
    assert band.bin_variances[1] == 0
    assert band.bin_variances[2] == pytest.approx(inside, rel=0.1)


def test_uncertainty_of_uniform_sampling_is_the_posterior_variance() -> None:
    std = standard_deviation(torch.full((32, 17), 0.2), 0.5, 0.0, torch.full((32, 32), 2.0))
    np.testing.assert_allclose(std.numpy(), math.sqrt(0.2 * 0.5 / 0.7), rtol=1e-4)


def smooth_process() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.fft.fftfreq(64), torch.fft.rfftfreq(64), indexing="ij")
    power: torch.Tensor = 50 * torch.exp(-((rows**2 + columns**2) / 0.02))
    return power


def test_uncertainty_grows_where_it_is_bright_and_where_nobody_looked() -> None:
    power, precision = smooth_process(), torch.full((64, 64), 10.0)
    precision[:, 20:30] = 0
    precision[:, 45:55] = 2.5
    std = standard_deviation(power, 0.1, 0.0, precision).mean(0)
    assert std[25] > 4 * std[5]
    assert std[50] > 1.2 * std[5]


def test_uncertainty_in_a_hole_is_at_most_that_of_the_process() -> None:
    power, precision = smooth_process(), torch.full((64, 64), 10.0)
    precision[16:48, 16:48] = 0
    variance = float((power * half_weights(64, CPU)).sum()) / 64**2
    std = standard_deviation(power, 0.1, 0.0, precision)
    assert float(std[32, 32]) == pytest.approx(math.sqrt(variance), rel=0.12)
    assert float(std.max()) <= math.sqrt(variance) * 1.001


def test_a_lattice_bridges_a_hole() -> None:
    power = torch.zeros(64, 33)
    power[8, 4] = power[-8, 4] = power[0, 9] = 500.0
    precision = torch.full((64, 64), 10.0)
    precision[20:30, 20:30] = 0
    std = standard_deviation(power, 0.1, 0.0, precision)
    assert float(std[25, 25]) < 1.2 * float(std[5, 50])
