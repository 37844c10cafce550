"""Facts for a page: those of the store, as plain data that JSON takes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from stemscan.acquisition.stopping import MaxDose
from stemscan.recon.view import facts
from stemscan.recon.view.feed import as_json
from stemscan.recon.view.growing import GrowingScan
from stemscan.recon.view.images import Images
from stemscan.recon.view.making import Maker
from stemscan.recon.view.replaying import Replay
from stemscan.recon.view.state import State, sum_layer
from tests.recon.view.test_growing import looked
from tests.recon.view.view_kit import PLAN, add
from tests.stemscan.store_kit import create

PASS = PLAN.samples_per_pass


@pytest.fixture
def scan(place: Path) -> GrowingScan:
    with create(place / "a.zarr", PLAN) as store:
        add(store, 2 * PASS)
    return looked(GrowingScan(place / "a.zarr"))


def message(scan: GrowingScan, replay: Replay | None = None) -> dict[str, object]:
    """The state as a page gets it."""
    state = State(scan, replay)
    text = json.dumps(state.facts(Images(Maker(scan.path))), allow_nan=False)
    told: dict[str, object] = json.loads(text)
    return told


def test_the_dose_is_that_of_the_ledger_and_of_its_rule(scan: GrowingScan) -> None:
    store = scan.acquisition
    assert store is not None
    dose = facts.dose_of(store, scan.samples)
    assert dose["electrons"] == 2 * PASS * 10
    assert dose["area"] == pytest.approx(2 * PASS * 10 / (256 * 0.1**2))
    assert MaxDose(dose["area"] * 1.4)(store, 2) is not None
    assert MaxDose(dose["area"] * 1.6)(store, 2) is None
    assert facts.dose_of(store, PASS)["area"] == pytest.approx(dose["area"] / 2)


@pytest.mark.parametrize("of_image", [False, True])
def test_expected_counts_add_up_to_those_that_were_counted(scan: GrowingScan, of_image: bool) -> None:
    image = np.full(scan.visits.shape, 0.9, np.float32) if of_image else None
    told = facts.counts_of(scan, facts.expectations(scan, image))
    assert sum(told["numbers"]) == scan.samples
    assert len(told["edges"]) == len(told["numbers"]) + 1 == len(told["expected"]) + 1
    assert sum(told["expected"]) == pytest.approx(scan.samples, rel=0.1)
    assert ("reconstruction" in told["by"]) == of_image


def test_a_message_of_each_kind_of_store(place: Path, scan: GrowingScan) -> None:
    told = message(scan)
    assert told["samples"] == told["committed"] == 2 * PASS
    assert told["dose_limit"] == 100000
    assert told["pass"] == 2
    assert "cut short" in str(told["words"])
    nothing = GrowingScan(place / "none.zarr")
    nothing.look()
    assert "does not exist" in str(message(nothing)["problem"])
    path = place / "aborted.zarr"
    with create(path, PLAN) as store:
        add(store, 3)
        store.abort()
    assert "stopped after 3 of 36 samples" in str(message(looked(GrowingScan(path)))["words"])


def test_numbers_that_are_none_reach_the_page_as_null() -> None:
    assert json.loads(as_json({"a": [1.5, math.nan, (math.inf, "x", None)]})) == {"a": [1.5, None, [None, "x", None]]}


def test_a_scan_at_work_has_time_left_and_a_writer(place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, 2 * PASS)
        told = message(looked(GrowingScan(place / "a.zarr")))
    assert told["words"] == "being acquired"
    assert told["seconds_left"] == pytest.approx(PASS * 1e-6)


def test_a_replay_shows_as_many_samples_as_its_clock_says(place: Path) -> None:
    with create(place / "a.zarr", PLAN) as store:
        add(store, 3 * PASS)
        store.complete()
    now = [0.0]
    replay = Replay(1e-5, lambda: now[0])
    scan = GrowingScan(place / "a.zarr")
    state = State(scan, replay)
    for seconds, samples in ((0.0, 0), (1.0, 10), (2.05, 20), (60.0, 36), (70.0, 36)):
        now[0] = seconds
        scan.look(state.replayed)
        assert scan.samples == samples
    replay.go_to(12e-6)
    replay.set(paused=True)
    now[0] = 90.0
    scan.look(state.replayed)
    assert scan.samples == 12
    told = message(scan, replay)["replay"]
    assert isinstance(told, dict)
    assert told["end"] == pytest.approx(36e-6)
    assert told["paused"]


@pytest.mark.parametrize("name", ["raw", "pass", "visits", "path"])
def test_pictures_of_sums(scan: GrowingScan, name: str) -> None:
    numbers, _ = sum_layer(scan, name).tile(0, 0, 0)
    seen = scan.pass_visits if name == "pass" else scan.visits
    np.testing.assert_array_equal(numbers > 0, seen > 0)


def test_a_picture_that_is_none(scan: GrowingScan) -> None:
    with pytest.raises(LookupError):
        sum_layer(scan, "nothing")


def test_a_store_that_was_ended_since_is_not_cut_short(place: Path) -> None:
    path = place / "ended.zarr"
    with create(path, PLAN) as store:
        add(store, store.total_samples)
        scan = looked(GrowingScan(path))
        store.complete()
    state = State(scan, None)
    state._writer = (0.0, False)
    assert state.facts(Images(Maker(path)))["words"] == "being acquired"
    looked(scan)
    assert state.facts(Images(Maker(path)))["words"] == "complete"
