"""Equation 13: the compiled step against a plain one, and what must not change it."""

from __future__ import annotations

from typing import Any, Literal

import numba
import numpy as np
import pytest

from stemscan.errors import ReconError
from stemscan.recon.fshnet.nonlocal_step import bandwidth, nonlocal_step
from tests.recon.fshnet.fshnet_kit import lattice, uniform


def plain_step(
    image: np.ndarray, patch: int, h: float, neighbours: int | Literal["all"], region: int, search: int
) -> np.ndarray:
    """Equation 13 word by word: one patch after the other, float64."""
    stride, reach = patch // 4, (region - patch) // 2 // search * search
    x = (image - image.mean(dtype=np.float64)) / image.std(dtype=np.float64)
    pads = [(0, max(-size % stride, patch - size)) for size in image.shape]
    x = np.pad(x, pads, mode="symmetric")
    height, width = x.shape
    total, covered = np.zeros_like(x), np.zeros_like(x)
    for top in range(0, height - patch + 1, stride):
        for left in range(0, width - patch + 1, stride):
            here = x[top : top + patch, left : left + patch]
            found = []
            for y in range(top - reach, top + reach + 1, search):
                for z in range(left - reach, left + reach + 1, search):
                    if 0 <= y <= height - patch and 0 <= z <= width - patch:
                        there = x[y : y + patch, z : z + patch]
                        found.append((np.mean((here - there) ** 2), there))
            found.sort(key=lambda pair: pair[0])
            if neighbours != "all":
                found = found[:neighbours]
            weights = np.exp(-np.array([mse for mse, _ in found]) / h**2)
            update = np.tensordot(weights / weights.sum(), np.array([there for _, there in found]), axes=1)
            total[top : top + patch, left : left + patch] += update
            covered[top : top + patch, left : left + patch] += 1
    result = (total / covered)[: image.shape[0], : image.shape[1]]
    enhanced: np.ndarray = result * image.std(dtype=np.float64) + image.mean(dtype=np.float64)
    return enhanced


def noisy(shape: tuple[int, int], seed: int = 1) -> np.ndarray:
    return (lattice(shape, 9.0) + 0.4 * (uniform(seed, shape) - 0.5)).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((40, 48), {"patch": 8, "h": 1.0, "neighbours": 5, "region": 24, "search": 2}),
        ((37, 45), {"patch": 8, "h": 0.5, "neighbours": 3, "region": 32, "search": 2}),
        ((41, 38), {"patch": 12, "h": 1.0, "neighbours": 5, "region": 29, "search": 1}),
        ((44, 40), {"patch": 16, "h": 0.5, "neighbours": 5, "region": 128, "search": 4}),
        ((45, 33), {"patch": 12, "h": 0.5, "neighbours": "all", "region": 31, "search": 2}),
        ((64, 33), {"patch": 8, "h": 1.0, "neighbours": "all", "region": 24, "search": 3}),
        ((10, 30), {"patch": 16, "h": 1.0, "neighbours": 5, "region": 40, "search": 2}),
    ],
)
def test_step_is_the_equation(shape: tuple[int, int], settings: dict[str, Any]) -> None:
    image = noisy(shape)
    result = nonlocal_step(image, **settings)
    assert result.dtype == np.float32
    assert result.shape == shape
    np.testing.assert_allclose(result, plain_step(image, **settings), atol=2e-5)
    assert np.abs(result - image).max() > 0.01


@pytest.mark.parametrize("neighbours", [5, "all"])
def test_result_does_not_depend_on_the_number_of_threads(neighbours: int | Literal["all"]) -> None:
    image = noisy((150, 90))
    before = numba.get_num_threads()
    results = []
    try:
        for threads in {1, before}:
            numba.set_num_threads(threads)
            results.append(nonlocal_step(image, 12, neighbours=neighbours, region=40))
    finally:
        numba.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_gain_and_offset_pass_through() -> None:
    image = noisy((64, 64))
    moved = nonlocal_step(250.0 * image + 40.0, 8)
    np.testing.assert_allclose(moved, 250.0 * nonlocal_step(image, 8) + 40.0, rtol=1e-5)


def test_noise_on_a_lattice_becomes_less() -> None:
    truth = lattice((96, 96), 12.0)
    image = truth + 0.3 * (uniform(7, truth.shape) - 0.5).astype(np.float32)
    before, after = np.mean((image - truth) ** 2), np.mean((nonlocal_step(image, 12) - truth) ** 2)
    assert after < 0.6 * before


def test_all_quadrants_are_searched() -> None:
    """A patch in a corner finds its copy in the opposite one, from every corner."""
    image = np.zeros((48, 48), dtype=np.float32)
    image += 0.01 * uniform(9, image.shape).astype(np.float32)
    spot = uniform(10, (8, 8)).astype(np.float32)
    for corners in (((4, 4), (36, 36)), ((4, 36), (36, 4))):
        both = image.copy()
        for (y, x), shade in zip(corners, (1.0, 1.2), strict=True):
            both[y : y + 8, x : x + 8] = shade * spot
        result = nonlocal_step(both, 8, neighbours=2)
        for (y, x), own in zip(corners, (1.0, 1.2), strict=True):
            centre = (slice(y + 2, y + 6), slice(x + 2, x + 6))
            shade = (result[centre] * spot[2:6, 2:6]).sum() / (spot[2:6, 2:6] ** 2).sum()
            assert abs(shade - own) > 0.03, f"the copy of the patch at {(y, x)} was not found"


def test_single_neighbour_is_the_image_itself() -> None:
    image = noisy((40, 40))
    np.testing.assert_allclose(nonlocal_step(image, 8, neighbours=1), image, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (8, 8), (33, 1)])
def test_any_size(shape: tuple[int, int]) -> None:
    image = uniform(1, shape).astype(np.float32)
    result = nonlocal_step(image, 16)
    assert result.shape == shape
    assert np.isfinite(result).all()


def test_constant_image_comes_back() -> None:
    image = np.full((30, 30), 0.37, dtype=np.float32)
    np.testing.assert_array_equal(nonlocal_step(image, 8), image)


def test_bandwidth_follows_the_paper() -> None:
    assert [bandwidth(ratio) for ratio in (1 / 64, 2 / 64, 3 / 64)] == [0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 10}, "multiple of 4, got 10"),
        ({"patch": 0}, "multiple of 4, got 0"),
        ({"patch": 8, "h": 0.0}, "bandwidth h above 0, got 0.0"),
        ({"patch": 8, "h": float("nan")}, "bandwidth h above 0, got nan"),
        ({"patch": 8, "neighbours": 0}, "neighbours of at least 1 or 'all', got 0"),
        ({"patch": 8, "neighbours": "most"}, "neighbours of at least 1 or 'all', got 'most'"),
        ({"patch": 32, "region": 16}, "region of at least the patch size 32, got 16"),
        ({"patch": 8, "search": 0}, "at least 1 pixel apart, got 0"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ReconError, match=message):
        nonlocal_step(noisy((20, 20)), **settings)
