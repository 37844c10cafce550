"""Images of the first samples of a store; and the process that makes them."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import ReconError, UsageError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.stopping import expected_gain
from stemscan.recon.view.making import METHOD, find, first_samples, make
from stemscan.recon.view.workshop import Workshop
from stemscan.simulators.api import load_specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import make_plan

PLAN: ScanPlan = make_plan(shape=[64, 64], passes=6, pixel_size_nm=0.02)
PASS = PLAN.samples_per_pass


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("making") / "a.zarr"
    simulate(PLAN, load_specimen("crystal:SrTiO3[001]", PLAN.shape, pixel_size_nm=0.02), path)
    return path


def test_the_first_samples_are_those_of_the_store(path: Path) -> None:
    store, whole = Acquisition.open(path), load_inputs(path, drift="off")
    inputs = first_samples(store, store.samples_committed)
    np.testing.assert_allclose(inputs.S, whole.S, rtol=1e-6)
    np.testing.assert_array_equal(inputs.V, whole.V)
    assert first_samples(store, PASS).samples == PASS


def test_an_image_says_of_which_samples_and_how_good_it_is(path: Path) -> None:
    made = make(path, 0, METHOD, 1, 6 * PASS)
    early = make(path, 0, METHOD, 1, 2 * PASS + 1)
    assert (made.facts["passes"], early.facts["passes"]) == (6, 2)
    for one in (made, early):
        assert one.std is not None
        assert one.z is not None
        assert one.image.shape == one.std.shape == one.z.shape == (64, 64)
    assert made.facts["held_out"] < early.facts["held_out"]
    gain = expected_gain(Acquisition.open(path), 6)
    assert gain is not None
    assert math.isfinite(gain)


@pytest.mark.long
def test_what_is_found_comes_as_plain_lists(path: Path) -> None:
    columns = find("columns", path, 0, 1, 6 * PASS)
    assert len(columns["places"]) == len(columns["doubtful"]) > 5
    drift = find("drift", path, 0, 1, 6 * PASS)
    assert drift["words"].partition(":")[0] in ("drift", "still", "unknown", "ambiguous")


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    workshop = Workshop()
    yield workshop
    workshop.close()


def test_orders_are_carried_out_one_after_another_and_errors_come_back(workshop: Workshop) -> None:
    orders = [workshop.order(math.sqrt, number) for number in (4, 9)]
    wrong = workshop.order(make, Path("nothing"), 0, METHOD, 1, 1)
    assert [order.result(60) for order in orders] == [2, 3]
    with pytest.raises(FileNotFoundError, match="expected an acquisition store"):
        wrong.result(60)
    with pytest.raises(ValueError, match="math domain"):
        workshop.order(math.sqrt, -1).result(60)


def test_a_process_that_ended_is_told_of_and_another_begins(workshop: Workshop) -> None:
    pid = workshop.order(os.getpid).result(60)
    assert pid != os.getpid()
    waiting = workshop.order(time.sleep, 60)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ReconError, match="ask for it again"):
        waiting.result(60)
    assert workshop.order(os.getpid).result(60) != pid


def test_a_closed_workshop_leaves_nothing_behind(workshop: Workshop) -> None:
    pid = workshop.order(os.getpid).result(60)
    waiting = workshop.order(time.sleep, 60)
    while not waiting.running():
        time.sleep(0.01)
    workshop.close()
    with pytest.raises(ReconError):
        waiting.result(60)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_method_that_is_none(path: Path) -> None:
    with pytest.raises(UsageError, match="nothing-of-the-kind"):
        make(path, 0, "nothing-of-the-kind", 1, PASS)


def test_an_image_of_blocks_lies_on_the_grid_of_the_scan(path: Path) -> None:
    store = Acquisition.open(path)
    inputs = first_samples(store, store.samples_committed, block=4)
    whole = first_samples(store, store.samples_committed)
    assert inputs.shape == (16, 16)
    assert inputs.pixel_size_nm == pytest.approx(0.08)
    np.testing.assert_allclose(inputs.V, whole.V.reshape(16, 4, 16, 4).sum(axis=(1, 3)))
    made = make(path, 0, METHOD, 1, 6 * PASS, 4, quality=False)
    assert made.facts["block"] == 4
    assert made.image.shape == (64, 64)
    assert made.image.dtype == np.float32
    np.testing.assert_array_equal(made.image[::4, ::4], made.image[3::4, 3::4])
