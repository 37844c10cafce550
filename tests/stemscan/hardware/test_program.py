"""Programs: every sample once and in order, the same however cut, and an honest report of what rounding costs."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from stemscan.errors import PlanError, ProfileError, UsageError
from stemscan.hardware.lattice import Lattice
from stemscan.hardware.preflight import check_flight
from stemscan.hardware.profile import ControllerProfile, Grid, load_profile, profile_names
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans, profiles, regions


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


@st.composite
def flights(draw: st.DrawFn) -> tuple[ScanPlan, ControllerProfile]:
    """A plan, with or without a region, and a profile, most of which fit each other."""
    profile = draw(st.one_of(profiles(), st.sampled_from([load_profile(name) for name in profile_names()])))
    dwell = profile.dwell
    fitting = st.integers(dwell.smallest * dwell.quantum_ns, min(dwell.largest * dwell.quantum_ns, 10**9))
    plan = draw(plans(dwells_ns=st.one_of(fitting, fitting, fitting, st.integers(1, 10**9))))
    if draw(st.booleans()):
        with suppress(PlanError):  # nothing of the region on the grid, or a way whose samples are not stated
            return ScanPlan.from_dict({**plan.to_dict(), "region": draw(regions())}), profile
    return plan, profile


@settings(max_examples=120, deadline=None)
@given(flight=flights(), data=st.data())
def test_every_sample_once_in_order_wherever_it_is_cut(
    flight: tuple[ScanPlan, ControllerProfile], data: st.DataObject
) -> None:
    plan, profile = flight
    total = min(plan.total_samples, 3000)
    try:
        program = Program(plan, profile, round_dwell=data.draw(st.booleans()))
        whole = program.steps(0, total)
    except ProfileError as problem:
        event("refused")
        assert re.search(r"expected .* for (drawn|" + "|".join(profile_names()) + "), got .*sample .*; ", str(problem))
        return
    event("run")
    exposed = whole.sample >= 0
    np.testing.assert_array_equal(whole.sample[exposed], np.arange(total))
    positions = ScanPath(plan).positions(0, total)
    x, y = program.lattice.codes(positions)
    np.testing.assert_array_equal(whole.x[exposed], x)
    np.testing.assert_array_equal(whole.y[exposed], y)
    np.testing.assert_array_equal(program.lattice.pixels(x, y), positions)
    next_exposed = np.flatnonzero(exposed)[np.searchsorted(np.flatnonzero(exposed), np.arange(len(whole)))]
    np.testing.assert_array_equal(whole.x, whole.x[next_exposed])  # waiting stands where the sample is
    np.testing.assert_array_equal(whole.y, whole.y[next_exposed])
    assert (whole.dwell >= profile.dwell.smallest).all()
    assert (whole.dwell <= profile.dwell.largest).all()
    assert (whole.dwell[exposed] == program.quantisation.dwell_quanta).all()
    np.testing.assert_array_equal(whole.blanked, ~exposed & (profile.blanker == "inline"))
    assert 0 <= x.min(initial=0) <= x.max(initial=0) < profile.grid.columns
    assert 0 <= y.min(initial=0) <= y.max(initial=0) < profile.grid.rows
    cut = data.draw(st.integers(0, total))
    parts = [program.steps(0, cut), program.steps(cut, total)]
    for name in ("x", "y", "dwell", "blanked", "sample"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    in_batches = list(program.batches(0, total, data.draw(st.integers(max(total // 7, 1), total + 1))))
    np.testing.assert_array_equal(np.concatenate([part.dwell for part in in_batches]), whole.dwell)


@settings(max_examples=80, deadline=None)
@given(flight=flights())
def test_the_report_is_the_sum_over_all_steps(flight: tuple[ScanPlan, ControllerProfile]) -> None:
    plan, profile = flight
    try:
        program = Program(plan, profile)
        report = check_flight(program)
    except ProfileError:
        return
    steps, quantum = program.steps(0, plan.total_samples), profile.dwell.quantum_ns
    exposed, duration = steps.sample >= 0, report.duration
    assert duration.dwell == steps.dwell[exposed].sum() * quantum
    assert duration.settle + duration.flyback == steps.dwell[~exposed].sum() * quantum
    if profile.link is not None:
        changes = 0 if profile.blanker != "inline" else np.count_nonzero(np.diff(steps.blanked, prepend=False))
        taken = len(steps) * profile.link.bytes_per_step + changes * profile.link.bytes_per_blanking
        seconds = (duration.total - duration.stall) * 1e-9
        assert report.link_needed == pytest.approx(taken / seconds)
        slow = taken / profile.link.bytes_per_second
        assert duration.total * 1e-9 == pytest.approx(max(slow, seconds), rel=1e-6, abs=2e-9)
    lit = steps.dwell[~steps.blanked].sum() * quantum + duration.stall
    electrons = lit / plan.dwell_ns * plan.electrons_per_sample
    assert sum(report.electrons_per_pass) == pytest.approx(electrons)
    assert report.mean_electrons_per_pass * plan.passes == pytest.approx(electrons)
    if plan.dose_e_per_A2 is not None:
        assert report.dose_e_per_A2 == pytest.approx(plan.dose_e_per_A2 * electrons / plan.total_electrons)
    assert report.maps is not None
    assert report.pixel_dose_histogram is not None
    assert sum(pixels for _, _, pixels in report.pixel_dose_histogram) == np.count_nonzero(report.maps.visits)
    assert report.maps.visits.sum() == plan.total_samples
    assert sum(report.jumps) == plan.total_samples - 1
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["verdict"] == report.verdict


@pytest.mark.parametrize("transform", ["none", "transpose"])
@pytest.mark.parametrize("origin", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("fit", ["integer", "stretch", "pixels"])
def test_origin_and_transform_turn_the_image_as_arrays_are_turned(origin: str, transform: str, fit: str) -> None:
    shape = (5, 8)
    grid = {"columns": 100, "rows": 90, "fit": fit}
    image = np.arange(40).reshape(shape)
    told = image[::-1] if "bottom" in origin else image
    told = told[:, ::-1] if "right" in origin else told
    told = told.T if transform == "transpose" else told
    straight = Lattice(told.shape, Grid.model_validate(grid))
    turned = Lattice(shape, Grid.model_validate({**grid, "origin": origin, "transform": transform}))
    expected = straight.codes(np.argwhere(told >= 0)[np.argsort(told.ravel())].astype(np.int32))
    found = turned.codes(np.argwhere(image >= 0).astype(np.int32))
    np.testing.assert_array_equal(found, expected)
    every = np.arange(100)
    far = turned.pixels(every, np.minimum(every, 89))
    assert far.min(axis=0).tolist() == [0, 0]
    assert far.max(axis=0).tolist() == [4, 7]
    assert turned.field_used == straight.field_used


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
    x, y = program.lattice.codes(pixels)
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


@pytest.mark.parametrize("round_dwell", [False, True])
def test_the_longest_dwell_of_an_obi_device_is_65535_cycles(round_dwell: bool) -> None:
    obi = load_profile("obi")
    longest = Program(plan_of(dwell_ns=65535 * 125), obi, round_dwell=round_dwell).quantisation
    assert longest.dwell_quanta == (32768 if round_dwell else 65535)
    with pytest.raises(ProfileError, match="at most 8191875 ns"):
        Program(plan_of(dwell_ns=65536 * 125), obi, round_dwell=round_dwell)


@pytest.mark.parametrize(("quanta", "rounded"), [(99, 64), (90, 64), (64, 64), (7, 8), (5, 8)])
def test_dwells_are_rounded_to_what_is_wholly_averaged_inside_the_range(quanta: int, rounded: int) -> None:
    dwell = {"quantum_ns": 10, "smallest": 5, "largest": 100, "averaging": "first-power-of-two"}
    found = Program(plan_of(dwell_ns=quanta * 10), profile_of(dwell=dwell), round_dwell=True).quantisation
    assert (found.dwell_quanta, found.signal_used) == (rounded, 1.0)


def test_a_dwell_stays_where_none_in_range_is_wholly_averaged() -> None:
    dwell = {"quantum_ns": 10, "smallest": 5, "largest": 7, "averaging": "first-power-of-two"}
    found = Program(plan_of(dwell_ns=60), profile_of(dwell=dwell), round_dwell=True).quantisation
    assert found.dwell_quanta == 6
    assert found.signal_used == pytest.approx(4 / 6)


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


@given(flights(), st.tuples(st.floats(-300, 300), st.floats(-300, 300)))
def test_a_field_moves_as_a_whole_and_stays_on_the_codes(
    flight: tuple[ScanPlan, ControllerProfile], offset: tuple[float, float]
) -> None:
    plan, profile = flight
    try:
        program = Program(plan, profile)
    except (PlanError, UsageError):
        event("impossible")
        return
    last = min(plan.total_samples, 500)
    moved, (told,) = program.moved([offset])
    here, there = program.steps(0, last), moved.steps(0, last)
    for before, after, codes in ((here.x, there.x, profile.grid.columns), (here.y, there.y, profile.grid.rows)):
        assert len({*(after - before).tolist()}) == 1
        assert after.min() >= 0
        assert after.max() < codes
    assert program.moved([told])[1] == [told]
    assert program.moved([(0.0, 0.0)])[1] == [(0.0, 0.0)]
    assert all(abs(done) <= abs(asked) + 0.5 / program.lattice.step for done, asked in zip(told, offset, strict=True))
    pixels = program.lattice.pixels(there.x - (there.x - here.x), there.y - (there.y - here.y))
    np.testing.assert_array_equal(pixels, program.lattice.pixels(here.x, here.y))


@pytest.mark.parametrize("origin", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("transform", ["none", "transpose"])
def test_an_offset_is_of_the_image_however_codes_run(origin: str, transform: str) -> None:
    grid = Grid.model_validate({"columns": 1000, "rows": 900, "margin": 0.2, "origin": origin, "transform": transform})
    lattice, middle = Lattice((32, 40), grid), np.array([[16, 20]], np.int32)
    (across, down), told = lattice.shift((3.0, -2.0))
    assert told == (3.0, -2.0)
    x, y = lattice.codes(middle)
    assert lattice.pixels(x + across, y + down).tolist() == [[19, 18]]
    room = lattice.shift((1e9, 1e9))[1]
    assert min(room) > 0.2 * 32
