"""The signal between pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.simulators.instrument.interpolation import signal_at

ROWS, COLUMNS = np.indices((20, 30), np.float32)


def test_on_pixels_it_is_the_pixel() -> None:
    signal = np.random.default_rng(0).random((5, 7), np.float32)
    places = np.indices(signal.shape).reshape(2, -1).T.astype(np.float64)
    np.testing.assert_array_equal(signal_at(signal, places), signal.ravel())


@given(row=st.floats(0, 19), column=st.floats(0, 29))
def test_linear_signals_are_exact(row: float, column: float) -> None:
    assert signal_at(2 * ROWS + COLUMNS, np.array([[row, column]]))[0] == pytest.approx(2 * row + column, abs=1e-4)


@given(row=st.floats(-500, 500), column=st.floats(-500, 500))
def test_beyond_the_edge_is_the_mirror_image(row: float, column: float) -> None:
    signal = (0.5 + 0.2 * np.sin(ROWS / 2) + 0.2 * np.cos(COLUMNS / 3)).astype(np.float32)
    inside = np.abs(np.mod([row + 19, column + 29], [38, 58]) - [19, 29])
    got, expected = signal_at(signal, np.array([[row, column], inside]))
    assert got == pytest.approx(expected, abs=1e-5)


def test_waves_keep_their_height_and_nothing_is_negative() -> None:
    wave = (0.5 + 0.5 * np.cos(COLUMNS * 2 * np.pi / 10)).astype(np.float32)
    halfway = np.stack([np.full(10, 8.0), 10.5 + np.arange(10)], axis=1)
    expected = 0.5 + 0.5 * 0.9965 * np.cos(halfway[:, 1] * 2 * np.pi / 10)
    np.testing.assert_allclose(signal_at(wave, halfway), expected, atol=1e-3)
    spike = (COLUMNS == 12).astype(np.float32)
    assert signal_at(spike, np.array([[5.0, 10.5]]))[0] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (3, 1)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    signal = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    found = signal_at(signal, np.array([[0.0, 0.0], [-3.3, 7.9], [0.5, 0.5]]))
    assert found[0] == 0
    assert (found <= signal.max() + 1e-5).all()
