"""Stream files: what is written is what the program says, in the units that line 1 names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from hypothesis import assume, given, settings

from stemscan.errors import ProfileError, UsageError
from stemscan.hardware.exporters import StreamFile, export, read_fei_stream
from stemscan.hardware.exporters import source as source_module
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of


def said(program: Program) -> dict[str, npt.NDArray[Any]]:
    """All that a program tells the controller."""
    steps = program.steps(0, program.plan.total_samples)
    return {name: np.asarray(getattr(steps, name)) for name in ("x", "y", "dwell", "blanked", "sample")}


def check(file: StreamFile, program: Program) -> None:
    """The stream file is the program, and ends where the beam is left."""
    told = said(program)
    coarser = file.unit_ns // program.profile.dwell.quantum_ns
    assert (coarser > 1) == (program.profile.dwell.quantum_ns == 25 and not (told["dwell"] % 4).any())
    told["dwell"] = told["dwell"] // coarser
    number = len(told["x"])
    for name in ("x", "y", "dwell", "blanked"):
        assert np.array_equal(getattr(file, name)[:number], told[name]), name
    assert len(file.x) - number == (program.profile.blanker != "none")
    if park := program.profile.park:
        assert (file.y[-1], file.x[-1], file.dwell[-1], file.blanked[-1]) == (*park, 1, True)
    assert file.bits == program.profile.grid.bits
    assert file.repeats == 1


@given(plan=plans(max_side=24, max_passes=3))
@settings(max_examples=25)
@pytest.mark.parametrize("name", ["fei-stream", "fei-stream-12"])
def test_round_trip(name: str, plan: ScanPlan) -> None:
    try:
        program = Program(plan, load_profile(name))
    except ProfileError:
        assume(False)
    with Written(plan, name, "a.str") as (path, report):
        check(read_fei_stream(path), program)
        assert path.read_bytes().count(b"\n") == report.points + 3
    assert report.samples == plan.total_samples
    assert report.profile == name


def test_the_first_lines(tmp_path: Path) -> None:
    plan = plan_of(pattern={"kind": "raster"}, shape=[2, 2], passes=2)
    export(plan, "fei-stream", tmp_path / "a.str")
    lines = (tmp_path / "a.str").read_text().splitlines()
    assert lines[:3] == ["s16", "1", "9"]
    assert len(lines) == 12
    assert [line.split()[0] for line in lines[3:]] == ["10"] * 8 + ["1"]
    assert lines[-1] == "1 32768 28288 0"


def test_units_of_25_ns_only_where_they_are_needed(tmp_path: Path) -> None:
    odd = own_profile(tmp_path, settle={"per_jump": [[0, 0], [9, 225]]})
    for dwell_ns, profile, first in ((1000, None, "s16"), (1025, None, "s16,25ns"), (1000, odd, "s16,25ns")):
        export(plan_of(dwell_ns=dwell_ns), "fei-stream", tmp_path / "a.str", profile=profile, overwrite=True)
        assert (tmp_path / "a.str").read_text().splitlines()[0] == first
        assert read_fei_stream(tmp_path / "a.str").blanked[-1]


def test_the_beam_is_left_blanked_on_the_last_sample_without_a_place_to_park(tmp_path: Path) -> None:
    export(plan_of(), "fei-stream", tmp_path / "a.str", profile=own_profile(tmp_path, park=None))
    file = read_fei_stream(tmp_path / "a.str")
    assert file.blanked.tolist() == [False] * (len(file.x) - 1) + [True]
    assert (file.x[-1], file.y[-1]) == (file.x[-2], file.y[-2])


def test_corners_are_blanked_and_make_the_points_fill_the_field(tmp_path: Path) -> None:
    report = export(plan_of(), "fei-stream", tmp_path / "a.str", corners=True)
    file = read_fei_stream(tmp_path / "a.str")
    assert (file.x.min(), file.x.max(), file.y.min(), file.y.max()) == (0, 65535, 0, 56575)
    assert report.points == len(file.x) == plan_of().total_samples + 3
    assert np.flatnonzero(file.blanked).tolist() == [len(file.x) - 3, len(file.x) - 2, len(file.x) - 1]
    with pytest.raises(ProfileError, match="would be exposed"):
        export(plan_of(), "fei-stream-12", tmp_path / "b.str", corners=True)
    with pytest.raises(UsageError, match="--corners"):
        export(plan_of(), "csv", tmp_path / "b.csv", corners=True)


def own_profile(folder: Path, **changes: Any) -> Path:
    """A profile of one's own, made from the shipped one."""
    data = load_profile("fei-stream").model_dump(mode="json") | {"name": "own"} | changes
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_settles_are_blanked_points(tmp_path: Path) -> None:
    profile = own_profile(tmp_path, settle={"time_constant_ns": 5000, "tolerance_px": 0.5}, blanker="inline")
    plan = plan_of()
    report = export(plan, "fei-stream", tmp_path / "a.str", profile=profile)
    file = read_fei_stream(tmp_path / "a.str")
    program = Program(plan, load_profile(str(profile)))
    check(file, program)
    assert report.points == len(file.x) > plan.total_samples
    assert np.array_equal(file.blanked[:-1], said(program)["sample"] < 0)
    assert report.profile == "own"


@given(plan=plans(max_side=24, max_passes=3))
@settings(max_examples=15)
def test_round_trip_with_rounding_settles_and_flybacks(
    tmp_path_factory: pytest.TempPathFactory, plan: ScanPlan
) -> None:
    grid = {"bits": 16, "columns": 65536, "rows": 56576, "fit": "stretch"}
    profile = own_profile(
        tmp_path_factory.mktemp("own"), grid=grid, settle={"per_jump": [[0, 0], [9, 9000]]}, flyback_ns=30000
    )
    try:
        program = Program(plan, load_profile(profile))
    except ProfileError:
        assume(False)
    with Written(plan, "fei-stream", "a.str", profile=profile) as (path, report):
        check(read_fei_stream(path), program)
    assert report.position_error_px == program.quantisation.position_error_px


def test_without_blanker_there_is_no_fourth_number(tmp_path: Path) -> None:
    export(plan_of(), "fei-stream", tmp_path / "a.str", profile=own_profile(tmp_path, blanker="none"))
    assert {len(line.split()) for line in (tmp_path / "a.str").read_text().splitlines()[3:]} == {3}


def test_bytes_do_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = own_profile(tmp_path, settle={"time_constant_ns": 5000, "tolerance_px": 0.5}, flyback_ns=30000)
    export(plan_of(), "fei-stream", tmp_path / "a.str", profile=profile)
    monkeypatch.setattr(source_module, "BATCH", 7)
    export(plan_of(), "fei-stream", tmp_path / "b.str", profile=profile)
    assert (tmp_path / "a.str").read_bytes() == (tmp_path / "b.str").read_bytes()


@pytest.mark.parametrize(
    ("to", "profile", "changes", "words"),
    [
        ("fei-stream-12", None, {"shape": [16, 4200]}, ("4095 columns", "at sample")),
        ("fei-stream-12", None, {"shape": [3900, 16]}, ("3816 rows", "at sample")),
        ("fei-stream", None, {"dwell_ns": 10**12}, ("1000000000000 ns", "5000000 ns")),
        ("fei-stream-12", None, {"dwell_ns": 5_000_100}, ("5000100 ns", "5000000 ns")),
        ("fei-stream", "obi", {}, ("'obi'", "14 bits")),
        ("fei-stream", "de-freescan", {}, ("'de-freescan' of pixels",)),
        ("fei-stream", "fei-stream-12", {}, ("16-bit stream file", "of 12 bits")),
        ("fei-stream-12", "fei-stream", {}, ("quantum of 100 ns for a 12-bit stream file", "of 16 bits with 25 ns")),
    ],
)
def test_what_cannot_be_said(
    tmp_path: Path, to: str, profile: str | None, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ProfileError) as problem:
        export(plan_of(**changes), to, tmp_path / "a.str", profile=profile)
    assert [word for word in words if word not in str(problem.value)] == []
    assert list(tmp_path.iterdir()) == []
