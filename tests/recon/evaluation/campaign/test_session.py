"""Whole campaigns in this process: what is missing is made, and the tables have the same bytes always."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from stemscan.errors import InputNotFoundError, OutputExistsError, StoreMismatchError
from stemscan.plan.dose import Dose
from stemscan.recon.evaluation.campaign import folder as folders
from stemscan.recon.evaluation.campaign import work
from stemscan.recon.run import reconstruct
from stemscan.simulators.session import simulate
from tests.recon.evaluation.campaign.kit import PLAN, Pretended, Stopping, design, run, tables


def rows(folder: Path, name: str = "summary") -> list[dict[str, Any]]:
    """Rows of a table."""
    return list(pyarrow.parquet.read_table(folder / f"{name}.parquet").to_pylist())


def test_a_campaign_is_what_simulate_and_recon_do(tmp_path: Path) -> None:
    report = run(design(seeds="[3]", paths="seed", instruments="[drifting]"), tmp_path / "d")
    assert (report.acquisitions, report.computed, report.summary.rows, report.summary.failed) == (4, 4, 8, 0)
    found = rows(tmp_path / "d")
    assert [row["contender"] for row in found] == ["normconv", "nearest"] * 4
    assert [row["electrons_per_sample"] for row in found[::2]] == [10, 40, 10, 40]
    one = next(iter(design(seeds="[3]", paths="seed").jobs()))
    store = simulate(one.scan_plan(), "synthetic:5/0", tmp_path / "a.zarr", seed=3, instrument="drifting")
    made = reconstruct(store, "normconv")
    assert store.truth is not None
    assert found[0]["record_sha256"] == store.digest()
    assert found[0]["plan_sha256"] == store.plan_digest
    assert found[0]["samples"] == 768
    from stemscan.recon.inputs.reading import load_inputs
    from stemscan.recon.metrics import compare

    truth = load_inputs(store).truth
    assert truth is not None
    assert found[0]["psnr"] == pytest.approx(compare(made.image, truth).psnr, abs=1e-9)
    times = rows(tmp_path / "d", "times")
    assert all(row["attempts"] == 1 and row["scan_processor_seconds"] > 0 and row["store_bytes"] > 0 for row in times)


def test_interrupted_anywhere_and_gone_on_with(tmp_path: Path) -> None:
    asked = design(seeds="1..3")
    run(asked, tmp_path / "whole", Pretended())
    for after in (0, 1, 7, 11):
        folder = tmp_path / str(after)
        with pytest.raises(KeyboardInterrupt):
            run(asked, folder, Stopping(after, Pretended()))
        assert not (folder / "summary.parquet").exists()
        rest = Pretended()
        assert run(asked, folder, rest, resume=True).computed == len(rest.done) == 12 - after
        assert tables(folder) == tables(tmp_path / "whole")


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    run(design(), tmp_path / "d", Pretended())
    before, again = tables(tmp_path / "d"), Pretended()
    assert run(design(), tmp_path / "d", again, resume=True).computed == 0
    assert (again.done, tables(tmp_path / "d")) == ([], before)


def test_a_campaign_may_grow(tmp_path: Path) -> None:
    """Another method is run alone, another seed with all; the tables are those of the larger campaign."""
    run(design(), tmp_path / "d", Pretended())
    more = Pretended()
    run(design(methods="[linear, normconv, nearest]"), tmp_path / "d", more, resume=True)
    assert [labels for _, labels in more.done] == [("linear",)] * 4
    more = Pretended()
    large = design(methods="[linear, normconv, nearest]", seeds="[1, 2]")
    run(large, tmp_path / "d", more, resume=True)
    assert [labels for _, labels in more.done] == [("linear", "normconv", "nearest")] * 4
    assert all("seed 2" in job for job, _ in more.done)
    run(large, tmp_path / "at once", Pretended())
    assert tables(tmp_path / "d") == tables(tmp_path / "at once")


def test_another_campaign_is_refused(tmp_path: Path) -> None:
    run(design(seeds="[1, 2]"), tmp_path / "d", Pretended())
    before = (tmp_path / "d" / "results.jsonl").read_bytes()
    with pytest.raises(StoreMismatchError, match="without 4 acquisitions of it"):
        run(design(seeds="[1, 3]"), tmp_path / "d", Pretended(), resume=True)
    with pytest.raises(OutputExistsError, match="--resume goes on with it, --overwrite replaces it"):
        run(design(), tmp_path / "d", Pretended())
    assert (tmp_path / "d" / "results.jsonl").read_bytes() == before
    assert run(design(seeds="[3]"), tmp_path / "d", Pretended(), overwrite=True).computed == 4


def test_folders_of_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputExistsError, match="other files"):
            run(design(), tmp_path, Pretended(), **options)
    with pytest.raises(OutputExistsError, match="is a file"):
        run(design(), tmp_path / "thesis.tex", Pretended(), overwrite=True)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        run(design(), tmp_path / "no" / "d", Pretended())
    (tmp_path / "empty").mkdir()
    assert run(design(), tmp_path / "empty", Pretended(), resume=True).computed == 4


def test_another_version_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(design(), tmp_path / "d", Pretended())
    monkeypatch.setattr(folders, "__version__", "9.9")
    with pytest.raises(StoreMismatchError, match=r"which began .*, got 9\.9"):
        run(design(), tmp_path / "d", Pretended(), resume=True)


def test_failures_are_listed_and_tried_again(tmp_path: Path) -> None:
    report = run(design(), tmp_path / "d", Pretended(fail="synthetic:5/1, plan 1, 40"))
    assert [(str(one.job), one.contender, one.error) for one in report.summary.failures] == [
        ("synthetic:5/1, plan 1, 40 e- per sample, ideal, seed 1", name, "no luck") for name in ("normconv", "nearest")
    ]
    found = rows(tmp_path / "d")
    assert [row["error"] for row in found] == [""] * 6 + ["no luck"] * 2
    assert found[-1]["psnr"] is None
    again = Pretended()
    assert run(design(), tmp_path / "d", again, resume=True).summary.failed == 0
    assert len(again.done) == 1
    run(design(), tmp_path / "well", Pretended())
    assert tables(tmp_path / "d") == tables(tmp_path / "well")


FLAKY = """
from pathlib import Path
import numpy as np

def flaky(inputs, place: str = ""):
    mark = Path(place)
    mark.write_text(mark.read_text() + "x" if mark.exists() else "x")
    if len(mark.read_text()) % 3:
        raise ZeroDivisionError("not yet")
    return np.full(inputs.shape, inputs.mean)
"""


def test_what_fails_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FLAKY)
    keys = {"methods": f"['flaky=mine.py:flaky,place={tmp_path / 'mark'}']", "specimens": "['synthetic:5/0']"}
    asked = design(tmp_path, doses="[10]", **keys)
    report = run(asked, tmp_path / "d", retries=1)
    assert report.summary.failed == 1
    assert "got ZeroDivisionError: not yet" in report.summary.failures[0].error
    assert rows(tmp_path / "d", "times")[0]["attempts"] == 2
    (tmp_path / "mark").unlink()
    assert run(asked, tmp_path / "e", retries=2).summary.failed == 0
    assert rows(tmp_path / "e", "times")[0]["attempts"] == 3


def test_acquisitions_and_images_are_kept(tmp_path: Path) -> None:
    one: dict[str, Any] = {"doses": "[10]", "specimens": "['synthetic:5/0']"}
    asked = design(keep="[acquisitions, images]", methods="['a/b=nearest']", **one)
    run(asked, tmp_path / "d")
    (store,) = tmp_path.glob("d/acquisitions/*/*.zarr")
    (image,) = tmp_path.glob("d/images/*/*/*.tif")
    assert image.name == "a%2Fb.tif"
    assert rows(tmp_path / "d")[0]["acquisition"] == store.stem == image.parent.name
    image.unlink()
    before = {file: file.stat().st_mtime_ns for file in store.rglob("*")}
    assert run(asked, tmp_path / "d", resume=True).computed == 1
    assert image.exists()
    assert {file: file.stat().st_mtime_ns for file in store.rglob("*")} == before
    alone = design(keep="[acquisitions]", methods="[]", **one)
    assert run(alone, tmp_path / "d", resume=True).computed == 0
    assert run(alone, tmp_path / "d", overwrite=True).computed == 1
    assert not (tmp_path / "d" / "images").exists()
    assert run(alone, tmp_path / "d", resume=True).computed == 0


def test_columns_of_crystals_are_judged(tmp_path: Path) -> None:
    names = "['crystal:SrTiO3[001]?displaced=0.2&vacancies=0.05&seed=1', 'synthetic:5/0']"
    asked = design(task="columns", specimens=names, doses="[100]", methods="[normconv]")
    assert run(asked, tmp_path / "d").summary.failed == 0
    found = rows(tmp_path / "d")
    assert [row["contender"] for row in found] == ["fit to counts", "fit, empirical Bayes", "normconv"] * 2
    crystal, drawn = found[:3], found[3:]
    assert all(row["columns_judged"] > 0 and row["columns_regular"] > 0 for row in crystal)
    assert all(row["columns_judged"] is None and row["error"] == "" for row in drawn)
    assert crystal[2]["psnr"] > 10


def test_images_files_are_specimens(tmp_path: Path) -> None:
    import numpy as np

    from tests.recon.sampling_kit import lattice

    np.save(tmp_path / "a.npy", lattice((40, 40)))
    asked = design(tmp_path, specimens="['*.npy']", reading="{fit: resample}", doses="[10]", methods="[nearest]")
    assert run(asked, tmp_path / "d").summary.failed == 0
    np.save(tmp_path / "a.npy", lattice((40, 40), 9.0))
    work._specimen.cache_clear()
    failed = run(asked, tmp_path / "e", retries=0).summary.failures
    assert "as it was when the campaign began" in failed[0].error


def test_results_are_no_business_of_names(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    run(design(tmp_path), tmp_path / "d", Pretended())
    renamed = Pretended()
    run(design(tmp_path, plans="[plan.yaml]"), tmp_path / "d", renamed, resume=True)
    assert renamed.done == []
    assert rows(tmp_path / "d")[0]["plan"] == "plan.yaml"
    assert json.loads((tmp_path / "d" / "campaign.json").read_text())["format"] == "stemscan-campaign"


def test_files_that_plans_name_are_found_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of points beside its plan, the command in another folder, the worker in a process of its own."""
    from stemscan.files import by_content
    from stemscan.plan.patterns.point_list import PointList
    from stemscan.plan.scan_plan import ScanPlan

    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "p.csv").write_text("row,column\n3,4\n5,6\n7,60\n")
    pattern = PointList.from_file(tmp_path / "plans" / "p.csv", (64, 64), folder=tmp_path / "plans")
    plan = ScanPlan(pattern=pattern, shape=(64, 64), passes=2, dwell="1us", dose=Dose(electrons_per_sample=9), seed=1)
    plan.save(tmp_path / "plans" / "p.yaml")
    asked = design(tmp_path, plans="[plans/p.yaml]", doses="[]", specimens="['synthetic:5/0']")
    monkeypatch.setattr(by_content, "_PLACES", {})
    monkeypatch.setattr(by_content, "_HELD", {})
    assert run(asked, tmp_path / "d", retries=0).summary.failures == []
    assert rows(tmp_path / "d")[0]["samples"] == 6
