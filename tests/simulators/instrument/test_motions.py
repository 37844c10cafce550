"""Mains pick-up and flyback distortion against their equations."""

from __future__ import annotations

import numpy as np
import pytest

from stemscan.simulators.instrument.coils import Flyback
from stemscan.simulators.instrument.effect import MotionEffect
from stemscan.simulators.instrument.mains import Mains
from tests.simulators.instrument.instrument_kit import make_plan, make_scan


def moved(effect: MotionEffect, times: np.ndarray, seed: int = 1) -> np.ndarray:
    """Offsets at times in ns."""
    offsets = np.zeros((len(times), 2))
    effect.moves(make_scan(seed=seed))(0, times, offsets)
    return offsets


@pytest.mark.parametrize("frequency", [50.0, 60.0])
def test_mains_are_waves_of_their_frequency_and_its_triple(frequency: float) -> None:
    times = np.arange(5000) * 1e9 / frequency / 500  # ten periods
    found = moved(Mains(frequency_hz=frequency, amplitude_px=(0.3, 0.2), third_px=(0.0, 0.1)), times)
    spectrum = 2 * np.abs(np.fft.rfft(found, axis=0)) / 5000
    np.testing.assert_allclose(spectrum[10], [0.3, 0.2], atol=1e-5)
    np.testing.assert_allclose(spectrum[30], [0.0, 0.1], atol=1e-5)
    assert np.delete(spectrum, [10, 30], axis=0).max() < 1e-5
    other = moved(Mains(frequency_hz=frequency, amplitude_px=(0.3, 0.2)), times, seed=2)
    assert abs(np.corrcoef(found[:, 0], other[:, 0])[0, 1]) < 0.999  # phases are the seed's


def test_flyback_bends_the_first_columns_of_each_row() -> None:
    """After a flyback of 47 columns the beam lags by the share of what is left of it, and it forgets the last one."""
    plan = make_plan(pattern={"kind": "raster"}, order={"kind": "raster"}, passes=1)
    scan = make_scan(plan)
    offsets = np.zeros((plan.total_samples, 2))
    Flyback(share=0.02, tau_us=3.0).moves(scan)(0, scan.clock.middles(0, plan.total_samples), offsets)
    rows = offsets[:, 1].reshape(32, 48)[4:]
    kept = np.exp(-1 / 3)  # of what is left, in a dwell of 1 us
    lags = [47 - kept / (1 - kept)]  # at the begin of each dwell; before the flyback steps of one pixel
    for _ in range(47):
        lags.append(lags[-1] * kept - 1)
    expected = 0.02 * 3 * (1 - kept) * np.array(lags)
    np.testing.assert_allclose(rows, np.broadcast_to(expected, rows.shape), atol=1e-5)
    serpentine = make_plan(pattern={"kind": "serpentine"}, order={"kind": "serpentine"}, passes=1)
    offsets[...] = 0
    Flyback(share=0.02, tau_us=3.0).moves(make_scan(serpentine))(0, scan.clock.middles(0, 1536), offsets)
    assert abs(offsets).max() < 0.1 * expected[0]
