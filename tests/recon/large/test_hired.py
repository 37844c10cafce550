"""Tiles of a frame done elsewhere: the same bytes as here, whoever does them, also when a worker is killed."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.errors import ReconError, UsageError
from stemscan.recon.evaluation import clients
from stemscan.recon.inputs.inputs import Inputs
from stemscan.recon.large import hired
from stemscan.recon.large.field import Field, LoadedField
from stemscan.recon.large.flight import Crew, Task
from stemscan.recon.large.opening import open_field
from stemscan.recon.large.run import reconstruct_tiles
from stemscan.recon.large.to_file import reconstruct_to_file
from stemscan.recon.large.work import TileWork
from stemscan.recon.registry import method_of
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.recon.dask_kit import two_workers
from tests.recon.sampling_kit import lattice, scan
from tests.stemscan.store_kit import make_plan

pytestmark = pytest.mark.filterwarnings("ignore")
METHOD = method_of("normconv")


@pytest.fixture
def store(tmp_path: Path) -> Acquisition:
    plan = make_plan(shape=[264, 152], passes=2)
    return simulate(plan, "synthetic:1/0", tmp_path / "acq.zarr", seed=1)


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class Elsewhere:
    """Does errands as another machine would, which gets nothing but bytes."""

    def __init__(self, work: TileWork, sizes: list[int]) -> None:
        self._work, self._begun, self._sizes = work, list[Task](), sizes

    def has_room(self) -> bool:
        return len(self._begun) < 3

    def begin(self, task: Task) -> None:
        self._begun.append(task)

    def wait(self) -> tuple[Task, Any]:
        task = self._begun.pop(0)
        sent = pickle.dumps(self._work.errand(task))
        self._sizes.append(len(sent))
        errand = pickle.loads(sent)
        return task, self._work.keep(task, errand.function(*errand.arguments))


@contextmanager
def elsewhere(work: TileWork, sizes: list[int]) -> Iterator[Crew]:
    yield Elsewhere(work, sizes)


def shared_samples() -> Inputs:
    """Inputs whose samples lie between pixels."""
    from stemscan.recon.inputs.gridding import PlacedSamples

    generator = np.random.default_rng(3)
    number = 9000
    places = generator.uniform(0, (249, 149), (number, 2)).astype(np.float32)
    values = generator.poisson(5.0, number).astype(np.float32)
    samples = PlacedSamples.of(values, places, (0, number), (250, 150))
    return Inputs.from_samples(samples, 10.0)


@pytest.mark.parametrize("kind", ["store", "memory", "between pixels"])
def test_errands_carry_all_that_they_need(kind: str, store: Acquisition, tmp_path: Path) -> None:
    field: Field = (
        open_field(store)
        if kind == "store"
        else LoadedField(scan(lattice((250, 150))) if kind == "memory" else shared_samples())
    )
    sizes: list[int] = []
    here = reconstruct_tiles(field, METHOD, tmp_path / "here", arguments={})
    there = reconstruct_tiles(field, METHOD, tmp_path / "there", arguments={}, hire=partial(elsewhere, sizes=sizes))
    for name in here.folder.names:
        np.testing.assert_array_equal(there.folder.whole(name), here.folder.whole(name))
    assert there.settings == here.settings
    assert there.contradictions == here.contradictions
    assert (there.metrics is None) == (kind == "between pixels")
    assert there.metrics is None or here.metrics is None or there.metrics.to_dict() == here.metrics.to_dict()
    if kind == "store":
        assert sizes[0] < 20_000


def test_a_worker_that_is_killed_changes_nothing(
    store: Acquisition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler and two workers in processes of their own; one is killed in the middle of its tile."""
    pytest.importorskip("distributed")
    killed_after: list[int] = []
    reconstruct_to_file(open_field(store), METHOD, tmp_path / "here.zarr")
    with two_workers(tmp_path) as (address, victim):

        def kill(done: int, total: int) -> None:
            if done == 2 and not killed_after:
                killed_after.append(total)
                victim.send_signal(signal.SIGKILL)
                victim.wait()

        reconstruct_to_file(open_field(store), METHOD, tmp_path / "there.zarr", scheduler=address, progress=kill)
        assert killed_after == [6]
        field, elsewhere = open_field(store), tmp_path / "elsewhere.zarr"
        monkeypatch.setattr(Acquisition, "__reduce__", lambda _: (Acquisition.open, (elsewhere,)))
        with pytest.raises(ReconError, match=r"expected workers that see the files.*share the folder with them"):
            reconstruct_to_file(field, METHOD, tmp_path / "other.zarr", scheduler=address)
    assert contents(tmp_path / "there.zarr") == contents(tmp_path / "here.zarr")


def test_what_cannot_be_hired_is_told(store: Acquisition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(clients, "_TIMEOUT_S", 0.5)
    monkeypatch.setattr(hired, "_WORKERS_WITHIN_S", 0.2)
    field, output = open_field(store), tmp_path / "out.zarr"
    with pytest.raises(UsageError, match=r"expected a dask scheduler at 'tcp://127.0.0.1:9', got no answer"):
        reconstruct_to_file(field, METHOD, output, scheduler="tcp://127.0.0.1:9")
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty,
        pytest.raises(ReconError, match="expected workers at the scheduler .*, got none in 0.2 s; start some by"),
    ):
        reconstruct_to_file(field, METHOD, output, scheduler=empty.scheduler_address)
    local = replace(METHOD, function=lambda inputs: inputs.S)
    with pytest.raises(UsageError, match="--scheduler: expected a method of this package, which workers have, got"):
        reconstruct_to_file(field, local, output, scheduler="tcp://127.0.0.1:9")
    assert not output.exists()
