"""`stemscan plan check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stemscan.hardware.profile import profile_names, profile_text
from tests.cli.conftest import Stemscan


@pytest.fixture
def plan(stemscan: Stemscan) -> str:
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", "--pixel-size", "0.1nm", "-q").code == 0
    return "plan.yaml"


def test_a_report_for_people_and_for_programs(stemscan: Stemscan, plan: str) -> None:
    done = stemscan("plan", "check", plan, "-o", "flight.png")
    assert done.code == 0, done.err
    for word in (
        "duration",
        "settle",
        "flyback",
        "dose per pass",
        "e-/A^2",
        "histogram",
        "coil lag",
        "link",
        "codes per pixel",
    ):
        assert word in done.out
    assert Path("flight.png").stat().st_size > 10_000
    data = json.loads(stemscan("plan", "check", plan, "--json").out)
    assert data["samples"] == 4 * 64 * 3
    assert data["duration"]["total"] == sum(value for key, value in data["duration"].items() if key != "total")
    assert data["verdict"] in ("ok", "warnings")
    assert sum(pixels for _, _, pixels in data["pixel_dose_histogram"]) > 64 * 3
    ideal = json.loads(stemscan("plan", "check", plan, "--profile", "ideal", "--json").out)
    assert ideal["duration"]["total"] == 4 * 64 * 3 * 1000


def test_plans_beyond_what_is_walked(stemscan: Stemscan, plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stemscan.hardware.preflight.MOST_SAMPLES", 190)  # less than a pass
    part = stemscan("plan", "check", plan)
    assert "190 of them walked" in part.out
    assert "of the samples walked" in part.out
    assert "dose per pass" in part.out
    assert json.loads(stemscan("plan", "check", plan, "--json").out)["examined"] == 190
    whole = stemscan("plan", "check", plan, "--whole")
    assert "walked" not in whole.out


def test_profiles_and_template(stemscan: Stemscan, plan: str) -> None:
    listed = stemscan("plan", "check", "--profiles").out
    assert all(name in listed for name in profile_names())
    text = stemscan("plan", "check", "--template").out
    assert text == profile_text("template")
    Path("mine.yaml").write_text(text.replace("name: template", "name: mine"))
    done = stemscan("plan", "check", plan, "--profile", "mine.yaml")
    assert done.code == 0
    assert "on mine" in done.out


def test_what_must_not_run_has_exit_code_1(stemscan: Stemscan) -> None:
    limited = ["--pixel-size", "0.1nm", "--max-dose", "2"]
    assert stemscan("plan", "-o", "plan.yaml", "--shape", "64x64", *limited, "-q").code == 0
    done = stemscan("plan", "check", "plan.yaml", "--profile", "template")
    assert done.code == 1
    assert "cannot run" in done.out
    assert "limit of 2" in done.out


def test_a_verdict_in_json_where_the_controller_cannot(stemscan: Stemscan) -> None:
    assert stemscan("plan", "-o", "short.yaml", "--shape", "64x64", "--dwell", "50ns", "-q").code == 0
    done = stemscan("plan", "check", "short.yaml", "--json")
    assert done.code == 1
    data = json.loads(done.out)
    assert (data["plan"], data["profile"], data["verdict"]) == ("short.yaml", "obi", "cannot run")
    assert [finding["level"] for finding in data["findings"]] == ["error"]
    assert data["findings"][0]["text"] in done.err
    assert stemscan("plan", "check", "short.yaml").out == ""


BAD = [
    ([], 2, "PLAN"),
    (["none.yaml"], 2, "none.yaml"),
    (["plan.yaml", "--profile", "obo"], 2, "obi"),
    (["plan.yaml", "-o", "a.tif"], 2, ".png"),
    (["plan.yaml", "-o", "none/a.png"], 2, "none"),
    (["plan.yaml", "-o", "plan.yaml"], 2, "plan.yaml"),
    (["short.yaml"], 1, "250 ns"),
    (["plan.yaml", "--profile", "bad.yaml"], 1, "grid"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(arguments) for arguments, _, _ in BAD])
def test_bad_use_is_one_sentence(stemscan: Stemscan, plan: str, arguments: list[str], code: int, words: str) -> None:
    assert stemscan("plan", "-o", "short.yaml", "--shape", "64x64", "--dwell", "50ns", "-q").code == 0
    Path("bad.yaml").write_text("name: x\ndwell: {quantum_ns: 1, largest: 3}\n")
    before = sorted(Path().iterdir())
    done = stemscan("plan", "check", *arguments)
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert words in done.err
    assert sorted(Path().iterdir()) == before
