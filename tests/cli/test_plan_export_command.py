"""`stemscan plan export` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stemscan.hardware.exporters import FORMATS, read_csv, read_nexus
from stemscan.plan import ScanPlan
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


def test_json_report(planned: Stemscan) -> None:
    done = planned("plan", "export", "p.yaml", "--to", "nexus", "-o", "p.nxs", "--json")
    report = json.loads(done.out)
    assert report["size_bytes"] == Path("p.nxs").stat().st_size
    assert (report["format"], report["output"], report["profile"]) == ("nexus", "p.nxs", None)
    assert (report["samples"], report["points"], report["passes"]) == (288, 288, 4)
    assert (report["dwell_ns"], report["dwell_written_ns"], report["dwell_error_ns"]) == (1000, 1000, 0)
    assert (report["position_error_mean_px"], report["position_error_max_px"]) == (0, 0)
    assert read_nexus(Path("p.nxs")).pixel_size_nm == 0.02


def test_help_names_every_format(stemscan: Stemscan) -> None:
    out = " ".join(stemscan("plan", "export", "--help").out.split())
    assert all(name in out for name in FORMATS)


def test_quiet(planned: Stemscan) -> None:
    assert planned("plan", "export", "p.yaml", "--to", "npy", "-o", "p.npy", "--quiet").out == ""


WRONG = [
    (["p.yaml", "--to", "digiscan", "-o", "a.csv"], "expected one of fei-stream,", 2),
    (["p.yaml", "-o", "a.csv"], "--to", 2),
    (["p.yaml", "--to", "csv"], "--output", 2),
    (["p.yaml", "--to", "csv", "-o", "p.yaml", "--overwrite"], ".csv or .txt", 2),
    (["p.yaml", "--to", "csv", "-o", "nowhere/a.csv"], "'nowhere', which does not exist", 2),
    (["p.yaml", "--to", "csv", "-o", "a.csv", "--profile", "obi"], "--profile: expected none for csv", 2),
    (["q.yaml", "--to", "csv", "-o", "a.csv"], "q.yaml", 2),
]


@pytest.mark.parametrize(("arguments", "words", "code"), WRONG, ids=range(len(WRONG)))
def test_wrong_use(planned: Stemscan, arguments: list[str], words: str, code: int) -> None:
    done = planned("plan", "export", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["p.yaml"]


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
