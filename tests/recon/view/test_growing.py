"""A store followed while it grows, is taken back, replaced, damaged, deleted."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.view import growing
from stemscan.recon.view.growing import GrowingScan
from stemscan.simulators.api import load_specimen
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.recon.view.view_kit import PLAN, add
from tests.stemscan.store_kit import create, make_plan

PASS = PLAN.samples_per_pass


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once where something was wrong."""
    monkeypatch.setattr(growing, "_AGAIN_S", 0.0)


def looked(scan: GrowingScan) -> GrowingScan:
    """The same after all was taken in."""
    while scan.look():
        pass
    return scan


def check(scan: GrowingScan, path: Path, passes: int) -> None:
    """Compare the sums with those that the reader of stores draws."""
    store = Acquisition.open(path)
    frames, visits = store.frames(), store.visits()
    np.testing.assert_array_equal(scan.sums, frames.sum(axis=0, dtype=np.float32))
    np.testing.assert_array_equal(scan.visits, visits.sum(axis=0))
    np.testing.assert_array_equal(scan.pass_sums, frames[passes - 1])
    np.testing.assert_array_equal(scan.pass_visits, visits[passes - 1])
    counts = store.counts()
    np.testing.assert_array_equal(scan.histogram.nonzero()[0] + growing.DARKEST, np.unique(counts))
    assert scan.histogram.sum() == scan.samples == store.samples_committed


def test_sums_follow_a_store_commit_by_commit(place: Path) -> None:
    path = place / "a.zarr"
    scan = GrowingScan(path)
    assert scan.look()
    assert "does not exist" in scan.problem
    assert not scan.look(), "the same trouble is no news"
    with create(path, PLAN) as store:
        for samples, passes in ((5, 1), (PASS - 5, 1), (PASS + 1, 3), (PASS - 1, 3)):
            add(store, samples)
            version = scan.version
            check(looked(scan), path, passes)
            assert scan.problem == ""
            assert scan.version > version
        store.complete()
    assert scan.look()
    assert scan.acquisition is not None
    assert scan.acquisition.state == "complete"
    assert not scan.look()


def test_samples_that_were_taken_back_are_taken_back_here(place: Path) -> None:
    path = place / "a.zarr"
    with create(path, PLAN) as store:
        add(store, PASS + 3)
        scan = looked(GrowingScan(path))
        store.rewind(4, "readings were lost")
        check(looked(scan), path, 1)
        add(store, PASS)
        store.rewind(6, "and again")
        add(store, 2 * PASS)
        check(looked(scan), path, 3)


def test_a_store_that_is_replaced_begins_anew(place: Path) -> None:
    path, other = place / "a.zarr", make_plan(shape=[24, 16], seed=8)
    with create(path, PLAN) as store:
        add(store, 2 * PASS)
    scan = looked(GrowingScan(path))
    with create(path, other, overwrite=True) as store:
        add(store, 5)
        check(looked(scan), path, 1)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, "does not exist"),
        (lambda path: (path / "zarr.json").write_text("{"), "damaged text"),
        (lambda path: (path / "samples" / "counts" / "c" / "0" / "0").write_bytes(b"nothing"), "expected"),
        (lambda path: change(path, schema=99), "use the release of stemscan that wrote it"),
        (lambda path: (path / "zarr.json").unlink(), "without their record"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_what_was_seen_stays(place: Path, spoil: object, words: str) -> None:
    path, kept = place / "a.zarr", place / "kept"
    with create(path, PLAN) as store:
        add(store, PASS)
        scan = looked(GrowingScan(path))
        add(store, 1)
        shutil.copytree(path, kept)
    seen = scan.sums.copy()
    assert callable(spoil)
    spoil(path)
    assert scan.look()
    assert words in scan.problem
    assert "\n" not in scan.problem
    np.testing.assert_array_equal(scan.sums, seen)
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(kept, path)
    check(looked(scan), path, 2)
    assert scan.problem == ""


def test_a_store_that_is_about_to_be_replaced_is_not_shown(place: Path) -> None:
    path = place / "a.zarr"
    with create(path, PLAN) as store:
        add(store, PASS)
    scan = GrowingScan(path)
    scan.ignore_present()
    assert looked(scan).acquisition is None
    assert "the one that it will replace" in scan.problem
    with create(path, PLAN, overwrite=True) as store:
        add(store, 3)
        check(looked(scan), path, 1)


def change(path: Path, **fields: object) -> None:
    """Change fields of the record."""
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["stemscan"] |= fields
    (path / "zarr.json").write_text(json.dumps(root))


def upto(samples: int, store: Acquisition) -> int:
    """So many samples of any store."""
    return samples


def test_a_part_of_a_store_and_back(place: Path) -> None:
    path = place / "a.zarr"
    with create(path, PLAN) as store:
        add(store, 3 * PASS)
    scan, part = looked(GrowingScan(path)), GrowingScan(path)
    for samples in (PASS + 1, 3 * PASS, 2):
        part.look(partial(upto, samples))
        assert part.samples == samples
        assert part.visits.sum() == samples
    assert looked(part).samples == scan.samples
    np.testing.assert_array_equal(part.sums, scan.sums)


def test_the_last_second_holds_the_latest_samples(place: Path) -> None:
    plan = make_plan(shape=[32, 32], passes=4, dwell_ns=20_000_000)
    with create(place / "a.zarr", plan) as store:
        add(store, 30)
        add(store, 100)
    scan = looked(GrowingScan(place / "a.zarr"))
    assert scan.ns_a_sample == 20_000_000
    positions = Acquisition.open(place / "a.zarr").positions()
    np.testing.assert_array_equal(scan.recent, positions[-51:])


def test_a_simulated_beam_is_followed_where_it_drifted(place: Path) -> None:
    plan = ScanPlan.from_dict(PLAN.to_dict() | {"shape": [64, 64], "passes": 8})
    specimen = load_specimen("crystal:SrTiO3[001]", plan.shape, pixel_size_nm=0.01)
    simulate(plan, specimen, place / "a.zarr", instrument="drifting")
    scan = looked(GrowingScan(place / "a.zarr"))
    assert scan.track.shape[1] == 3
    assert np.abs(scan.track[:, 1:]).max() > 0
    assert scan.spread is not None
