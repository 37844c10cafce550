"""Gaussian normalised convolution: the formula, the width that samples choose, the standard deviation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import UsageError
from stemscan.recon.classical.left_out import LeftOut, gaussian_weights
from stemscan.recon.classical.normalised_convolution import normconv
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import compare
from stemscan.recon.threads import limit_threads
from tests.recon.sampling_kit import exact, lattice, scan


def test_is_the_formula() -> None:
    inputs = scan(lattice((30, 41)), ratio=0.2)
    image = normconv(inputs, width=1.7).image
    weights = gaussian_weights(1.7)
    radius = len(weights) // 2
    visited = np.argwhere(inputs.V > 0)
    for row, column in ((0, 0), (15, 20), (29, 40), (7, 3)):
        total = weight = 0.0
        for r, c in visited:
            if abs(r - row) <= radius and abs(c - column) <= radius:
                w = weights[r - row + radius] * weights[c - column + radius]
                total, weight = total + w * inputs.S[r, c], weight + w * inputs.V[r, c]
        assert image[row, column] == pytest.approx(total / weight, rel=2e-4)


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 30), st.integers(1, 30)), st.floats(0.1, 9), st.integers(0, 2**32 - 1))
def test_constants_stay_and_nothing_leaves_the_range(shape: tuple[int, int], width: float, seed: int) -> None:
    flat = normconv(exact(np.full(shape, 0.4, dtype=np.float32), ratio=0.05, seed=seed), width=width)
    np.testing.assert_allclose(flat.image, 0.4, rtol=1e-4)
    inputs = exact(np.random.default_rng(seed).random(shape, dtype=np.float32), ratio=0.1, seed=seed)
    estimate = normconv(inputs, width=width)
    means = inputs.S[inputs.V > 0] / inputs.V[inputs.V > 0]
    assert estimate.image.min() >= means.min() - 1e-4
    assert estimate.image.max() <= means.max() + 1e-4
    assert estimate.std is not None
    assert np.isfinite(estimate.std).all()


def test_is_linear_in_the_counts() -> None:
    inputs = scan(lattice((40, 40)), ratio=0.2)
    doubled = Inputs.from_arrays(2 * inputs.frames, inputs.visits, inputs.electrons_per_sample)
    np.testing.assert_allclose(normconv(doubled, width=2.0).image, 2 * normconv(inputs, width=2.0).image, rtol=1e-5)


def test_a_narrow_gaussian_keeps_samples_and_gives_the_mean_elsewhere() -> None:
    inputs = scan(lattice((40, 40)), ratio=0.05)
    image = normconv(inputs, width=0.1).image
    visited = inputs.V > 0
    np.testing.assert_allclose(image[visited], inputs.S[visited] / inputs.V[visited], atol=2e-5)
    np.testing.assert_allclose(image[~visited], inputs.mean, rtol=1e-5)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
@pytest.mark.parametrize(("passes", "ratio", "dose"), [(4, 3 / 64, 10.0), (1, 1.0, 2.0), (16, 3 / 64, 10.0)])
def test_the_chosen_width_is_nearly_the_best(noise: str, passes: int, ratio: float, dose: float) -> None:
    signal = lattice((256, 256), period=14)
    inputs = scan(signal, passes=passes, ratio=ratio, dose=dose, noise=noise)
    chosen = normconv(inputs)
    best = max(compare(normconv(inputs, width=width).image, signal).psnr for width in np.geomspace(0.5, 12, 24))
    assert chosen.settings["width_chosen"] is True
    assert compare(chosen.image, signal).psnr > best - 0.1


def test_good_samples_of_every_pixel_ask_for_a_narrow_gaussian() -> None:
    """Another pass over the same pixel predicts it better than its neighbours do."""
    signal = np.random.default_rng(0).random((96, 96), dtype=np.float32)
    assert LeftOut(scan(signal, passes=4, ratio=1.0, dose=500.0)).best_width() < 0.4
    assert LeftOut(scan(signal, passes=4, ratio=1.0, dose=0.05)).best_width() > 2


def test_predictions_leave_the_sample_out() -> None:
    inputs = scan(lattice((48, 52)), passes=3, ratio=0.3, dose=20.0)
    left_out = LeftOut(inputs)
    for width in (0.8, 3.0):
        predicted = left_out._predict(width)
        for k in (0, 5, 77):
            row, column = divmod(int(left_out._pixels[k]), 52)
            matches = [
                t
                for t in range(3)
                if inputs.visits[t, row, column] and inputs.frames[t, row, column] / 20 == left_out._signal[k]
            ]
            frames, visits = inputs.frames.copy(), inputs.visits.copy()
            frames[matches[0], row, column] = visits[matches[0], row, column] = 0
            others = normconv(Inputs.from_arrays(frames, visits, 20.0), width=width).image[row, column]
            assert predicted[k] == pytest.approx(others, rel=1e-3, abs=1e-6)


def test_does_not_depend_on_threads_or_on_the_split_into_passes() -> None:
    inputs = scan(lattice((128, 128)), passes=4)
    whole = normconv(inputs)
    with limit_threads(1):
        alone = normconv(inputs)
    np.testing.assert_array_equal(whole.image, alone.image)
    assert whole.settings == alone.settings
    again = normconv(scan(lattice((128, 128)), passes=4))
    np.testing.assert_array_equal(whole.image, again.image)


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
@pytest.mark.parametrize(("passes", "ratio", "dose"), [(4, 3 / 64, 10.0), (1, 1.0, 2.0), (4, 3 / 64, 1.0)])
def test_standard_deviation_is_of_the_size_of_the_errors(noise: str, passes: int, ratio: float, dose: float) -> None:
    signal = lattice((256, 256), period=24)
    estimate = normconv(scan(signal, passes=passes, ratio=ratio, dose=dose, noise=noise))
    assert estimate.std is not None
    error = np.abs(estimate.image - signal)
    assert 0.8 < np.mean(error**2) / np.mean(estimate.std**2) < 1.25
    assert 0.55 < (error < estimate.std).mean() < 0.9
    assert (error < 2 * estimate.std).mean() > 0.9


def test_far_from_all_samples_the_standard_deviation_is_that_of_the_signal() -> None:
    signal = lattice((200, 400))
    inputs = scan(signal, ratio=0.2, dose=50.0)
    frames, visits = inputs.frames.copy(), inputs.visits.copy()
    frames[:, :, 200:] = visits[:, :, 200:] = 0
    estimate = normconv(Inputs.from_arrays(frames, visits, 50.0))
    assert estimate.std is not None
    np.testing.assert_allclose(estimate.image[:, 300:], frames.sum() / 50 / visits.sum(), rtol=1e-4)
    assert estimate.std[:, 300:].mean() == pytest.approx(signal.std(), rel=0.15)
    assert estimate.std[:, :190].mean() < 0.3 * signal.std()


@pytest.mark.parametrize("noise", ["poisson", "eq5"])
@pytest.mark.parametrize("counts", [[3.0], [3.0, 3.0, 3.0, 3.0]])
def test_far_from_a_few_equal_samples_nothing_is_certain(noise: str, counts: list[float]) -> None:
    visits = np.zeros((1, 64, 64), dtype=np.int64)
    visits[0, 32, 30 : 30 + len(counts)] = 1
    frames = np.zeros(visits.shape)
    frames[visits > 0] = counts
    made = normconv(Inputs.from_arrays(frames, visits, 10.0, noise=noise), width=1.0)
    assert made.std is not None
    mean_sd = (0.3 if noise == "eq5" else 0.3**0.5) / (10.0 * len(counts)) ** 0.5
    assert 0.99 * mean_sd < made.std[0, 0] < 1.1 * mean_sd


def test_nothing_counted() -> None:
    inputs = Inputs.from_arrays(np.zeros((2, 20, 20)), np.ones((2, 20, 20), dtype=int), 10.0)
    estimate = normconv(inputs)
    assert not estimate.image.any()
    assert estimate.std is not None
    assert (estimate.std > 0).all()


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_width(width: float) -> None:
    with pytest.raises(UsageError, match="width above 0 pixels"):
        normconv(scan(lattice((8, 8))), width=width)
