"""Lag of the scan coils: exact integration, cuts, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stemscan.errors import UsageError
from stemscan.hardware import coil_lag
from stemscan.hardware.coil_lag import CoilLag, LaggedPath, actual_positions
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans


def path_of(**changes: object) -> ScanPath:
    data: dict[str, object] = {
        "pattern": {"kind": "uniform", "ratio": 0.3},
        "order": {"kind": "random"},
        "shape": [30, 40],
        "passes": 2,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 5,
    }
    return ScanPath(ScanPlan.from_dict(data | changes))


def integrated(path: ScanPath, tau: float, waits: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Means over the dwells by many small Euler steps."""
    commands = path.positions(0, len(path)).astype(np.float64)
    at, means, steps = commands[0].copy(), [], 4000
    for index, command in enumerate(commands):
        for time, kept in ((0 if waits is None else int(waits[index]), False), (path.plan.dwell_ns, True)):
            seen = []
            for _ in range(steps):
                middle = at + (command - at) * (time / steps / tau / 2)
                at = at + (command - middle) * (time / steps / tau)
                seen.append(middle)
            if kept:
                means.append(np.mean(seen, axis=0))
    return np.array(means)


@pytest.mark.parametrize("waiting", [False, True])
def test_is_the_integral_of_the_lag(waiting: bool) -> None:
    path = path_of(shape=[8, 9], passes=1)
    waits = np.arange(len(path), dtype=np.int64) % 5 * 300
    settle = (lambda start, stop: waits[start:stop]) if waiting else None
    found = actual_positions(path, 0, len(path), 700.0, settle)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, integrated(path, 700.0, waits if waiting else None), atol=1e-4)


def test_no_lag_is_the_command() -> None:
    path = path_of()
    np.testing.assert_array_equal(actual_positions(path, 3, 200, 0.0), path.positions(3, 200))


def test_long_settles_end_on_the_command() -> None:
    path = path_of()
    found = actual_positions(path, 0, len(path), 5e3, lambda start, stop: np.full(stop - start, 200_000))
    np.testing.assert_allclose(found, path.positions(0, len(path)), atol=1e-5)


@pytest.mark.parametrize("tau", [30.0, 5e3, 2.2e5])
def test_does_not_depend_on_cuts(tau: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coil_lag, "_SEGMENT", 16)
    path = path_of(shape=[60, 70], passes=4)
    whole = actual_positions(path, 0, len(path), tau)
    lagged = LaggedPath(path, CoilLag(tau))
    for size in (7, 16, 501):
        cuts = [lagged.positions(at, min(at + size, len(path))) for at in range(0, len(path), size)]
        np.testing.assert_array_equal(np.concatenate(cuts), whole)
    backwards = [actual_positions(path, at, at + 1, tau)[0] for at in range(len(path) - 1, len(path) - 40, -7)]
    np.testing.assert_array_equal(backwards, whole[len(path) - 1 : len(path) - 40 : -7])


def test_segments_are_one_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(shape=[100, 100], passes=4)
    whole = actual_positions(path, 0, len(path), 5e3)
    monkeypatch.setattr(coil_lag, "_SEGMENT", 16)
    assert len(path) > 4000 > LaggedPath(path, CoilLag(5e3))._size
    np.testing.assert_allclose(actual_positions(path, 0, len(path), 5e3), whole, rtol=0, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(plan=plans(), ratio=st.floats(1e-3, 1e3))
def test_stays_among_the_commands(plan: ScanPlan, ratio: float) -> None:
    path = ScanPath(plan)
    stop = min(len(path), 3000)
    found, commands = actual_positions(path, 0, stop, ratio * plan.dwell_ns), path.positions(0, stop)
    np.testing.assert_array_equal(found[0], commands[0])
    assert (found >= commands.min(axis=0)).all()
    assert (found <= commands.max(axis=0)).all()


@pytest.mark.parametrize("tau", [-1.0, float("nan"), float("inf")])
def test_no_time_constant(tau: float) -> None:
    with pytest.raises(UsageError, match="coil time constant of at least 0 ns"):
        CoilLag(tau)


def test_what_cannot_be_followed_is_refused() -> None:
    path = path_of(dwell_ns=1)
    with pytest.raises(UsageError, match="dwell longer"):
        LaggedPath(path, CoilLag(1e6))
    with pytest.raises(UsageError, match="expected 0 <= start <= stop"):
        actual_positions(path, 5, len(path) + 1, 10.0)
    with pytest.raises(UsageError, match="settle times, got an array of shape"):
        actual_positions(path, 0, 5, 10.0, lambda start, stop: np.zeros(3, np.int64))
