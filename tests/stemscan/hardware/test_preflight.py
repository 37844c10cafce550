"""The pre-flight report against sums over all steps of small programs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.errors import OutputExistsError, UsageError
from stemscan.hardware.coil_lag import CoilLag, LaggedPath
from stemscan.hardware.obi.encoder import StepEncoder
from stemscan.hardware.preflight import check_flight, picture, walk
from stemscan.hardware.preflight.picture import draw_flight
from stemscan.hardware.profile import ControllerProfile, load_profile
from stemscan.hardware.program import Program
from tests.stemscan.hardware.test_program import plan_of, profile_of

SETTLING: dict[str, Any] = {
    "settle": {"time_constant_ns": 700.0},
    "flyback_ns": 1500,
    "link": {"bytes_per_second": 1e9, "bytes_per_step": 6},
}


@pytest.mark.parametrize("blanker", ["none", "asynchronous", "inline"])
def test_times_and_doses_are_those_of_all_steps(monkeypatch: pytest.MonkeyPatch, blanker: str) -> None:
    monkeypatch.setattr(walk, "_BATCH", 100)
    plan = plan_of(pixel_size_nm=0.1)
    program = Program(plan, profile_of(blanker=blanker, **SETTLING))
    report = check_flight(program)
    steps = program.steps(0, plan.total_samples)
    times = steps.dwell * 10
    assert report.duration.dwell == times[steps.sample >= 0].sum()
    assert report.duration.settle + report.duration.flyback == times[steps.sample < 0].sum()
    assert report.duration.flyback == 1500 * np.count_nonzero(np.diff(program.path.positions(0, 384)[:, 1]) < -32)
    assert report.duration.total == times.sum()
    lit = times[~steps.blanked].sum()
    electrons = lit * 10 / 1000
    assert sum(report.electrons_per_pass) == pytest.approx(electrons)
    assert report.dose_e_per_A2 == pytest.approx(electrons / 64**2)
    assert report.unblanked_share == pytest.approx(lit / times[steps.sample >= 0].sum() - 1)
    assert report.maps is not None
    exposed = np.zeros((64, 64))
    at = np.rint(steps.y / 12).astype(int), np.rint(steps.x / 12).astype(int)
    off = at[0].min(), at[1].min()
    np.add.at(exposed, (at[0] - off[0], at[1] - off[1]), times * ~steps.blanked)
    np.testing.assert_allclose(np.sort(report.maps.exposed.ravel()), np.sort(exposed.ravel()), rtol=1e-5)
    assert report.pixel_dose is not None
    share, most = report.pixel_dose[-1]
    assert share == 1
    assert most == pytest.approx(exposed.max() / 100, rel=1e-5)
    assert report.maps.visits.sum() == plan.total_samples


def test_jumps_and_lag() -> None:
    plan = plan_of(order={"kind": "random"})
    program = Program(plan, profile_of(**SETTLING))
    report = check_flight(program)
    positions = program.path.positions(0, plan.total_samples).astype(float)
    jumps = np.hypot(*np.diff(positions, axis=0).T)
    assert report.mean_jump_px == pytest.approx(jumps.mean())
    assert report.longest_jump_px == pytest.approx(jumps.max())
    bounds = [0, *(2**n for n in range(17)), np.inf]
    counts = np.histogram(jumps, bounds)[0]
    assert report.jumps == tuple(counts)
    waits = program.waits(0, plan.total_samples)
    waited = (waits.settle + waits.flyback) * 10
    lagged = LaggedPath(program.path, CoilLag(700.0), lambda a, b: waited[a:b]).positions(0, plan.total_samples)
    away = np.hypot(*(lagged - positions).T)
    assert report.lag_rms_px == pytest.approx(np.sqrt(np.mean(away**2)), rel=1e-5)
    assert report.lag_longest_px == pytest.approx(away.max(), rel=1e-5)
    assert report.lag_rms_px is not None
    assert 0 < report.lag_rms_px < 0.5  # that is what settling is for
    assert check_flight(Program(plan, profile_of())).lag_rms_px is None


def test_the_lag_is_that_of_the_dwell_as_it_will_be() -> None:
    """A dwell of 14 ns becomes one of 10 ns, in which a lagging beam gets less far."""
    settle = {"time_constant_ns": 20.0, "tolerance_px": 9.0}
    rounded, exact = (
        check_flight(Program(plan_of(dwell_ns=dwell), profile_of(settle=settle))).lag_rms_px for dwell in (14, 10)
    )
    finer = profile_of(settle=settle, dwell={"quantum_ns": 2, "largest": 100})
    asked = check_flight(Program(plan_of(dwell_ns=14), finer)).lag_rms_px
    assert rounded is not None
    assert asked is not None
    assert rounded == exact
    assert rounded > 1.05 * asked


@pytest.mark.parametrize("electrons", [1e-60, 1e60])
def test_doses_beyond_single_precision(electrons: float) -> None:
    report = check_flight(Program(plan_of(dose={"electrons_per_sample": electrons}), profile_of()))
    assert report.pixel_dose is not None
    assert report.pixel_dose_histogram is not None
    assert report.pixel_dose[0][1] == pytest.approx(electrons)
    assert report.pixel_dose_histogram[-1][1] == pytest.approx(report.pixel_dose[-1][1])


def test_times_since_neighbours_were_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_BATCH", 50)
    plan = plan_of((24, 24))
    program = Program(plan, profile_of())
    report = check_flight(program)
    positions = program.path.positions(0, plan.total_samples)
    times = np.arange(len(positions)) * 1000.0
    shortest, since_all = np.full((24, 24), np.inf), []
    for number, here in enumerate(positions):
        near = (np.abs(positions[:number] - here) <= 2).all(axis=1)
        if near.any():
            since = times[number] - times[:number][near].max()
            since_all.append(since)
            shortest[tuple(here)] = min(shortest[tuple(here)], since)
    assert report.maps is not None
    np.testing.assert_allclose(report.maps.since, shortest)
    assert report.revisit_ns is not None
    assert report.revisit_ns[0][1] == shortest.min()
    every = np.sort(since_all)
    for share, time in report.revisit_ns[1:]:
        assert time == pytest.approx(every[max(int(np.ceil(share * len(every))), 1) - 1], rel=0.012)


def test_revisit_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_BATCH", 5)  # fewer than the samples before that are looked at
    plan = plan_of((24, 24), order={"kind": "random"})
    program = Program(plan, profile_of())
    report = check_flight(program)
    positions = program.path.positions(0, plan.total_samples)
    nearest = [
        float(np.hypot(*(positions[max(number - 8, 0) : number] - positions[number]).T).min())
        for number in range(1, len(positions))
    ]
    shortest = np.full((24, 24), np.inf)
    np.minimum.at(shortest, tuple(positions[1:].T), nearest)
    assert report.maps is not None
    np.testing.assert_allclose(report.maps.apart, shortest, rtol=1e-6)
    assert report.revisit_px is not None
    assert report.revisit_px[0] == (0.0, min(nearest))
    every = np.sort(nearest)
    for share, distance in report.revisit_px[1:]:
        assert distance == pytest.approx(every[max(int(np.ceil(share * len(every))), 1) - 1], rel=0.012, abs=1)


def test_a_slow_link_stalls() -> None:
    slow = {**SETTLING, "link": {"bytes_per_second": 1e5, "bytes_per_step": 6}}
    program = Program(plan_of(), profile_of(**slow))
    report = check_flight(program)
    steps = program.steps(0, 384)
    assert report.duration.total == pytest.approx(len(steps) * 6 / 1e5 * 1e9, rel=1e-6)
    assert report.duration.stall > 0
    assert any("stalls" in finding.text for finding in report.findings)
    assert report.stall_share == pytest.approx(report.duration.stall / report.duration.dwell)
    electrons = report.duration.total / 1000 * 10  # this beam cannot be blanked
    assert sum(report.electrons_per_pass) == pytest.approx(electrons)
    limited = plan_of(pixel_size_nm=0.1, limits={"max_dose_e_per_A2": 20.0})
    report = check_flight(Program(limited, profile_of(**{**slow, "blanker": "inline"})))
    assert report.dose_e_per_A2 is not None
    assert report.dose_e_per_A2 > 20  # nothing tells on which step the stream runs dry
    assert report.verdict == "cannot run"
    assert check_flight(Program(plan_of(), profile_of(**SETTLING))).duration.stall == 0


@pytest.mark.parametrize("blanker", ["inline", "none"])
@pytest.mark.parametrize("settle", [{"time_constant_ns": 1000.0}, None])
def test_the_link_carries_what_the_encoder_writes(blanker: str, settle: dict[str, float] | None) -> None:
    data = load_profile("obi").model_dump()
    profile = ControllerProfile.model_validate({**data, "blanker": blanker, "settle": settle})
    plan = plan_of((256, 256))
    program = Program(plan, profile)
    report = check_flight(program)
    written = len(StepEncoder(blanked=False).encode(program.steps(0, plan.total_samples)))
    assert report.link_needed == pytest.approx(written / (report.duration.total * 1e-9), rel=1e-3)


def test_the_dose_of_a_region_is_that_of_the_region() -> None:
    corner = {"kind": "polygon", "points": [[0, 0], [0, 16], [16, 16], [16, 0]]}
    plan = plan_of(pattern={"kind": "raster"}, region=corner, pixel_size_nm=0.1)
    report = check_flight(Program(plan, profile_of()))
    assert report.dose_e_per_A2 == pytest.approx(plan.dose_e_per_A2)
    assert report.dose_e_per_A2 == pytest.approx(2 * 10)  # two passes over every pixel inside
    lit = check_flight(Program(plan, profile_of(**SETTLING)))
    assert lit.dose_e_per_A2 == pytest.approx(20 * (1 + lit.unblanked_share))


def test_the_histogram_of_doses_counts_every_visited_pixel() -> None:
    report = check_flight(Program(plan_of(passes=6), profile_of(**SETTLING)))
    assert report.maps is not None
    assert report.pixel_dose is not None
    assert report.pixel_dose_histogram is not None
    exposed = report.maps.exposed[report.maps.visits > 0] * 10 / 1000
    for low, high, pixels in report.pixel_dose_histogram:
        last = high == pytest.approx(report.pixel_dose[-1][1])
        assert pixels == np.count_nonzero((exposed >= low) & (exposed <= high if last else exposed < high))
    assert sum(pixels for _, _, pixels in report.pixel_dose_histogram) == exposed.size


def test_the_lag_says_for_how_many_samples_it_was_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_BATCH", 100)
    monkeypatch.setattr(walk, "_MOST_LAGGED", 150)
    assert check_flight(Program(plan_of(), profile_of(**SETTLING))).lag_examined == 200
    assert check_flight(Program(plan_of(), profile_of())).lag_examined == 0


def test_a_large_plan_is_walked_in_part_and_taken_in_proportion() -> None:
    program = Program(plan_of(passes=8, order={"kind": "serpentine-blocks"}), profile_of(**SETTLING))
    whole, part = check_flight(program), check_flight(program, most_samples=400)
    assert (part.samples, part.examined, whole.examined) == (8 * 192, 400, 8 * 192)
    assert part.duration.dwell == whole.duration.dwell
    assert part.duration.settle == pytest.approx(whole.duration.settle, rel=0.1)
    assert len(part.electrons_per_pass) == 2
    assert whole.mean_electrons_per_pass == pytest.approx(np.mean(whole.electrons_per_pass))
    assert part.mean_electrons_per_pass == pytest.approx(whole.mean_electrons_per_pass, rel=0.1)


@pytest.mark.parametrize(
    ("plan", "profile", "words", "verdict"),
    [
        ({}, {}, [], "ok"),
        ({"pixel_size_nm": 0.1, "limits": {"max_dose_e_per_A2": 1.0}}, {**SETTLING}, ["limit of 1"], "cannot run"),
        (
            {"pixel_size_nm": 0.1, "limits": {"max_dose_e_per_A2": 1.0}},
            {**SETTLING, "blanker": "inline"},
            [],
            "warnings",
        ),
        ({}, SETTLING, ["beam on"], "warnings"),
        (
            {"dwell_ns": 60},
            {"dwell": {"quantum_ns": 10, "largest": 100, "averaging": "first-power-of-two"}},
            ["67%"],
            "warnings",
        ),
        ({"dwell_ns": 55}, {}, ["60 ns"], "warnings"),
        ({}, {"grid": {"columns": 1000, "rows": 800, "fit": "pixels"}}, [], "ok"),
        (
            {},
            {"grid": {"bits": 10, "columns": 1000, "rows": 800, "fit": "pixels"}},
            ["of the controller's field"],
            "warnings",
        ),
        ({"shape": (1, 1)}, {"grid": {"bits": 10, "columns": 1000, "rows": 800}}, [], "ok"),
        ({}, {"grid": {"columns": 100, "rows": 100, "fit": "stretch"}}, ["rounded"], "warnings"),
        ({"order": {"kind": "random"}}, {**SETTLING, "blanker": "inline"}, ["shorter jumps"], "warnings"),
        (
            {},
            {"settle": {"time_constant_ns": 5000.0, "tolerance_px": 9.0}, "blanker": "inline"},
            ["coils lag"],
            "warnings",
        ),
        ({}, {"settle": {"time_constant_ns": 1e9, "tolerance_px": 1000.0}}, ["1e+09 ns", "10^5 dwells"], "warnings"),
    ],
)
def test_findings(plan: dict[str, Any], profile: dict[str, Any], words: list[str], verdict: str) -> None:
    report = check_flight(Program(plan_of(**plan), profile_of(**profile)))
    said = " ".join(finding.text for finding in report.findings)
    assert all(word in said for word in words), said
    assert report.verdict == verdict, said


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({}, "repeats in each pass of this order serpentine-blocks"),
        ({"passes": 1}, "during the one pass"),
        ({"pattern": {"kind": "spiral", "pitch": 2, "spacing": 2}}, "of this pattern spiral"),
        ({"order": {"kind": "delocalised"}}, None),
        ({"order": {"kind": "random"}}, None),
    ],
)
def test_motion_that_cannot_be_told_is_noted(plan: dict[str, Any], says: str | None) -> None:
    report = check_flight(Program(plan_of(**plan), profile_of()))
    notes = [finding.text for finding in report.findings if finding.level == "note"]
    assert len(notes) == (says is not None)
    assert says is None or (says in notes[0] and "delocalised" in notes[0])
    assert report.verdict in ("ok", "warnings")


def test_no_maps_of_a_grid_that_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(walk, "_LARGEST_MAP", 1000)
    program = Program(plan_of(), profile_of())
    report = check_flight(program)
    assert report.maps is None
    assert report.pixel_dose is None
    assert report.revisit_ns is None
    assert report.revisit_px is None
    draw_flight(program, report, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_lines_of_the_picture_are_moves() -> None:
    """None between samples between which the beam was outside the window, or that were left out."""
    from matplotlib.figure import Figure

    program = Program(plan_of((64, 64), order={"kind": "random"}), profile_of())
    axis = Figure().subplots()
    picture._draw_path(axis, program, ((0, 20), (0, 30)), "corner")
    moved = np.asarray(axis.lines[0].get_xydata())[:, ::-1]
    first = program.path.positions(0, 192)
    moves = {(*a, *b) for a, b in pairwise(map(tuple, first.tolist()))}
    drawn = [(*a, *b) for a, b in pairwise(map(tuple, moved.tolist())) if not np.isnan([*a, *b]).any()]
    assert drawn
    assert set(drawn) <= moves
    assert len(np.asarray(axis.collections[0].get_offsets())) == ((first[:, 0] < 20) & (first[:, 1] < 30)).sum()


def test_no_lines_where_samples_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    monkeypatch.setattr(picture, "_MOST_POINTS", 100)
    axis = Figure().subplots()
    picture._draw_path(axis, Program(plan_of(), profile_of()), ((0, 64), (0, 64)), "path")
    assert not axis.lines
    assert "one of 2 samples" in axis.get_title()


def test_the_part_that_is_shown_lies_where_samples_are() -> None:
    region = {"kind": "polygon", "points": [[10, 300], [10, 380], [60, 380]]}
    program = Program(plan_of((400, 400), region=region), profile_of())
    (top, bottom), (left, right) = picture._window(program)
    assert (bottom - top, right - left) == (128, 128)
    first = program.path.positions(0, program.plan.samples_per_pass)
    assert ((first >= (top, left)) & (first < (bottom, right))).all()


def test_pictures(tmp_path: Path) -> None:
    from PIL import Image

    for plan in (plan_of(), plan_of((200, 300)), plan_of((8, 8), passes=1, pattern={"kind": "uniform", "ratio": 0.02})):
        program = Program(plan, profile_of())
        path = tmp_path / f"{plan.shape[0]}.png"
        draw_flight(program, check_flight(program), path)
        with Image.open(path) as image:
            assert image.size[0] > 1000
        with pytest.raises(OutputExistsError):
            draw_flight(program, check_flight(program), path)
    with pytest.raises(UsageError, match=r"\.png"):
        draw_flight(program, check_flight(program), tmp_path / "a.tif")
