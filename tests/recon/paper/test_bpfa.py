"""Beta-process factor analysis: its draws against plain formulas, what it restores, and that threads do not matter."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stemscan.errors import UsageError
from stemscan.recon.classical.interpolation import nearest
from stemscan.recon.classical.normalised_convolution import normconv
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.metrics import absolute_psnr
from stemscan.recon.paper.bpfa.atoms import _factorise, _solve_lower, _solve_upper, draw_atoms
from stemscan.recon.paper.bpfa.gibbs import cosine_atoms
from stemscan.recon.paper.bpfa.method import _stride, bpfa
from stemscan.recon.paper.bpfa.patches import Coefficients, Patches, render
from stemscan.recon.paper.bpfa.usage import draw_usage
from stemscan.recon.run import reconstruct
from tests.recon.sampling_kit import exact, scan

Image = npt.NDArray[np.float32]
SEED = np.uint64(3)


@cache
def texture(size: int = 64) -> Image:
    """Stripes of two directions with a sharp boundary between them, signal in [0, 1]."""
    row, column = np.arange(size)[:, None], np.arange(size)[None, :]
    left = np.sign(np.sin(2 * np.pi * (row + 2 * column) / 14.3))
    right = np.sin(2 * np.pi * (2 * row - column) / 13.1)
    image: Image = (0.5 + 0.4 * np.where(column < size / 2 + row / 4, left, right)).astype(np.float32)
    return image


def patches_of(visits: Image, patch: int = 4, stride: int = 1) -> Patches:
    """Random values on a grid."""
    values = np.random.default_rng(5).standard_normal(visits.shape).astype(np.float32)
    return Patches.of(np.where(visits > 0, values, np.float32(0.0)), visits, patch, stride)


# ---------------------------------------------------------------------- the draws


def test_usage_and_weight_of_one_atom_follow_their_posterior() -> None:
    """One atom, many patches with the same values: how many use it, and mean and variance of its weight."""
    visits = np.array([[1, 0, 3], [0, 2, 1]], dtype=np.float32)
    one = patches_of(visits)
    patches = Patches.of(np.tile(one.values, (150, 100)), np.tile(visits, (150, 100)), 3, 3)
    patches = patches._replace(tops=np.arange(0, 300, 2, dtype=np.int32), rows=2)
    atoms = np.array([[0.5], [0.1], [-0.4], [0.2], [0.6], [-0.3]], dtype=np.float32)
    prior, weight_precision, noise_precision = 0.2, 0.7, 1.5
    v, d, y = visits.ravel(), atoms[:, 0], one.values.ravel()
    precision = noise_precision * float((v * d * d).sum()) + weight_precision
    evidence = noise_precision * float((v * d * y).sum())
    odds = prior / (1 - prior) * (weight_precision / precision) ** 0.5 * np.exp(evidence**2 / precision / 2)
    coefficients = Coefficients.none(patches.number, 1)
    prior_odds = np.array([prior / (1 - prior)], dtype=np.float32)
    for sweep in range(2):  # the second starts from the first, which must not matter
        draw_usage(patches, coefficients, atoms, prior_odds, weight_precision, noise_precision, SEED, sweep)
        drawn = coefficients.amounts[coefficients.counts == 1, 0]
        assert patches.number == 15000
        assert len(drawn) / 15000 == pytest.approx(odds / (1 + odds), abs=0.014)
        assert np.mean(drawn) == pytest.approx(evidence / precision, abs=4 * (precision * len(drawn)) ** -0.5)
        assert np.var(drawn) == pytest.approx(1 / precision, rel=0.1)


def test_atoms_follow_their_posterior() -> None:
    """Given all coefficients, each pixel of the dictionary is Gaussian with a mean and covariance that are known."""
    rng = np.random.default_rng(0)
    visits = rng.integers(0, 3, (7, 6)).astype(np.float32)
    patches = patches_of(visits, patch=2, stride=2)
    coefficients = Coefficients.none(patches.number, 3)
    dense = np.zeros((patches.number, 3))
    for number in range(patches.number):
        used = np.flatnonzero(rng.random(3) < 0.7)
        coefficients.counts[number] = len(used)
        coefficients.used[number, : len(used)] = used
        coefficients.amounts[number, : len(used)] = dense[number, used] = rng.standard_normal(len(used))
    drawn = np.empty((2000, 4, 3), dtype=np.float32)
    for sweep in range(2000):
        draw_atoms(patches, coefficients, drawn[sweep], 2.0, SEED, sweep)
    for p, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        at = np.ix_(patches.tops + row, patches.lefts + column)
        weight, value = 2.0 * visits[at].ravel(), patches.values[at].ravel()
        covariance = np.linalg.inv(4 * np.eye(3) + (dense * weight[:, None]).T @ dense)
        np.testing.assert_allclose(drawn[:, p].mean(axis=0), covariance @ (dense.T @ (weight * value)), atol=0.04)
        np.testing.assert_allclose(np.cov(drawn[:, p].T), covariance, atol=0.03)


def test_cholesky_solves() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((9, 9))
    matrix, right = root @ root.T + np.eye(9), rng.standard_normal(9)
    solution, factor = right.copy(), np.tril(matrix)
    _factorise(factor)
    _solve_lower(factor, solution)
    _solve_upper(factor, solution)
    np.testing.assert_allclose(matrix @ solution, right, atol=1e-10)


def test_the_image_is_the_mean_of_patches_with_samples() -> None:
    visits = np.zeros((9, 11), dtype=np.float32)
    visits[1, 2] = visits[6, 8] = 1
    patches = patches_of(visits, patch=4, stride=3)
    coefficients = Coefficients.none(patches.number, 2)
    coefficients.counts[:] = 1
    coefficients.used[:, 0] = np.arange(patches.number) % 2
    coefficients.amounts[:, 0] = np.arange(patches.number) + 1
    atoms = cosine_atoms(4, 4, 2)
    total, covering, seen = np.zeros((9, 11)), np.zeros((9, 11)), np.zeros(patches.number, dtype=np.bool_)
    for number in range(patches.number):
        top, left = divmod(number, len(patches.lefts))
        window = np.s_[patches.tops[top] : patches.tops[top] + 4, patches.lefts[left] : patches.lefts[left] + 4]
        if visits[window].any():
            seen[number] = True
            total[window] += (number + 1) * atoms[:, number % 2].reshape(4, 4)
            covering[window] += 1
    image = np.zeros((9, 11), dtype=np.float32)
    render(patches, coefficients, np.ascontiguousarray(atoms.T), seen, image)
    np.testing.assert_allclose(image, total / np.maximum(covering, 1), rtol=1e-5, atol=1e-6)
    assert (covering == 0).any()


def test_patches_reach_every_edge() -> None:
    patches = Patches.of(np.zeros((21, 5), np.float32), np.ones((21, 5), np.float32), 8, 4)
    assert patches.tops.tolist() == [0, 4, 8, 12, 13]
    assert (patches.lefts.tolist(), patches.rows, patches.columns) == ([0], 8, 5)


def test_the_stride_keeps_the_number_of_patches() -> None:
    assert [_stride((size, size), 8) for size in (64, 512, 1024, 2048, 8192)] == [1, 1, 2, 4, 4]


# ---------------------------------------------------------------------- the method


def test_denoises() -> None:
    signal = texture()
    inputs = scan(signal, passes=1, ratio=1.1, dose=20.0)
    made = bpfa(inputs, sweeps=12, averaged=4, factor=1)
    noisy = absolute_psnr(inputs.S / inputs.V, signal)
    assert absolute_psnr(made.image, signal) > max(noisy + 6, absolute_psnr(normconv(inputs).image, signal) + 3)
    assert made.settings["noise_sd"] == pytest.approx((float(signal.mean()) / 20) ** 0.5, rel=0.15)


def test_inpaints() -> None:
    signal = texture()
    inputs = exact(signal, passes=1, ratio=0.5)
    made = bpfa(inputs, sweeps=16, averaged=4, factor=1)
    others = max(absolute_psnr(method(inputs).image, signal) for method in (nearest, normconv))
    assert absolute_psnr(made.image, signal) > others + 3


def test_is_determined_by_its_seed_and_not_by_threads() -> None:
    inputs = scan(texture(), ratio=0.1)
    settings: dict[str, Any] = {"sweeps": 3, "averaged": 2, "factor": 1}
    made = reconstruct(inputs, "bpfa", threads=2, **settings)
    alone = reconstruct(inputs, "bpfa", threads=1, **settings)
    np.testing.assert_array_equal(made.image, alone.image)
    assert made.settings == alone.settings
    assert not np.array_equal(made.image, reconstruct(inputs, "bpfa", seed=1, **settings).image)


def test_many_visits_count_as_much_as_one_of_their_mean_would_with_less_noise() -> None:
    """The same mean of a pixel pulls the image harder the more often it was visited."""
    signal = np.full((24, 24), 0.5, dtype=np.float32)
    once = scan(signal, passes=1, ratio=1.1, dose=10.0)
    errors = []
    for number in (1, 400):
        visits = np.ones((1, 24, 24), dtype=np.uint16)
        visits[0, 12, 12] = number
        frames = once.frames.copy()
        frames[0, 12, 12] = 9.0 * number
        image = bpfa(Inputs.from_arrays(frames, visits, 10.0), sweeps=10, averaged=5, factor=1).image
        errors.append(abs(image[12, 12] - 0.9))
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize(("shape", "passes"), [((61, 47), 1), ((48, 50), 3), ((33, 64), 4), ((1, 90), 4), ((90, 3), 1)])
def test_every_kind_of_scan(shape: tuple[int, int], passes: int) -> None:
    inputs = scan(texture(96)[: shape[0], : shape[1]], passes=passes, ratio=0.2)
    made = reconstruct(inputs, "bpfa", sweeps=3, averaged=1)
    assert made.image.shape == shape
    assert np.isfinite(made.image).all()
    assert made.image.mean() == pytest.approx(inputs.mean, abs=0.12)


def test_constant_images_and_single_samples() -> None:
    flat = exact(np.full((40, 30), 0.3, dtype=np.float32))
    np.testing.assert_allclose(reconstruct(flat, "bpfa").image, 0.3, rtol=1e-5)
    visits = np.zeros((1, 20, 20), dtype=int)
    visits[0, 3, 5] = 1
    one = Inputs.from_arrays(7.0 * visits, visits, 10.0)
    np.testing.assert_allclose(reconstruct(one, "bpfa").image, 0.7, rtol=1e-5)
    nothing = Inputs.from_arrays(np.zeros((2, 9, 12)), np.ones((2, 9, 12), dtype=int), 5.0)
    np.testing.assert_array_equal(reconstruct(nothing, "bpfa").image, 0)


def test_works_on_the_coarsest_grid_by_default() -> None:
    row = np.arange(128)[:, None] + np.zeros((1, 128))
    smooth = (0.5 + 0.4 * np.sin(2 * np.pi * row / 40)).astype(np.float32)
    made = reconstruct(scan(smooth), "bpfa", sweeps=2, averaged=1, grid="native")
    assert made.native_factor == made.settings["factor"] > 1
    assert made.image.shape == (128 // made.native_factor, 128 // made.native_factor)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 1}, "patch of 2 to 32, got 1"),
        ({"atoms": 257}, "atoms of 1 to 256, got 257"),
        ({"sweeps": 0}, "sweeps of 1 to"),
        ({"averaged": 0}, "averaged of 1 to"),
        ({"stride": 9}, "stride of 1 to 8, got 9"),
        ({"seed": -1}, "seed of 0 to"),
        ({"factor": 3}, "factor 1, 2 or 4, got 3"),
    ],
)
def test_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bpfa(scan(texture(16)), **settings)
