"""Samples without proof are not kept but exposed again a few times; those that were kept are marked, and taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import ControllerError, StemscanError, UnprovenError
from stemscan.path.scan_path import ScanPath
from stemscan.store.batch import SampleBatch
from stemscan.store.reader import Acquisition
from tests.stemscan.store_kit import ScriptedController, contents, create, expected_counts, make_plan, resume

pytestmark = pytest.mark.usefixtures("small_chunks")

PLAN = make_plan()
TOTAL = PLAN.total_samples


class Proving(ScriptedController):
    """Finds so often, when a sample comes, that nothing from another one on can be told apart; knows how far it went.

    Parameters
    ----------
    at, proven : int
        The sample, and the other one.
    times : int
    ahead : int
        Samples that are under way behind those that were read.
    """

    def __init__(self, at: int, proven: int, *, times: int = 1, ahead: int = 0, resumable: bool = True) -> None:
        super().__init__(resumable=resumable)
        self._place, self._proven, self._times, self._ahead = at, proven, times, ahead

    @property
    def reached(self) -> int:
        """With what is under way."""
        return min(self._at + self._ahead, self._armed_stop)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, start, stop)
        self._armed_stop = stop

    def read(self, max_samples: int) -> SampleBatch | None:
        if self._times and self._at >= self._place:
            self._times -= 1
            raise UnprovenError("expected 8 readings, got 7; expose them again", proven=self._proven)
        return super().read(max_samples)


def ledger_of(path: Path) -> dict[str, int]:
    ledger = Acquisition.open(path).ledger
    assert ledger is not None
    return {name: ledger[name] for name in ("samples_exposed_again_at_most", "times_exposed_again")}


@pytest.mark.parametrize("commit", [5, 9, 24])
@pytest.mark.parametrize("ahead", [0, 2])
def test_a_few_times_it_is_exposed_again(tmp_path: Path, reference: dict[str, object], commit: int, ahead: int) -> None:
    path = tmp_path / "a.zarr"
    controller = Proving(7, 7, times=3, ahead=ahead)
    with create(path, PLAN) as store:
        result = run_scan(PLAN, controller, store, batch_samples=1, commit_samples=commit)
    assert result.unproven == controller.aborted == 3
    assert contents(path) == reference
    again = 3 * ahead
    assert ledger_of(path) == {"samples_exposed_again_at_most": again, "times_exposed_again": 3 if again else 0}


def test_then_it_ends_and_the_store_can_be_resumed(tmp_path: Path, reference: dict[str, object]) -> None:
    path = tmp_path / "a.zarr"
    with (
        create(path, PLAN) as store,
        pytest.raises(UnprovenError, match=r"scripted to prove .* from sample 7 on, got no proof in 4 tries"),
    ):
        run_scan(PLAN, Proving(7, 7, times=4), store, batch_samples=1)
    held = Acquisition.open(path)
    assert (held.state, held.samples_committed, held.samples_armed, held.doubt) == ("acquiring", 7, 7, None)
    with resume(path, PLAN) as store:
        run_scan(PLAN, ScriptedController(), store)
    assert contents(path) == reference


def test_tries_are_counted_at_each_place(tmp_path: Path, reference: dict[str, object]) -> None:
    failed = dict.fromkeys(range(TOTAL), 0)

    class Often(ScriptedController):
        def read(self, max_samples: int) -> SampleBatch | None:
            if self._at < self._stop and failed[self._at] < 3:
                failed[self._at] += 1
                raise UnprovenError("expected 8 readings, got 7; expose them again", proven=self._at)
            return super().read(max_samples)

    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store:
        assert run_scan(PLAN, Often(), store, batch_samples=1).unproven == 3 * TOTAL
    assert contents(path) == reference


def test_committed_samples_are_taken_back_and_exposed_again(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    controller = Proving(15, 4)
    with create(path, PLAN) as store:
        run_scan(PLAN, controller, store, batch_samples=5, commit_samples=5)
    held = Acquisition.open(path)
    assert (held.state, held.doubt) == ("complete", None)
    np.testing.assert_array_equal(held.counts(), expected_counts(0, TOTAL))
    assert controller.armed[-5][0] == 4
    assert held.ledger is not None
    assert held.ledger["samples_taken_back"] in (1, 6, 11)  # as many as were committed by then
    assert "rewound" in [entry["event"] for entry in held.history]


def test_an_acquisition_that_ends_with_doubt_says_so_and_is_resumed_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store, pytest.raises(UnprovenError):
        run_scan(PLAN, Proving(20, 4, times=100, resumable=True), store, batch_samples=5, commit_samples=5)
    with create(path, PLAN, overwrite=True) as store, pytest.raises(UnprovenError, match="end after 20"):
        run_scan(PLAN, Whole(20), store, batch_samples=5, commit_samples=5)
    held = Acquisition.open(path)
    assert held.doubt == {"proven": 0, "reason": "expected samples up to 24 from scripted, got an end after 20"}
    assert held.samples_committed in (5, 10, 15, 20)
    whole = ScriptedController(resumable=False)
    with resume(path, PLAN) as store:
        run_scan(PLAN, whole, store)
    assert whole.armed == [(0, TOTAL)]
    np.testing.assert_array_equal(Acquisition.open(path).counts(), expected_counts(0, TOTAL))


class Whole(ScriptedController):
    """Only runs whole scans, and ends them with more or fewer samples than were armed."""

    def __init__(self, number: int) -> None:
        super().__init__(resumable=False)
        self._number = number

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, start, stop)
        self._stop = self._number


@pytest.mark.parametrize("number", [TOTAL - 1, TOTAL + 1])
def test_a_whole_scan_with_a_sample_too_few_or_too_many_is_in_doubt(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store, pytest.raises(UnprovenError):
        run_scan(PLAN, Whole(number), store, batch_samples=5, commit_samples=5)
    held = Acquisition.open(path)
    assert held.state == "acquiring"
    assert held.doubt is not None
    assert held.doubt["proven"] == 0


def test_a_beam_that_cannot_be_blanked_is_not_used_again(tmp_path: Path) -> None:
    class Stuck(Proving):
        def abort(self) -> None:
            raise RuntimeError("stuck")

    controller = Stuck(7, 7)
    with create(tmp_path / "a.zarr", PLAN) as store, pytest.raises(UnprovenError, match="got 7") as caught:
        run_scan(PLAN, controller, store, batch_samples=1)
    assert len(controller.armed) == 1
    assert len(caught.value.__notes__) == 1


@pytest.mark.parametrize(("ahead", "bound"), [(0, 0), (3, 3), (100, 14)])
def test_no_more_samples_count_as_exposed_twice_than_may_be(tmp_path: Path, ahead: int, bound: int) -> None:
    class Breaks(Proving):
        def read(self, max_samples: int) -> SampleBatch | None:
            if self._at >= 10:
                raise ConnectionResetError("the cable is out")
            return super().read(max_samples)

    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store, pytest.raises(ControllerError, match="cable"):
        run_scan(PLAN, Breaks(99, 99, ahead=ahead), store, batch_samples=5)
    assert Acquisition.open(path).samples_armed == 10 + bound
    with resume(path, PLAN) as store:
        result = run_scan(PLAN, ScriptedController(), store)
    assert result.exposed_twice_at_most == bound
    assert ledger_of(path)["samples_exposed_again_at_most"] == bound


def test_a_controller_that_does_not_know_how_far_it_went_is_bound_by_what_was_armed(tmp_path: Path) -> None:
    class Breaks(ScriptedController):
        def read(self, max_samples: int) -> SampleBatch | None:
            raise ConnectionResetError("the cable is out")

    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store, pytest.raises(StemscanError, match="cable"):
        run_scan(PLAN, Breaks(), store, commit_samples=9)
    assert Acquisition.open(path).samples_armed == 9


def test_what_was_exposed_before_a_step_back_stays_counted(tmp_path: Path) -> None:
    class Breaks(Proving):
        def read(self, max_samples: int) -> SampleBatch | None:
            batch = super().read(max_samples)
            if self._times == 0 and batch is not None and batch.start >= 6:
                raise ConnectionResetError("the cable is out")
            return batch

    path = tmp_path / "a.zarr"
    with create(path, PLAN) as store, pytest.raises(StemscanError, match="cable"):
        run_scan(PLAN, Breaks(15, 4), store, batch_samples=2, commit_samples=5)
    assert Acquisition.open(path).samples_armed == 15
