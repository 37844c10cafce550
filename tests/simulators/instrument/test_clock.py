"""Times of dwells, with and without a controller's waits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemscan.hardware.profile import ControllerProfile
from stemscan.hardware.program import Program
from stemscan.simulators.instrument import clock
from tests.simulators.instrument.instrument_kit import make_plan, microscope, scanned

PLAN = make_plan()
PROFILE = ControllerProfile.model_validate(
    {
        "name": "slow",
        "grid": {"columns": 4096, "rows": 4096},
        "dwell": {"quantum_ns": 100, "largest": 10**6},
        "settle": {"per_jump": ((0.0, 0.0), (20.0, 3000.0))},
        "flyback_ns": 10_000,
    }
)


@given(ends=st.tuples(*[st.integers(0, PLAN.total_samples)] * 4))
def test_any_range_of_any_clock(ends: tuple[int, int, int, int]) -> None:
    """Each dwell begins when the one before has ended and the waits are over."""
    program = Program(PLAN, PROFILE)
    waits = program.waits_ns(0, PLAN.total_samples)
    expected = np.cumsum(waits) + 1000 * np.arange(PLAN.total_samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "_BLOCK", 32)
        made = clock.Clock(PLAN, program)
        for start, stop in (sorted(ends[:2]), sorted(ends[2:])):
            np.testing.assert_array_equal(made.begins(start, stop), expected[start:stop])
    assert made.lit


def test_a_slow_controller_drifts_further() -> None:
    settings = {"stage_drift": {"polynomial_nm": [[1e4, 0.0]]}}
    drifts = []
    for profile in (None, PROFILE):
        truths = scanned(microscope(settings, PLAN, profile=profile, threads=2), PLAN).truths
        assert truths is not None
        drifts.append(truths["truth_trajectory"][-1, 0])
    assert drifts[1] > drifts[0] + 0.1
