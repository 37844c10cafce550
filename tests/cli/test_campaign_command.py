"""`stemscan campaign` through the real command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from stemscan.recon.evaluation.campaign.settings import template_text
from tests.cli.conftest import Stemscan
from tests.recon.evaluation.campaign.kit import campaign_text

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster with one worker in this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def write(**keys: object) -> None:
    """A campaign file in the working folder."""
    Path("c.yaml").write_text(campaign_text(doses="[10]", **keys))


def test_template_and_check(stemscan: Stemscan) -> None:
    done = stemscan("campaign", "--template")
    assert (done.code, done.out) == (0, template_text())
    Path("c.yaml").write_text(done.out)
    done = stemscan("campaign", "c.yaml", "-o", "d", "--check")
    assert done.code == 0
    assert done.out.startswith("16 acquisitions: 4 specimens x 2 plans and doses x 1 instrument x 2 seeds\n")
    assert json.loads(stemscan("campaign", "c.yaml", "-o", "d", "--check", "--json").out)["samples"] == 49152
    assert not Path("d").exists()


def test_made_and_gone_on_with(stemscan: Stemscan, scheduler: str) -> None:
    write(seeds="1")
    done = stemscan("campaign", "c.yaml", "-o", "d", "--scheduler", scheduler)
    assert (done.code, done.err) == (0, "")
    assert "\ndashboard: http" in done.out
    assert "\nd: 2 acquisitions, 2 made now, 0 failures\n" in done.out
    names = {"campaign.yaml", "campaign.json", "results.jsonl", "summary.parquet", "times.parquet"}
    assert {path.name for path in Path("d").iterdir()} == names
    assert Path("d/campaign.yaml").read_text() == Path("c.yaml").read_text()
    write(seeds="[1, 2]")
    done = stemscan("campaign", "c.yaml", "-o", "d", "--scheduler", scheduler, "--resume", "--json")
    told = json.loads(done.out)
    assert (told["acquisitions"], told["computed"], told["rows"], told["failed"]) == (4, 2, 8, 0)
    assert [one["contender"] for one in told["means"]] == ["normconv", "nearest"]
    assert pyarrow.parquet.read_table("d/summary.parquet").num_rows == 8
    again = stemscan("campaign", "c.yaml", "-o", "d", "--scheduler", scheduler)
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "--resume goes on with it" in again.err


def test_failures_are_listed_and_the_rest_is_kept(stemscan: Stemscan, scheduler: str) -> None:
    Path("mine.py").write_text("def broken(inputs):\n    raise ZeroDivisionError('never')\n")
    write(methods="[nearest, 'mine.py:broken']", specimens="['synthetic:5/0']")
    done = stemscan("campaign", "c.yaml", "-o", "d", "--scheduler", scheduler, "--json", "--retries", 1)
    assert done.code == 1
    told = json.loads(done.out)
    assert (told["failed"], told["rows"]) == (1, 2)
    assert told["failures"][0]["contender"] == "mine.py:broken"
    assert "expected every acquisition to work, got 1 failure in 2 rows, first mine.py:broken" in done.err
    assert "--resume tries them again" in done.err
    assert done.err.splitlines()[0].startswith("warning: synthetic:5/0, plan 1, 10 e- per sample")


BAD = [
    (("c.yaml", "-o", "none/d"), 2, "none"),
    (("none.yaml", "-o", "d"), 2, "none.yaml"),
    (("c.yaml", "-o", "d", "--resume", "--overwrite"), 2, "got both"),
    (("c.yaml", "-o", "d", "--scheduler", "tcp://127.0.0.1:9", "--processes", 2), 2, "--processes"),
    (("c.yaml", "-o", "d", "--retries", -1), 2, "--retries"),
    (("c.yaml", "-o", "d", "--processes", 0), 2, "--processes"),
    (("c.yaml",), 2, "--output"),
    (("bad.yaml", "-o", "d"), 2, "bad.yaml: seed (line 6): expected one of version"),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD, ids=[" ".join(map(str, one[0])) for one in BAD])
def test_bad_use_is_one_sentence(stemscan: Stemscan, words: tuple[object, ...], code: int, message: str) -> None:
    write()
    Path("bad.yaml").write_text(campaign_text(seed=1))
    done = stemscan("campaign", *words)
    assert (done.code, done.err.count("\n")) == (code, 1), done.err
    assert message in done.err
    assert not Path("d").exists()


@pytest.mark.parametrize(("package", "extra"), [("distributed", "cluster"), ("pyarrow", "parquet")])
def test_missing_packages_are_told_before_the_work(
    stemscan: Stemscan, monkeypatch: pytest.MonkeyPatch, package: str, extra: str
) -> None:
    write()
    monkeypatch.setitem(sys.modules, package, None)
    done = stemscan("campaign", "c.yaml", "-o", "d")
    assert (done.code, Path("d").exists()) == (1, False)
    assert f"expected {'the package ' if package == 'distributed' else ''}{package}" in done.err
    assert f"stemscan[{extra}]" in done.err
