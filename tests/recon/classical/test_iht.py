"""Fourier iterative hard thresholding: sparse spectra come back, k is chosen on held-out samples alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.recon.classical.fourier_threshold import FourierThreshold, _strongest
from stemscan.recon.classical.iht import iht
from stemscan.recon.classical.normalised_convolution import normconv
from stemscan.recon.inputs.held_out import split_samples
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import exact, lattice, scan


def test_a_sparse_spectrum_comes_back_exactly() -> None:
    """On the torus itself, without the margin, a few cosines are found from a third of the pixels."""
    row, column = np.arange(60)[:, None], np.arange(64)[None, :]
    wave = np.cos(2 * np.pi * (7 * row / 60 + 5 * column / 64)) + 0.5 * np.sin(2 * np.pi * (3 * row / 60))
    visits = (np.random.default_rng(0).random(wave.shape) < 0.33).astype(np.float32)
    problem = FourierThreshold((wave * visits).astype(np.float32), visits, margin=False)
    spectrum = problem.iterate(problem.start(), 4, 100)
    assert np.count_nonzero(spectrum) == 3  # one pair in a column that holds both of a pair
    np.testing.assert_allclose(problem.image(spectrum), wave, atol=1e-3)


@pytest.mark.parametrize("shape", [(12, 10), (11, 10), (12, 9), (7, 5), (1, 12), (9, 1)])
def test_conjugate_pairs_are_kept_together(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    half = np.fft.rfft2(image).astype(np.complex64)
    for coefficients in (2, 6, 10, 1000):
        kept = half * _strongest(half, coefficients, shape[1])
        whole = np.fft.fft2(np.fft.irfft2(kept, s=shape))
        present = np.abs(whole) > 1e-4
        mirrored = present[np.ix_(-np.arange(shape[0]) % shape[0], -np.arange(shape[1]) % shape[1])]
        np.testing.assert_array_equal(present, mirrored)
        assert present.sum() <= coefficients
        np.testing.assert_allclose(whole[present], np.fft.fft2(image)[present], atol=1e-4)


def test_beats_normalised_convolution_on_a_lattice() -> None:
    signal = lattice((160, 160), period=14)
    for dose in (10.0, 50.0):
        inputs = scan(signal, dose=dose)
        assert compare(iht(inputs).image, signal).psnr > compare(normconv(inputs).image, signal).psnr + 2


def test_the_chosen_number_is_nearly_the_best() -> None:
    signal = lattice((120, 128), period=14)
    inputs = scan(signal, ratio=0.1)
    chosen = iht(inputs)
    number = chosen.settings["coefficients"]
    assert chosen.settings["coefficients_chosen"] is True
    best = max(compare(iht(inputs, coefficients=k).image, signal).psnr for k in (8, 16, 32, 64, 128, 256))
    assert compare(chosen.image, signal).psnr > best - 0.7
    assert 2 < number < 600
    given = iht(inputs, coefficients=number)
    assert given.settings["held_out_error"] is None
    assert compare(given.image, chosen.image).psnr > 28


def test_the_held_out_error_is_that_of_the_image_and_the_noise() -> None:
    signal = lattice((256, 256), period=14)
    settings = iht(scan(signal)).settings
    noise = float(signal.mean()) / 10
    assert noise < settings["held_out_error"] < 1.2 * noise
    assert settings["held_out_error_of_mean"] == pytest.approx(noise + float(signal.var()), rel=0.15)


def test_noise_alone_gives_the_mean() -> None:
    inputs = scan(np.full((128, 128), 0.5, dtype=np.float32))
    estimate = iht(inputs)
    assert estimate.settings["coefficients"] == 0
    np.testing.assert_allclose(estimate.image, inputs.mean, rtol=1e-6)


def test_parts_add_up_and_hold_a_tenth() -> None:
    inputs = scan(lattice((64, 80)), passes=3, ratio=0.3)
    split = split_samples(inputs, 0.1)
    np.testing.assert_array_equal(split.kept_visits + split.held_visits, inputs.V)
    np.testing.assert_allclose(split.kept_sum + split.held_sum, inputs.S, atol=1e-5)
    assert 0.08 < split.held_visits.sum() / inputs.samples < 0.12
    assert (split.held_sum[split.held_visits == 0] == 0).all()
    assert not np.array_equal(split.held_visits, split_samples(inputs, 0.1, seed=1).held_visits)


def test_never_looks_at_the_truth_and_does_not_depend_on_threads() -> None:
    inputs = scan(lattice((96, 100)))
    made = reconstruct(inputs, "iht", threads=2)
    blind = reconstruct(replace(inputs, truth=None), "iht", threads=1)
    np.testing.assert_array_equal(made.image, blind.image)
    assert made.settings == blind.settings


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 3), (37, 1)])
def test_small_grids_and_few_samples(shape: tuple[int, int]) -> None:
    inputs = exact(np.full(shape, 0.3, dtype=np.float32), ratio=0.01)
    np.testing.assert_allclose(iht(inputs).image, 0.3, rtol=1e-4)
    np.testing.assert_allclose(iht(inputs, coefficients=min(4, inputs.V.size)).image, 0.3, rtol=1e-4)


@pytest.mark.parametrize(("shape", "passes"), [((93, 131), 1), ((93, 131), 3), ((64, 96), 4), ((1, 300), 16)])
def test_every_kind_of_scan(shape: tuple[int, int], passes: int) -> None:
    inputs = scan(lattice(shape), passes=passes)
    made = reconstruct(inputs, "iht")
    assert made.image.shape == shape
    assert np.isfinite(made.image).all()
    assert made.image.mean() == pytest.approx(inputs.mean, abs=0.12)


def test_signed_values_stay_signed() -> None:
    inputs = scan(lattice((64, 64)))
    signed = Inputs(inputs.frames - 5 * inputs.visits, inputs.visits, 10.0)
    assert iht(signed, coefficients=16).image.min() < -0.2
    assert iht(inputs, coefficients=16).image.min() >= 0


@pytest.mark.parametrize("setting", ["coefficients", "seed"])
def test_refuses(setting: str) -> None:
    with pytest.raises(UsageError, match=f"{setting} of at least 0, got -1"):
        iht(scan(lattice((8, 8))), **{setting: -1})
