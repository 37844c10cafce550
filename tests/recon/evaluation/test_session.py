"""Whole evaluations: only what is missing is run, by whomever, and always to the same rows."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import MissingDependencyError, OutputExistsError, ReconError, UsageError
from stemscan.recon.evaluation import implementation, schedule, session
from stemscan.recon.evaluation.cache import Cache
from stemscan.recon.evaluation.cases import Case
from stemscan.recon.evaluation.contenders import parse_contender
from stemscan.recon.evaluation.schedule import Dask, Here, Processes, dask_cluster, scheduler_for
from tests.recon.evaluation.kit import Counting, request, run, without_seconds


def test_second_run_computes_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first = run(request(), tmp_path / "e")
    assert (first.computed, len(first.rows), first.failures) == (8, 8, [])
    with (tmp_path / "e" / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["contender"] for row in rows] == ["nearest", "constant"] * 4
    assert all(float(row["psnr"]) > 8 and row["error"] == "" for row in rows)
    again = run(request(), tmp_path / "e")
    assert again.computed == 0
    assert repr(again.rows) == repr(first.rows)
    assert run(request(), tmp_path / "e", anew=True).computed == 8


def test_another_contender_only_adds(tmp_path: Path) -> None:
    run(request(), tmp_path)
    counting = Counting()
    run(request("constant", "nearest", "linear"), tmp_path, counting)
    assert counting.labels == ["linear"] * 4
    counting = Counting()
    run(request("also=nearest", "constant", recompute=("constant",)), tmp_path, counting)
    assert counting.labels == ["constant"] * 4
    counting = Counting()
    done = run(request("a=linear", "b=linear", "c=lowpass"), tmp_path, counting)
    assert counting.labels == ["c"] * 4
    assert [row.measured.psnr for row in done.rows[::3]] == [row.measured.psnr for row in done.rows[1::3]]


def test_two_labels_of_one_case_run_once(tmp_path: Path) -> None:
    counting = Counting()
    done = run(request("a=nearest", "b=nearest"), tmp_path, counting)
    assert len(counting.labels) == 4
    assert {row.contender for row in done.rows} == {"a", "b"}


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"schema": 1}', b"[" * 100_000], ids=lambda damage: str(len(damage))
)
def test_a_damaged_row_is_computed_again(tmp_path: Path, damage: bytes) -> None:
    first = run(request(), tmp_path)
    files = sorted((tmp_path / "cache").rglob("*.json"))
    files[0].write_bytes(damage)
    files[1].write_bytes(files[2].read_bytes())
    again = run(request(), tmp_path)
    assert again.computed == 2
    assert without_seconds(again.rows) == without_seconds(first.rows)


def test_a_missing_picture_is_computed_again(tmp_path: Path) -> None:
    assert run(request(panels=0), tmp_path).computed == 8
    assert not list((tmp_path / "cache").rglob("*.npy"))
    assert run(request(panels=1), tmp_path).computed == 2
    images = list((tmp_path / "cache").rglob("*.npy"))
    assert len(images) == 2
    images[0].unlink()
    assert run(request(panels=1), tmp_path).computed == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.recon.evaluation.kit import Here, request, run

class Dying:
    def run(self, tasks, threads):
        for number, done in enumerate(Here().run(tasks, threads)):
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield done

run(request(), Path(sys.argv[1]), Dying())
"""


def test_killed_and_gone_on_with(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "e"], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "e" / "rows.csv").exists()
    assert len(list((tmp_path / "e" / "cache").rglob("*.json"))) == 3
    resumed, undisturbed = run(request(), tmp_path / "e"), run(request(), tmp_path / "f")
    assert (resumed.computed, undisturbed.computed) == (5, 8)
    assert without_seconds(resumed.rows) == without_seconds(undisturbed.rows)


def test_processes_give_the_same_rows(tmp_path: Path) -> None:
    asked = request("nearest", "fourier-eb", noises=("eq5",))
    here, there = run(asked, tmp_path / "a"), run(asked, tmp_path / "b", Processes(2))
    assert there.computed == 8
    assert without_seconds(here.rows) == without_seconds(there.rows)


def die(case: Case, threads: int, keep_image: bool) -> None:
    """End the process at once, as the system does to one that takes too much memory."""
    os._exit(9)


def test_worker_that_dies_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "run_case", die)
    with pytest.raises(ReconError, match="fewer --processes"):
        run(request(), tmp_path, Processes(1))


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_gives_the_same_rows(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    here = run(request(), tmp_path / "a")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = run(request(), tmp_path / "b", Dask(client))
    assert there.computed == 8
    assert without_seconds(here.rows) == without_seconds(there.rows)


def test_schedulers_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="1 process, got 0"), scheduler_for(None, 0):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"stemscan\[cluster\]"), dask_cluster("local", 1):
        pass


BROKEN = """
import numpy as np

def broken(inputs):
    if inputs.samples % 3:
        raise ZeroDivisionError("one\\nby nothing")
    return np.full(inputs.shape, inputs.mean)
"""


def test_a_method_that_fails_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    text = f"mine={tmp_path / 'mine.py'}:broken"
    done = run(request(text, "constant"), tmp_path / "e")
    assert {(row.contender, row.method, row.samples_per_block) for row in done.failures} == {
        ("mine", "mine.py:broken", 2)
    }
    (error,) = {row.measured.error for row in done.failures}
    assert "method mine.py:broken to reconstruct, got ZeroDivisionError: one by nothing, line 6 of" in error
    assert all(np.isnan(row.measured.psnr) and row.measured.factor == 0 for row in done.failures)
    good = [row for row in done.rows if row.samples_per_block == 6]
    assert good[0].measured.psnr == pytest.approx(good[1].measured.psnr)
    counting = Counting()
    run(request(text, "constant"), tmp_path / "e", counting)
    assert counting.labels == ["mine"] * 2


def test_rows_of_a_plugin_go_by_its_code(tmp_path: Path) -> None:
    """A change of what it does computes them anew, in processes too; comments, and the place of the file, do not."""
    file, code = tmp_path / "mine.py", "from near import level\n\n\ndef flat(inputs, add: float = 0.0):\n"
    (tmp_path / "near.py").write_text("def level(inputs): return inputs.S * 0 + inputs.mean\n")
    file.write_text(f"{code}    return level(inputs) + add\n")
    texts = (f"a={file}:flat", f"b={file}:flat,add=0.25")
    first = run(request(*texts, panels=0), tmp_path / "e")
    assert (first.computed, first.failures) == (8, [])
    file.write_text(f"# moved\n{code}    return level(inputs) + add  # same\n")
    (tmp_path / "elsewhere").mkdir()
    for name in ("near.py", "mine.py"):
        (tmp_path / "elsewhere" / name).write_text((tmp_path / name).read_text())
    copied = [text.replace("mine.py", "elsewhere/mine.py") for text in texts]
    again = run(request(*texts, panels=0), tmp_path / "e"), run(request(*copied, panels=0), tmp_path / "e")
    assert [done.computed for done in again] == [0, 0]
    (tmp_path / "near.py").write_text("def level(inputs): return inputs.S * 0 + 0.5\n")
    changed = run(request(*texts, panels=0), tmp_path / "e", Processes(1))
    assert (changed.computed, changed.stale) == (8, ())
    assert str(tmp_path) not in (tmp_path / "e" / "rows.csv").read_text()
    asked = request(*texts)
    file.write_text(f"{code}    return level(inputs) + 2 * add\n")
    with pytest.raises(ReconError, match=r"code of method mine\.py:flat to stay as it was"):
        run(asked, tmp_path / "e")


def test_rows_of_older_code_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(request(), tmp_path).stale == ()
    monkeypatch.setattr(session, "code_of", lambda one: "new" if one.method == "nearest" else "")
    assert run(request(), tmp_path).stale == ("nearest", "constant")


def test_code_digest_sees_code_and_no_comment(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        implementation._folder_digest.cache_clear()
        (tmp_path / "m.py").write_text(text)
        return implementation._folder_digest(tmp_path)

    one = digest('def f():\n    """Doc."""\n    return 1\n')
    assert digest('"""Module."""\n\n\ndef f():\n    return (1)  # one\n') == one
    assert digest("def f():\n    return 2\n") != one
    assert len(implementation.implementation_digest("nearest")) == 16
    assert implementation.implementation_digest("nearest") != implementation.implementation_digest("fourier-eb")


def test_folders_of_other_things_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(OutputExistsError, match="other files"):
        session.prepare_folder(tmp_path)
    with pytest.raises(OutputExistsError, match="is a file"):
        session.prepare_folder(tmp_path / "thesis.tex", overwrite=True)
    session.prepare_folder(tmp_path, overwrite=True)
    session.prepare_folder(tmp_path / "new")
    assert (tmp_path / "new").is_dir()


def test_oracle_is_the_best_stationary_estimate(tmp_path: Path) -> None:
    done = run(request("spectral-oracle", "nearest"), tmp_path)
    scores = {
        label: [row.measured.psnr for row in done.rows if row.contender == label]
        for label in ("nearest", "spectral-oracle")
    }
    assert min(np.subtract(scores["spectral-oracle"], scores["nearest"])) > 3
    assert parse_contender("spectral-oracle").method == "spectral-oracle"


def test_progress_ends_at_the_end_where_labels_share_cases(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    asked = request("nearest", "again=nearest")
    session.prepare_folder(tmp_path / "e")
    session.evaluate(asked, tmp_path / "e", Here(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]


def test_another_evaluation_may_make_the_cache_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def later(self: Path, **options: bool) -> None:
        os.mkdir(self)  # the other one is faster
        make(self, **options)

    monkeypatch.setattr(Path, "mkdir", later)
    assert Cache(tmp_path / "cache").folder.is_dir()


def test_code_digest_follows_the_rooms_that_a_method_uses() -> None:
    rooms = [room.name for room in implementation._rooms_of_methods(Path(implementation.__file__).parents[1] / "blend")]
    assert rooms == ["columns", "fourier_eb", "fshnet"]
