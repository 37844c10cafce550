"""Constant, nearest and linear interpolation, and the triangulation below the last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.recon.classical.interpolation import constant, linear, nearest
from stemscan.recon.classical.triangulation import triangulate
from stemscan.recon.inputs.inputs import Inputs
from tests.recon.sampling_kit import exact, lattice

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))


def at_pixels(shape: tuple[int, int], samples: dict[tuple[int, int], float]) -> Inputs:
    """Inputs of single samples."""
    frames, visits = np.zeros((1, *shape)), np.zeros((1, *shape), dtype=int)
    for pixel, value in samples.items():
        frames[0][pixel], visits[0][pixel] = value, 1
    return Inputs.from_arrays(frames, visits, 1.0)


def test_constant_is_the_mean_of_the_samples() -> None:
    inputs = at_pixels((3, 4), {(0, 0): 1.0, (2, 3): 4.0})
    np.testing.assert_array_equal(constant(inputs).image, np.full((3, 4), 2.5, dtype=np.float32))


@settings(max_examples=40)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_nearest_is_a_nearest_sample(shape: tuple[int, int], seed: int) -> None:
    inputs = exact(np.random.default_rng(seed).random(shape, dtype=np.float32), ratio=0.05, seed=seed)
    image = nearest(inputs).image
    visited = inputs.V > 0
    points, values = np.argwhere(visited), (inputs.S[visited] / inputs.V[visited])
    for pixel in np.ndindex(shape):
        distance = ((points - pixel) ** 2).sum(axis=1)
        assert image[pixel] in values[distance == distance.min()]


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(0, 2**32 - 1), st.floats(0.01, 0.9))
def test_interpolation_keeps_samples_constants_and_bounds(shape: tuple[int, int], seed: int, ratio: float) -> None:
    signal = np.random.default_rng(seed).random(shape, dtype=np.float32)
    inputs = exact(signal, ratio=ratio, seed=seed)
    visited = inputs.V > 0
    flat = exact(np.full(shape, 0.6, dtype=np.float32), ratio=ratio, seed=seed)
    for method in (nearest, linear):
        image = method(inputs).image
        assert image.shape == shape
        assert image.dtype == np.float32
        np.testing.assert_allclose(image[visited], (inputs.S / np.maximum(inputs.V, 1))[visited], rtol=1e-6)
        assert image.min() >= inputs.S[visited].min() / inputs.V[visited].max() - 1e-6
        assert image.max() <= signal[visited].max() + 1e-6
        np.testing.assert_allclose(method(flat).image, 0.6, rtol=1e-6)


def test_linear_gives_a_plane_within_the_samples() -> None:
    row, column = np.mgrid[:40, :50]
    plane = (0.1 + 0.004 * row + 0.009 * column).astype(np.float32)
    inputs = exact(plane, ratio=0.1)
    known = inputs.V > 0
    known[[0, -1]] = known[:, [0, -1]] = True
    inputs = exact(plane, ratio=1.0)
    sparse = Inputs.from_arrays(inputs.frames[:1] * known, inputs.visits[:1] * known, 8.0)
    np.testing.assert_allclose(linear(sparse).image, plane, rtol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_linear_along_a_single_row(transposed: bool) -> None:
    inputs = at_pixels((1, 6), {(0, 1): 1.0, (0, 3): 3.0, (0, 4): 0.0})
    if transposed:
        inputs = at_pixels((6, 1), {(1, 0): 1.0, (3, 0): 3.0, (4, 0): 0.0})
    np.testing.assert_allclose(linear(inputs).image.ravel(), [1, 1, 2, 3, 0, 0])


def test_a_single_sample_fills_everything() -> None:
    inputs = at_pixels((9, 11), {(4, 2): 0.3})
    for method in (nearest, linear):
        np.testing.assert_allclose(method(inputs).image, 0.3, rtol=1e-6)


def bordered(shape: tuple[int, int], ratio: float, seed: int) -> np.ndarray:
    """Random pixels and all outermost ones, (N, 2)."""
    known = np.random.default_rng(seed).random(shape) < ratio
    known[[0, -1]] = known[:, [0, -1]] = True
    return np.argwhere(known).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(2, 30), st.integers(2, 30)), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_triangles_are_delaunay_and_cover_the_frame(shape: tuple[int, int], ratio: float, seed: int) -> None:
    points = bordered(shape, ratio, seed)
    corners = points[triangulate(points, shape)].astype(np.int64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    doubled = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    assert (doubled > 0).all()
    assert doubled.sum() == 2 * (shape[0] - 1) * (shape[1] - 1)
    # In integers: d lies within the circle of a, b, c where this determinant is above 0.
    a, b, c = (corners[:, None, i] - points[None] for i in range(3))
    a2, b2, c2 = (np.einsum("tpk,tpk->tp", x, x) for x in (a, b, c))
    determinant = (
        a2 * (b[..., 0] * c[..., 1] - b[..., 1] * c[..., 0])
        + b2 * (c[..., 0] * a[..., 1] - c[..., 1] * a[..., 0])
        + c2 * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    )
    assert (determinant <= 0).all()


def test_triangulation_agrees_with_qhull() -> None:
    from scipy.spatial import Delaunay

    points = bordered((90, 131), 0.15, 3)
    ours = {tuple(sorted(t)) for t in triangulate(points, (90, 131)).tolist()}
    theirs = {tuple(sorted(t)) for t in Delaunay(points).simplices.tolist()}
    assert len(ours) == len(theirs)
    assert len(ours & theirs) > 0.8 * len(ours)  # the rest are points on one circle, split by the other diagonal


def test_linear_of_a_lattice_is_close() -> None:
    signal = lattice((100, 120))
    error = linear(exact(signal, ratio=0.2)).image - signal
    assert np.sqrt(np.mean(error**2)) < 0.02
