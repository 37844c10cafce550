"""The signal along the way of a lagging beam: the integral over the dwell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemscan.hardware.coil_lag import CoilLag
from stemscan.simulators.instrument.lagging_beam import mean_signal

places = st.tuples(st.floats(0, 31, width=32), st.floats(0, 39, width=32))
pixels = st.tuples(st.integers(0, 31), st.integers(0, 39))
ROWS, COLUMNS = np.mgrid[:32, :40].astype(np.float32)


def along(signal: NDArray[np.float32], begin: tuple[float, float], command: tuple[int, int], lasting: float) -> float:
    """The mean of the signal in one dwell."""
    found = mean_signal(signal, np.array([begin], np.float64), np.array([command], np.float64), lasting)
    assert found.dtype == np.float32
    return float(found[0])


@pytest.mark.parametrize("lasting", [1e-3, 0.1, 1.0, 8.0, 900.0])
@pytest.mark.parametrize("begin", [(3.0, 2.0), (20.3, 37.9), (31.0, 0.0)])
def test_is_the_integral_over_the_dwell(begin: tuple[float, float], lasting: float) -> None:
    signal = (0.5 + 0.2 * np.sin(ROWS / 3) + 0.2 * np.cos(COLUMNS / 4)).astype(np.float32)
    command = np.array([12, 20])
    left = np.exp(-(np.arange(400_000) + 0.5) / 400_000 * lasting)
    way = command + (np.array(begin) - command) * left[:, np.newaxis]
    expected = float((0.5 + 0.2 * np.sin(way[:, 0] / 3) + 0.2 * np.cos(way[:, 1] / 4)).mean())
    assert along(signal, begin, (12, 20), lasting) == pytest.approx(expected, abs=3e-3)


@given(begin=places, command=pixels, lasting=st.floats(1e-6, 1e12))
def test_of_a_linear_signal_it_lies_at_the_mean_position(
    begin: tuple[float, float], command: tuple[int, int], lasting: float
) -> None:
    signal = 3 * ROWS + np.float32(0.5) * COLUMNS
    mean = np.array(command) + (np.array(begin) - command) * CoilLag(1.0).mean_remaining(lasting)
    assert along(signal, begin, command, lasting) == pytest.approx(3 * mean[0] + 0.5 * mean[1], abs=1e-3)


@given(begin=places, command=pixels, lasting=st.floats(1e-6, 1e12))
def test_stays_near_the_range_of_the_signal(
    begin: tuple[float, float], command: tuple[int, int], lasting: float
) -> None:
    """Cubic interpolation overshoots the hardest edges by up to an eighth in each direction, and never below 0."""
    signal = np.indices((32, 40)).sum(axis=0).astype(np.float32) % 2
    assert 0 <= along(signal, begin, command, lasting) <= 1.27


@given(command=pixels, lasting=st.floats(1e-6, 1e12))
def test_at_rest_it_is_the_pixel(command: tuple[int, int], lasting: float) -> None:
    signal = np.sqrt(40 * ROWS + COLUMNS).astype(np.float32)
    assert along(signal, command, command, lasting) == signal[command]


def test_a_smear_is_seen() -> None:
    stripes = (COLUMNS % 2).astype(np.float32)
    assert along(stripes, (5.0, 0.0), (5, 38), 0.5) == pytest.approx(0.5, abs=0.05)
