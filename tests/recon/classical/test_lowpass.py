"""Equations 10 and 11 as a method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import ReconError
from stemscan.recon.classical.lowpass import lowpass
from stemscan.recon.fshnet.initial_reconstruction import low_pass
from stemscan.recon.inputs.inputs import Inputs
from tests.recon.sampling_kit import exact, lattice, scan

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def test_band_limit_is_a_circle_on_any_grid() -> None:
    image = lowpass(scan(lattice((96, 160)), ratio=0.3), keep_measured=False, radius=100).image
    power = np.abs(np.fft.fft2(image)) ** 2
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(160)[None, :])
    assert power[frequency > 100 / 1024 + 1e-9].sum() < 1e-9 * power.sum()
    assert (power[(frequency < 100 / 1024) & (frequency > 0)] > 1e-9 * power.max()).all()


@settings(max_examples=30)
@given(SHAPES, st.floats(0, 800), st.integers(0, 2**32 - 1))
def test_the_low_pass_is_an_orthogonal_projection(shape: tuple[int, int], radius: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, *shape)).astype(np.float32)
    ones = np.ones(shape)
    once = low_pass(a, ones, radius)
    np.testing.assert_allclose(low_pass(once, ones, radius), once, atol=1e-5)
    assert np.vdot(once, b) == pytest.approx(np.vdot(a, low_pass(b, ones, radius)), abs=1e-3)
    # Parseval: what is kept and what is taken away add up
    assert np.vdot(once, once) + np.vdot(a - once, a - once) == pytest.approx(np.vdot(a, a), rel=1e-4, abs=1e-3)


@settings(max_examples=30)
@given(SHAPES)
def test_a_constant_stays_where_everything_is_visited(shape: tuple[int, int]) -> None:
    inputs = exact(np.full(shape, 0.3, dtype=np.float32), ratio=1.1, passes=3)
    np.testing.assert_allclose(lowpass(inputs).image, 0.3, rtol=1e-5)


def test_sparse_sampling_keeps_the_absolute_scale() -> None:
    inputs = scan(lattice((256, 256)), passes=4, dose=50.0)
    assert lowpass(inputs, keep_measured=False).image.mean() == pytest.approx(inputs.mean, rel=1e-4)


def test_measured_pixels_are_half_their_mean_also_where_nothing_was_counted() -> None:
    frames, visits = np.zeros((2, 16, 16)), np.zeros((2, 16, 16), dtype=int)
    visits[:, 3, 4] = visits[0, 10, 10] = visits[0, 8, 1] = 1
    frames[:, 3, 4], frames[0, 8, 1] = (6.0, 2.0), 5.0
    inputs = Inputs.from_arrays(frames, visits, 10.0)
    plain, blended = lowpass(inputs, keep_measured=False).image, lowpass(inputs).image
    assert blended[3, 4] == pytest.approx((plain[3, 4] + 0.4) / 2)
    assert blended[10, 10] == pytest.approx(plain[10, 10] / 2)
    unvisited = visits.sum(axis=0) == 0
    np.testing.assert_array_equal(blended[unvisited], plain[unvisited])


def test_refuses_a_negative_radius() -> None:
    with pytest.raises(ReconError, match="radius"):
        lowpass(scan(lattice((8, 8))), radius=-1)
