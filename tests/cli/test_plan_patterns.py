"""`stemscan plan` with patterns, orders and regions that take more than numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from tests.cli.conftest import Stemscan

SMALL = ("plan", "-o", "plan.yaml", "--shape", "64x64", "--passes", 1)


@pytest.mark.parametrize(
    "options",
    [
        ("--pattern", "spiral", "--pitch", 3, "--spacing", 2),
        ("--pattern", "spiral", "--polygon", "5,5 5,50 50,30"),
        ("--pattern", "lissajous", "--cycles", "7x8", "--ratio", 0.2),
        ("--pattern", "blue-noise", "--ratio", 0.1, "--order", "shortest", "--max-jump", 12),
        ("--pattern", "hilbert"),
        ("--pattern", "random-walk", "--ratio", 0.1, "--step", 2),
        ("--pattern", "interleaved", "--row-stride", 4),
        ("--order", "delocalised", "--polygon", "5,5 5,50 50,30"),
        ("--order", "settle-aware", "--settle-time", "30us", "--tolerance", 1),
        ("--order", "settle-aware", "--settle-table", "0=0ns 10=5us 500=100us"),
    ],
)
def test_plans_are_written_and_read_again(stemscan: Stemscan, options: tuple[str | float, ...]) -> None:
    done = stemscan(*SMALL, *options)
    assert (done.code, done.err) == (0, "")
    plan = ScanPlan.load("plan.yaml")
    assert len(ScanPath(plan).positions(0, len(ScanPath(plan)))) == plan.total_samples
    assert ("beyond the limit" in done.out) == ("--max-jump" in options)
    assert stemscan("info", "plan.yaml").code == 0


def test_list_and_mask_are_named_relative_to_the_plan(stemscan: Stemscan) -> None:
    Path("plans").mkdir()
    Path("points.csv").write_text("".join(f"{index},{index}\n" for index in range(64)))
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 10:20] = 1
    np.save("mask.npy", mask)
    done = stemscan(
        *("plan", "-o", "plans/a.yaml", "--shape", "64x64", "--pattern", "list", "--points", "points.csv"),
        *("--mask", "mask.npy"),
    )
    assert (done.code, done.err) == (0, "")
    plan = ScanPlan.load("plans/a.yaml")
    assert plan.to_dict()["pattern"]["file"] == "../points.csv"
    assert plan.samples_per_pass == 10
    assert ScanPath(plan).positions(0, 10)[:, 1].tolist() == list(range(10, 20))
    Path("points.csv").write_text("1,1\n2,2\n")
    failed = stemscan("info", "plans/a.yaml")
    assert failed.code == 1
    assert "the plan was made with" in failed.err


def test_an_order_settles_as_a_profile_does(stemscan: Stemscan) -> None:
    aware = ("--order", "settle-aware", "--settle-profile")
    assert stemscan(*SMALL, *aware, "template").code == 0
    assert ScanPlan.load("plan.yaml").to_dict()["order"]["settle"] == {"time_constant_ns": 5000, "tolerance_px": 0.5}
    table = "{per_jump: [[0, 0], [1.5, 1000.4]]}"
    Path("mine.yaml").write_text(
        f"name: a\ngrid: {{columns: 64, rows: 64}}\ndwell: {{quantum_ns: 1, largest: 9}}\nsettle: {table}"
    )
    assert stemscan(*SMALL, *aware, "mine.yaml", "--overwrite").code == 0
    settle = {"per_jump": [[0, 0], [1.5, 1000]]}
    assert ScanPlan.load("plan.yaml").to_dict()["order"]["settle"] == settle


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--order", "settle-aware", "--settle-profile", "ideal"), "waits after moves, got ideal"),
        (("--order", "settle-aware", "--settle-profile", "obo"), "got 'obo'"),
        (("--order", "settle-aware", "--settle-profile", "obi", "--tolerance", 1), "--settle-profile alone"),
        (("--order", "settle-aware", "--settle-table", "1=1us", "--settle-time", "1us"), "--settle-table alone"),
        (("--settle-profile", "obi"), "--settle-profile: expected --order settle-aware"),
        (("--order", "settle-aware", "--settle-time", "2.5ns"), "--settle-time: expected whole nanoseconds"),
        (("--order", "settle-aware", "--settle-time", "5"), "a time constant with a unit"),
        (("--order", "shortest", "--max-jump", -3), "order.max_jump_px: expected greater than or equal to 1, got -3"),
        (("--pattern", "list"), "--points: expected a value"),
        (("--pattern", "list", "--points", "none.csv"), "none.csv"),
        (("--pattern", "hilbert", "--points", "none.csv"), "--points: expected no such option"),
        (("--pattern", "lissajous", "--cycles", "7", "--ratio", 0.1), "--cycles: expected two whole numbers"),
        (("--polygon", "1,2 3,4"), "at least 3"),
        (("--polygon", "1,2 3"), "--polygon: expected corners"),
        (("--polygon", "1,2 3,4 9,9", "--mask", "none.npy"), "--polygon or --mask"),
        (("--mask", "none.npy"), "none.npy"),
        (("--max-jump", 5), "--max-jump: expected --order shortest"),
        (("--tolerance", 5), "--tolerance: expected --order settle-aware"),
        (("--order", "settle-aware", "--settle-table", "5"), "--settle-table: expected PIXELS=TIME"),
        (("--order", "own"), "order.kind: expected the order own"),
        (("--pattern", "spiral", "--polygon", "0,0 0,2 2,0"), "inside the region, got none"),
    ],
)
def test_wrong_use(stemscan: Stemscan, options: tuple[str | float, ...], message: str) -> None:
    done = stemscan(*SMALL, *options)
    assert done.code == 2
    assert message in done.err
    assert not Path("plan.yaml").exists()


@pytest.mark.parametrize("options", [("--points", "xy.csv"), ("--points", "xy.npy", "--columns", "x,y")])
def test_points_by_the_names_of_their_columns(stemscan: Stemscan, options: tuple[str, ...]) -> None:
    Path("xy.csv").write_text("x,y\n20,3\n10,7\n")
    np.save("xy.npy", np.array([[20, 3], [10, 7]]))
    plan = ("plan", "-o", "p.yaml", "--pattern", "list", "--shape", "32x32", "--passes", 1)
    assert stemscan(*plan, *options).code == 0
    assert stemscan("plan", "export", "p.yaml", "--to", "csv", "-o", "back.csv").code == 0
    assert Path("back.csv").read_text() == "row,column\n3,20\n7,10\n"


def test_points_between_pixels_are_rounded_when_that_is_asked_for(stemscan: Stemscan) -> None:
    np.save("atoms.npy", np.array([[4.0, 0.61], [1.98, 1.4]]))  # x, y in angstrom, as abTEM has positions
    plan = (
        "plan",
        "-o",
        "p.yaml",
        "--pattern",
        "list",
        "--shape",
        "32x32",
        "--pixel-size",
        "0.2A",
        "--points",
        "atoms.npy",
    )
    named = (*plan, "--columns", "x [A],y [A]")
    refused = stemscan(*named)
    assert (refused.code, "--round" in refused.err) == (1, True)
    assert not list(Path().glob("p*"))
    done = stemscan(*named, "--round")
    assert (done.code, done.err) == (0, "")
    assert "on pixels in p-points.npy, moved by at most 0.1 px" in done.out
    assert np.load("p-points.npy").tolist() == [[3, 20], [7, 10]]
    assert stemscan("info", "p.yaml").code == 0
    again = stemscan(*named, "--round", "--overwrite", "--json")
    assert json.loads(again.out)["moved_at_most_px"] == pytest.approx(0.1)
    Path("p.yaml").unlink()
    taken = stemscan(*named, "--round")
    assert (taken.code, "p-points.npy" in taken.err) == (2, True) or "exists" in taken.err


def test_rounding_needs_points(stemscan: Stemscan) -> None:
    done = stemscan("plan", "-o", "p.yaml", "--round")
    assert (done.code, "--points" in done.err) == (2, True)
