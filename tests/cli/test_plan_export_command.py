"""`stemscan plan export` through the real command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stemscan.hardware.exporters import FORMATS, read_csv, read_de_freescan, read_fei_stream, read_nexus
from stemscan.hardware.profile import profile_text
from stemscan.plan.scan_plan import ScanPlan
from tests.cli.conftest import Stemscan

PLAN = ("plan", "-o", "p.yaml", "--shape", "32x48", "--quiet", "--pixel-size", "0.02nm")


@pytest.fixture
def planned(stemscan: Stemscan) -> Stemscan:
    """The command line in a folder with a plan."""
    assert stemscan(*PLAN).code == 0
    return stemscan


def test_csv_and_its_report(planned: Stemscan) -> None:
    done = planned("plan", "export", "p.yaml", "--to", "csv", "-o", "p.csv")
    assert (done.code, done.err) == (0, "")
    for words in ("p.csv: csv", "288 in 4 passes", "positions   exact", "dwell time  not in the file", "bytes"):
        assert words in done.out
    assert len(read_csv(Path("p.csv"))) == 288


def test_one_pass_is_no_passes(planned: Stemscan) -> None:
    done = planned("plan", "-o", "one.yaml", "--shape", "8x8", "--pattern", "raster", "--passes", 1)
    assert "1 passes" not in done.out
    assert "1 visits" not in done.out
    out = planned("plan", "export", "one.yaml", "--to", "csv", "-o", "one.csv").out
    assert "64 in 1 pass\n" in out


def test_json_report(planned: Stemscan) -> None:
    done = planned("plan", "export", "p.yaml", "--to", "nexus", "-o", "p.nxs", "--json")
    report = json.loads(done.out)
    assert report["size_bytes"] == Path("p.nxs").stat().st_size
    assert (report["format"], report["output"], report["profile"]) == ("nexus", "p.nxs", None)
    assert (report["samples"], report["points"], report["passes"]) == (288, 288, 4)
    assert (report["dwell_ns"], report["dwell_written_ns"], report["dwell_error_ns"]) == (1000, 1000, 0)
    assert (report["position_error_px"], report["codes_per_pixel"]) == (0, None)
    assert read_nexus(Path("p.nxs")).pixel_size_nm == 0.02


def test_stream_file_and_what_it_costs(planned: Stemscan) -> None:
    odd = ("--shape", "30x3000", "--pattern", "raster", "--passes", 1, "--dwell", "1010ns")
    assert planned("plan", "-o", "odd.yaml", *odd, "--quiet").code == 0
    done = planned("plan", "export", "odd.yaml", "--to", "fei-stream", "-o", "odd.str")
    assert (done.code, done.err) == (0, "")
    assert "exact, 21 codes per pixel" in done.out
    assert "1.000 us (-0.99 %, 1.010 us in the plan)" in done.out
    Path("own.yaml").write_text(profile_text("fei-stream").replace("integer", "stretch") + "flyback_ns: 30000\n")
    done = planned(
        "plan", "export", "odd.yaml", "--to", "fei-stream", "-o", "own.str", "--profile", "own.yaml", "--json"
    )
    report = json.loads(done.out)
    assert 0 < report["position_error_px"] <= 0.5 / report["codes_per_pixel"]
    assert (report["dwell_written_ns"], report["dwell_error_ns"]) == (1000, -10)
    assert report["points"] == len(read_fei_stream(Path("own.str")).x) == report["samples"] + 29 + 1


def test_help_names_every_format(stemscan: Stemscan) -> None:
    out = " ".join(stemscan("plan", "export", "--help").out.split())
    assert all(name in out for name in FORMATS)


def test_quiet(planned: Stemscan) -> None:
    assert planned("plan", "export", "p.yaml", "--to", "npy", "-o", "p.npy", "--quiet").out == ""


EXPORTS = {
    "fei-stream": ("a.str", "289 points, 1 of them blanked, run 1 time", "points", 289),
    "fei-stream-12": ("b.str", "288 points, 0 of them blanked", "points", 288),
    "de-freescan": ("scan", "4 passes", "passes", 4),
    "csv": ("a.csv", "rows 0 to 31, columns 0 to 47", "points", 288),
    "npy": ("a.npy", "4 x 72 x 2", "shape", [4, 72, 2]),
    "nexus": ("a.nxs", "block-random, serpentine-blocks", "dwell_ns", 1000),
    "abtem": ("b.npy", "288 x 2", "dtype", "float64"),
    "py4dstem": ("c.npy", "float64", "shape", [288, 2]),
    "odemis": ("d.npy", "float64", "shape", [288, 2]),
}


def test_info_names_every_export(planned: Stemscan) -> None:
    assert EXPORTS.keys() == FORMATS.keys()
    for to, (name, words, key, value) in EXPORTS.items():
        assert planned("plan", "export", "p.yaml", "--to", to, "-o", name).code == 0
        Path(name).rename("exported")  # whose content tells
        done = planned("info", "exported")
        assert (done.code, done.err) == (0, "")
        assert words in done.out
        told = json.loads(planned("info", "exported", "--json").out)
        assert (told["type"], told[key]) == ("export", value)
        assert to in told["format"]
        assert told["size_bytes"] > 0
        Path("exported").rename(name)
    assert ScanPlan.load("p.yaml").digest() in planned("info", "a.nxs").out


def test_info_of_damaged_exports_and_other_things(planned: Stemscan) -> None:
    planned("plan", "export", "p.yaml", "--to", "fei-stream", "-o", "a.str")
    Path("a.str").write_bytes(Path("a.str").read_bytes()[:-20])
    os.mkfifo("pipe")
    for name, words, code in (("a.str", "a.str: expected", 1), ("pipe", "which is a pipe", 2)):
        done = planned("info", name)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
        assert words in done.err


WRONG = [
    (["p.yaml", "--to", "digiscan", "-o", "a.csv"], "expected one of abtem, csv, de-freescan,", 2),
    (["p.yaml", "-o", "a.csv"], "--to", 2),
    (["p.yaml", "--to", "csv"], "--output", 2),
    (["p.yaml", "--to", "csv", "-o", "p.yaml", "--overwrite"], ".csv or .txt", 2),
    (["p.yaml", "--to", "csv", "-o", "nowhere/a.csv"], "'nowhere', which does not exist", 2),
    (["p.yaml", "--to", "csv", "-o", "a.csv", "--profile", "obi"], "--profile: expected none for csv", 2),
    (["p.yaml", "--to", "fei-stream", "-o", "a.str", "--profile", "none"], "expected a controller profile of", 2),
    (["wide.yaml", "--to", "fei-stream-12", "-o", "a.str"], "4095 columns for fei-stream-12, got (0, 4095) at", 1),
    (["q.yaml", "--to", "csv", "-o", "a.csv"], "q.yaml", 2),
]


@pytest.mark.parametrize(("arguments", "words", "code"), WRONG, ids=range(len(WRONG)))
def test_wrong_use(planned: Stemscan, arguments: list[str], words: str, code: int) -> None:
    wide = ("--shape", "1x5000", "--pattern", "raster", "--passes", 1)
    assert planned("plan", "-o", "wide.yaml", *wide, "--quiet").code == 0
    done = planned("plan", "export", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["p.yaml", "wide.yaml"]


def test_nothing_is_overwritten_unasked(planned: Stemscan) -> None:
    arguments = ("plan", "export", "p.yaml", "--to", "csv", "-o", "p.csv")
    assert planned(*arguments).code == 0
    assert planned(*arguments).code == 2
    assert planned(*arguments, "--overwrite").code == 0


def test_without_pixel_size(stemscan: Stemscan) -> None:
    stemscan(*PLAN[:-2])
    done = stemscan("plan", "export", "p.yaml", "--to", "abtem", "-o", "a.npy")
    assert done.code == 1
    assert "pixel_size_nm" in done.err
    assert ScanPlan.load("p.yaml").pixel_size_nm is None


def test_the_field_of_each_pass_moves(planned: Stemscan) -> None:
    plan = ScanPlan.load(Path("p.yaml"))
    corners = [[8, 8], [8, 32], [24, 32], [24, 8]]
    plan.replace(region={"kind": "polygon", "points": corners}).save("p.yaml", overwrite=True)
    places = {}
    for name, more in (("here", ()), ("there", ("--offset", "2.4,-1.6")), ("each", EACH)):
        done = planned("plan", "export", "p.yaml", "--to", "de-freescan", "-o", name, *more)
        assert done.code == 0, done.err
        places[name] = read_de_freescan(Path(name)).coordinates
    assert {*map(tuple, (places["there"] - places["here"]).tolist())} == {(-2, 2)}  # (x, y), whole pixels
    moved = (places["each"] - places["here"]).reshape(4, -1, 2)
    assert moved[:, 0].tolist() == [[0, 0], [1, -1], [2, -2], [3, -3]]
    for to, name in (("csv", "p.csv"), ("npy", "p.npy"), ("nexus", "p.nxs")):
        refused = planned("plan", "export", "p.yaml", "--to", to, "-o", name, "--offset", "-9,0")
        assert (refused.code, "for pass 1, of which it has (-8, 0)" in refused.err) == (2, True), refused.err
        assert not Path(name).exists()
    assert planned("plan", "export", "p.yaml", "--to", "odemis", "-o", "o.npy", "--offset", "-9,0").code == 0


EACH = ("--offset", "0,0", "--offset", "-1,1", "--offset", "-2,2", "--offset", "-3,3")


def test_codes_move_by_parts_of_pixels_where_the_profile_leaves_room(planned: Stemscan) -> None:
    Path("own.yaml").write_text(profile_text("fei-stream").replace("fit: integer", "fit: integer, margin: 0.2"))
    write = ("plan", "export", "p.yaml", "--to", "fei-stream", "--profile", "own.yaml")
    assert planned(*write, "-o", "a.str").code == 0
    assert planned(*write, "-o", "b.str", "--offset", "1.5,-0.25").code == 0
    here, there = (read_fei_stream(Path(name)) for name in ("a.str", "b.str"))
    step = 836  # codes per pixel: 0.6 * 65536 over 47 pixels, a whole number
    assert {*(there.x - here.x).tolist()} - {0} == {-round(0.25 * step)}
    assert {*(there.y - here.y).tolist()} - {0} == {round(1.5 * step)}
    shipped = planned("plan", "export", "p.yaml", "--to", "fei-stream", "-o", "c.str", "--offset", "100,0")
    assert (shipped.code, "grid.margin" in shipped.err) == (2, True), shipped.err


@pytest.mark.parametrize("offset", ["3", "a,b", "nan,0"])
def test_offsets_that_are_none(planned: Stemscan, offset: str) -> None:
    done = planned("plan", "export", "p.yaml", "--to", "csv", "-o", "p.csv", "--offset", offset)
    assert (done.code, "--offset: expected" in done.err) == (2, True), done.err
    two = planned("plan", "export", "p.yaml", "--to", "csv", "-o", "p.csv", "--offset", "0,0", "--offset", "0,0")
    assert "one for each of 4 passes, got 2" in two.err
