"""Jitter against its standard deviations and correlations."""

from __future__ import annotations

import numpy as np

from stemscan.simulators.instrument.jitter import Jitter
from tests.simulators.instrument.instrument_kit import make_scan


def moved(jitter: Jitter, times: np.ndarray, seed: int = 1, start: int = 0) -> np.ndarray:
    """Offsets at times in microseconds."""
    offsets = np.zeros((len(times), 2))
    jitter.moves(make_scan(seed=seed))(start, times * 1e3, offsets)
    return offsets


def test_sample_jitter_is_white() -> None:
    found = moved(Jitter(sample_px=(0.2, 0.5)), np.zeros(40_000))
    np.testing.assert_allclose(found.std(axis=0), [0.2, 0.5], rtol=0.015)
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.02
    assert abs(np.corrcoef(found[1:, 0], found[:-1, 0])[0, 1]) < 0.02
    np.testing.assert_array_equal(moved(Jitter(sample_px=(0.2, 0.5)), np.zeros(100), start=500), found[500:600])


def test_row_jitter_is_shared_along_a_row_and_gone_after_three() -> None:
    """Its variance is the same at all times, its correlation that of the spline."""
    rows = np.arange(30_000) * 0.25 + 0.1
    found = moved(Jitter(row_px=(0.3, 0.0), row_us=10.0), rows * 10)
    assert (found[:, 1] == 0).all()
    values = found[:, 0] / 0.3
    for phase in range(4):
        assert abs(values[phase::4].std() - 1) < 0.04
    near, far = (np.corrcoef(values[lag:], values[:-lag])[0, 1] for lag in (1, 13))
    assert near > 0.9
    assert abs(far) < 0.03
    assert abs(np.corrcoef(values[4:], values[:-4])[0, 1] - 0.38) < 0.06  # a row: 0.32 to 0.47 by phase


def test_kinds_of_jitter_and_seeds_are_independent() -> None:
    times = np.arange(20_000) * 100.0
    one = moved(Jitter(sample_px=(1.0, 0.0)), times)[:, 0]
    other = moved(Jitter(row_px=(1.0, 0.0), row_us=10.0), times)[:, 0]
    seeded = moved(Jitter(sample_px=(1.0, 0.0)), times, seed=2)[:, 0]
    assert abs(np.corrcoef([one, other, seeded])[np.triu_indices(3, 1)]).max() < 0.03
