"""Programs: every sample once and in order, the same however cut, and an honest report of what rounding costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemscan.errors import ProfileError, UsageError
from stemscan.hardware.profile import ControllerProfile, load_profile, profile_names
from stemscan.path import ScanPath
from stemscan.plan import ScanPlan
from stemscan.program import Program
from stemscan.testing import plans


def plan_of(shape: tuple[int, int] = (64, 64), dwell_ns: int = 1000, **more: Any) -> ScanPlan:
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
            "shape": list(shape),
            "passes": 2,
            "dwell_ns": dwell_ns,
            "dose": {"electrons_per_sample": 10},
            "seed": 1,
            **more,
        }
    )


def profile_of(**changes: Any) -> ControllerProfile:
    data: dict[str, Any] = {
        "name": "test",
        "grid": {"columns": 1000, "rows": 800},
        "dwell": {"quantum_ns": 10, "largest": 100},
        **changes,
    }
    return ControllerProfile.model_validate(data)


@settings(max_examples=60, deadline=None)
@given(plan=plans(), data=st.data())
def test_every_sample_once_in_order_wherever_it_is_cut(plan: ScanPlan, data: st.DataObject) -> None:
    profile = data.draw(st.sampled_from(PROFILES))
    try:
        program = Program(plan, profile)
    except ProfileError as problem:
        assert "expected" in str(problem)
        assert profile.name in str(problem)
        return
    total = min(plan.total_samples, 3000)
    whole = program.steps(0, total)
    exposed = whole.sample >= 0
    np.testing.assert_array_equal(whole.sample[exposed], np.arange(total))
    x, y = program.codes(ScanPath(plan).positions(0, total))
    np.testing.assert_array_equal(whole.x[exposed], x)
    np.testing.assert_array_equal(whole.y[exposed], y)
    assert (whole.dwell >= profile.dwell.smallest).all()
    assert (whole.dwell <= profile.dwell.largest).all()
    assert (whole.dwell[exposed] == program.quantisation.dwell_quanta).all()
    assert not whole.blanked[exposed].any()
    assert 0 <= x.min(initial=0) <= x.max(initial=0) < profile.grid.columns
    assert 0 <= y.min(initial=0) <= y.max(initial=0) < profile.grid.rows
    cut = data.draw(st.integers(0, total))
    parts = [program.steps(0, cut), program.steps(cut, total)]
    for name in ("x", "y", "dwell", "blanked", "sample"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    in_batches = list(program.batches(0, total, data.draw(st.integers(max(total // 7, 1), total + 1))))
    np.testing.assert_array_equal(np.concatenate([part.dwell for part in in_batches]), whole.dwell)


PROFILES = [
    *map(load_profile, profile_names()),
    profile_of(grid={"columns": 1000, "rows": 800, "fit": "stretch"}, settle={"per_jump": [[0, 3], [50, 5000]]}),
    profile_of(settle={"time_constant_ns": 200.0}, flyback_ns=1500, blanker="inline"),
    profile_of(settle={"time_constant_ns": 200.0}, flyback_ns=1500, blanker="asynchronous"),
    profile_of(dwell={"quantum_ns": 10, "smallest": 7, "largest": 100}, settle={"per_jump": [[0, 5], [40, 4000]]}),
]


def test_waiting_stands_at_the_place_of_its_sample_and_adds_up() -> None:
    profile = profile_of(settle={"time_constant_ns": 700.0, "tolerance_px": 0.5}, flyback_ns=1500, blanker="inline")
    plan = plan_of(order={"kind": "random"})
    program = Program(plan, profile)
    steps, waits = program.steps(0, 300), program.waits(0, 300)
    positions = ScanPath(plan).positions(0, 300).astype(float)
    jumps = np.hypot(*np.diff(positions, axis=0).T)
    np.testing.assert_allclose(waits.jump, [0, *jumps])
    np.testing.assert_array_equal(waits.settle[1:], np.ceil(700 * np.log(np.maximum(2 * jumps, 1)) / 10))
    back = np.diff(positions[:, 1]) < -32
    np.testing.assert_array_equal(waits.flyback[1:], np.where(back, 150, 0))
    exposed = np.flatnonzero(steps.sample >= 0)
    begins = np.concatenate([[0], exposed[:-1] + 1])
    for number, (begin, end) in enumerate(zip(begins, exposed, strict=True)):
        assert steps.dwell[begin:end].sum() == waits.settle[number] + waits.flyback[number]
        assert (steps.x[begin:end] == steps.x[end]).all()
        assert (steps.y[begin:end] == steps.y[end]).all()
        assert steps.blanked[begin:end].all()
    assert (np.diff(exposed) > 2).any()  # some waits are longer than the longest dwell


def test_the_last_piece_of_a_wait_is_no_shorter_than_a_dwell_can_be() -> None:
    dwell = {"quantum_ns": 10, "smallest": 3, "largest": 100}
    program = Program(plan_of(), profile_of(dwell=dwell, settle={"per_jump": [[0, 2010]]}))  # 2 x 100 and 1 quanta
    steps, waits = program.steps(0, 5), program.waits(0, 5)
    assert steps.dwell.tolist() == [100, 100, 3, 100] * 5
    assert waits.settle.tolist() == [203] * 5


def test_a_wait_of_far_too_many_steps_is_refused() -> None:
    waiting = profile_of(settle={"per_jump": [[0, 0], [60, 0], [61, 2000000]]})
    program = Program(plan_of(order={"kind": "raster"}), waiting)
    with pytest.raises(ProfileError, match=r"at most 100000 ns .* for test, got \d+ ns before sample \d+"):
        program.steps(0, 384)


def test_unblanked_waiting_without_an_inline_blanker() -> None:
    for blanker in ("none", "asynchronous"):
        program = Program(plan_of(), profile_of(settle={"per_jump": [[0, 50]]}, blanker=blanker))
        steps = program.steps(0, 20)
        assert (steps.sample < 0).sum() == 20
        assert not steps.blanked.any()


@pytest.mark.parametrize(
    ("fit", "step", "error"), [("integer", 12, 0.0), ("pixels", 1, 0.0), ("stretch", 799 / 63, 0.5)]
)
def test_positions(fit: str, step: float, error: float) -> None:
    program = Program(plan_of(), profile_of(grid={"columns": 1000, "rows": 800, "fit": fit}))
    found = program.quantisation
    assert found.codes_per_pixel == pytest.approx(step)
    assert found.position_error_px <= error / step
    assert (found.position_error_px > 0) == (error > 0)
    pixels = np.array([[0, 0], [63, 63], [10, 20]], np.int32)
    x, y = program.codes(pixels)
    for codes, wanted in ((x, pixels[:, 1]), (y, pixels[:, 0])):
        off = (codes - codes[0]) / found.codes_per_pixel - wanted
        assert np.abs(off).max() <= found.position_error_px + 1e-9
    if fit != "pixels":
        assert abs((x[0] + x[1]) - 999) <= 1  # centred
        assert found.field_used > 0.9


def test_dwell_rounding_and_the_signal_that_averaging_throws_away() -> None:
    obi = load_profile("obi")
    exact = Program(plan_of(dwell_ns=1000), obi).quantisation
    assert (exact.dwell_quanta, exact.dwell_error, exact.signal_used) == (8, 0.0, 1.0)
    lossy = Program(plan_of(dwell_ns=760), obi).quantisation
    assert (lossy.dwell_quanta, lossy.dwell_ns) == (6, 750)
    assert lossy.dwell_error == pytest.approx(-10 / 760)
    assert lossy.signal_used == pytest.approx(4 / 6)
    rounded = Program(plan_of(dwell_ns=760), obi, round_dwell=True).quantisation
    assert rounded.dwell_quanta in (4, 8)
    assert rounded.signal_used == 1.0


@pytest.mark.parametrize(
    ("plan", "changes", "words"),
    [
        (plan_of(dwell_ns=4), {}, ["10 ns", "4 ns", "sample"]),
        (plan_of(dwell_ns=2000), {}, ["1000 ns", "2000 ns", "sample"]),
        (plan_of((64, 1008)), {}, ["1000 columns", "sample"]),
        (plan_of((808, 64)), {"grid": {"columns": 1000, "rows": 800, "fit": "pixels"}}, ["800 rows", "sample"]),
        (plan_of(), {"limits": {"max_samples": 100}}, ["100", "384", "sample 100"]),
    ],
)
def test_what_cannot_be_represented_is_an_error(plan: ScanPlan, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ProfileError) as caught:
        Program(plan, profile_of(**changes))
    assert all(word in str(caught.value) for word in [*words, "test"])


def test_parking() -> None:
    parked = Program(plan_of(), profile_of(park=[5, 7], blanker="asynchronous")).parking()
    assert (parked.x.tolist(), parked.y.tolist(), parked.blanked.tolist()) == ([7], [5], [True])
    assert parked.sample.tolist() == [-1]
    assert len(Program(plan_of(), profile_of()).parking()) == 0


def test_ranges_outside_are_refused() -> None:
    program = Program(plan_of(), profile_of())
    for start, stop in ((-1, 3), (3, 2), (0, 10**9)):
        with pytest.raises(UsageError, match="expected 0"):
            program.steps(start, stop)
    with pytest.raises(UsageError, match="at least 1"):
        next(program.batches(0, 10, 0))
    assert len(program.steps(5, 5)) == 0
