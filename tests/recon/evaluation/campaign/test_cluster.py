"""Campaigns on a dask cluster: the same bytes as in this process, also when a worker is killed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stemscan.errors import MissingDependencyError, ReconError
from stemscan.recon.evaluation.campaign import runners
from stemscan.recon.evaluation.campaign.runners import Cluster
from stemscan.recon.evaluation.clients import dask_client
from tests.recon.dask_kit import two_workers
from tests.recon.evaluation.campaign.kit import design, run, tables

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    """A scheduler and two worker processes of their own, as on a cluster; one is killed in the middle of its job."""
    asked = design(seeds="1..3")
    with two_workers(tmp_path) as (address, victim), dask_client(address, 0) as client:
        client.wait_for_workers(2)
        killed_after: list[int] = []

        def kill(done: int, total: int, numbers: object) -> None:
            if done == 3 and not killed_after:
                killed_after.append(done)
                victim.send_signal(signal.SIGKILL)
                victim.wait()

        report = run(asked, tmp_path / "cluster", Cluster(client), progress=kill)
        assert killed_after == [3]
        assert len(client.nthreads()) == 1
    assert (report.computed, report.summary.failed) == (12, 0)
    run(asked, tmp_path / "here")
    assert tables(tmp_path / "cluster") == tables(tmp_path / "here")


def test_a_million_jobs_are_not_sent_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(runners, "_LEAST_AHEAD", 2)
    monkeypatch.setattr(runners, "_AHEAD_A_THREAD", 1)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        runner, drawn = Cluster(client), [0]
        asked = design()

        def counted() -> Iterator[object]:
            for job in asked.jobs():
                drawn[0] += 1
                yield job

        done = 0
        for one in runner.run(counted(), 0):  # type: ignore[arg-type]
            done += 1
            assert drawn[0] - done <= 2
            assert not one.made.error
        assert (done, drawn[0]) == (4, 4)
        assert not runner.is_empty
        monkeypatch.setattr(runners, "__version__", "9.9")
        with pytest.raises(ReconError, match=r"in place of 9\.9; install the same version there"):
            runner.check(None)
        monkeypatch.undo()
        with pytest.raises(ReconError, match="let workers see the same files"):
            runner.check(tmp_path / "nowhere" / "campaign.json")


def test_without_distributed_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'stemscan\[cluster\]'"), dask_client("local", 1):
        pass
