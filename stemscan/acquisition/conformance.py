"""Duties of every scan controller, as tests that run on any of them."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from stemscan.acquisition.controller_checks import ControllerChecks
from stemscan.acquisition.faulty import FaultyController
from stemscan.acquisition.reports import ReportsBeamTimes, beam_times_of, channels_of
from stemscan.acquisition.scan_controller import Capabilities, ScanController
from stemscan.errors import ControllerError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.store.batch import DetectorInfo, check_channels
from stemscan.store.reader import Acquisition
from stemscan.units import counted

__all__ = ["ControllerConformance", "check_controller"]


class ControllerConformance(ControllerChecks):
    """Tests of a scan controller: derive from it, say how one is made, and let pytest or unittest collect the class.

    `make_controller` must be overridden; `make_plan`, `expected_counts`, `repeatable` and `patience_s` may be.

    Examples
    --------
    >>> from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
    >>> class TestMine(ControllerConformance):
    ...     def make_controller(self, plan):
    ...         return VirtualMicroscope(specimen_from_array(np.eye(*plan.shape, dtype=np.float32)), plan, seed=1)
    >>> TestMine().test_delivers_the_whole_path_in_order()
    """

    # ------------------------------------------------------------------ what it says of itself

    def test_says_what_it_can_do(self) -> None:
        """Capabilities, detector and channels are there before anything is armed, and do not change."""
        with self._made() as (controller, _):
            able, detector, channels = controller.capabilities, controller.detector, channels_of(controller)
            assert isinstance(controller.controller, ScanController), "expected all members of ScanController"
            assert isinstance(able, Capabilities), f"expected Capabilities, got {able!r}"
            assert able.name, "expected a name for messages, got none"
            assert able.max_batch >= 1, f"expected batches of at least 1 sample, got {able.max_batch}"
            assert isinstance(detector, DetectorInfo), f"expected DetectorInfo, got {detector!r}"
            check_channels(channels)
            self._scan(controller)
            now = controller.capabilities, controller.detector, channels_of(controller)
            assert now == (able, detector, channels), "expected the same after a scan"

    # ------------------------------------------------------------------ arm, start, read

    def test_delivers_the_whole_path_in_order(self) -> None:
        """Every sample once, in scan order, then None; nothing after that."""
        with self._made() as (controller, path):
            counts = self._scan(controller)
            assert len(counts) == len(path), f"expected {counted(len(path), 'sample')}, got {len(counts)}"
            try:
                after = controller.read(1)
            except ControllerError:
                after = None
            assert after is None, f"expected nothing after the end, got {after!r}"

    def test_batches_are_no_larger_than_asked(self) -> None:
        """Whatever size is asked for, one by one or more than it can; the counts do not depend on it."""
        with self._made() as (controller, path):
            scans = [
                self._scan(controller, size=size) for size in (1, 3, len(path), controller.capabilities.max_batch + 1)
            ]
        self._all_same(scans)

    def test_batches_belong_to_the_caller(self) -> None:
        """Arrays that were delivered are not written to later, and may be written to."""
        with self._made() as (controller, path):
            controller.arm(path, 0, len(path))
            controller.start()
            batches = self._batches(controller, 0, len(path), 5)
            copies = [(batch.counts, batch.counts.copy()) for batch in batches]
            for now, before in copies:
                np.testing.assert_array_equal(now, before)
                now[...] = 0
            self._scan(controller)

    def test_read_and_start_want_their_turn(self) -> None:
        """No start without a range, no read without a start, no read of nothing."""
        with self._made() as (controller, path):
            self._refused("start before arm", controller.start)
            self._refused("read before arm", lambda: controller.read(1))
            controller.arm(path, 0, len(path))
            self._refused("read before start", lambda: controller.read(1))
            controller.start()
            self._refused("read of 0 samples", lambda: controller.read(0))

    def test_ranges_outside_the_path_are_refused(self) -> None:
        """And it can be armed rightly after that."""
        with self._made() as (controller, path):
            total = len(path)
            for start, stop in ((-1, total), (0, total + 1), (2, 1), (total + 1, total + 2)):
                self._refused(f"range {start} to {stop}", partial(controller.arm, path, start, stop))
            self._scan(controller)

    def test_can_be_armed_in_the_middle(self) -> None:
        """If it says that it is resumable: any range, in any order, with the counts of the whole scan."""
        with self._made() as (controller, path):
            if not controller.capabilities.resumable:
                return
            total = len(path)
            whole = self._scan(controller)
            for start, stop in ((total // 3, total), (1, 2), (total - 1, total), (0, total // 2)):
                self._same(self._scan(controller, start, stop), whole[start:stop])

    def test_arming_again_drops_what_was_armed(self) -> None:
        """Before the start, and in the middle of a scan."""
        with self._made() as (controller, path):
            controller.arm(path, 0, len(path))
            whole = self._scan(controller)
            controller.arm(path, 0, len(path))
            controller.start()
            controller.read(2)
            self._same(self._scan(controller), whole)

    # ------------------------------------------------------------------ no reading lost, added or shifted

    def test_a_caller_that_stalls_loses_nothing(self) -> None:
        """A long scan has every sample, and the same ones, when the caller lets buffers run full.

        A controller may say that it cannot tell readings apart (`UnprovenError`), and is then armed again from the last
        sample that it proved.
        """
        with self._made(self.make_long_plan()) as (controller, path):
            whole = self._proven(controller, 0, len(path))
            self._same(self._proven(controller, 0, len(path), stalls=4), whole)

    def test_a_long_scan_is_the_same_in_pieces(self) -> None:
        """If it is resumable: readings that moved to other samples at some place are not those of a new range."""
        with self._made(self.make_long_plan()) as (controller, path):
            whole, total = self._proven(controller, 0, len(path)), len(path)
            if not controller.capabilities.resumable:
                self._same(self._proven(controller, 0, total), whole)
                return
            edges = [total * part // 7 for part in range(8)]
            for start, stop in pairwise(edges):
                if stop > start:
                    self._same(self._proven(controller, start, stop), whole[start:stop])

    # ------------------------------------------------------------------ abort and close

    def test_abort_is_harmless_when_idle(self) -> None:
        """Before anything, twice, before the start, and after the end."""
        with self._made() as (controller, path):
            controller.abort()
            controller.abort()
            controller.arm(path, 0, len(path))
            controller.abort()
            self._refused("start after abort", controller.start)
            whole = self._scan(controller)
            controller.abort()
            self._same(self._scan(controller), whole)

    def test_abort_in_the_middle_drops_the_range(self) -> None:
        """Nothing is read any more; armed again, it goes on."""
        with self._made() as (controller, path):
            whole = self._scan(controller)
            controller.arm(path, 0, len(path))
            controller.start()
            batch = controller.read(7)
            assert batch is not None, "expected samples, got the end"
            controller.abort()
            self._refused("read after abort", lambda: controller.read(1))
            start = len(batch.counts) if controller.capabilities.resumable else 0
            self._same(self._scan(controller, start), whole[start:])

    def test_abort_right_after_the_start_is_clean(self) -> None:
        """Also again and again; the next scan is not disturbed by what was under way."""
        with self._made() as (controller, path):
            for _ in range(20):
                controller.arm(path, 0, len(path))
                controller.start()
                controller.abort()
            self._same(self._scan(controller), self._scan(controller))

    def test_abort_from_another_thread_ends_reading(self) -> None:
        """A thread that reads gets an error or the end, soon; then it can be armed again."""
        with self._made() as (controller, path):
            controller.arm(path, 0, len(path))
            controller.start()
            begun = threading.Event()
            ends: list[str] = []
            reader = threading.Thread(target=self._read_on, args=(controller.controller, begun, ends), daemon=True)
            reader.start()
            assert begun.wait(self.patience_s), "expected a first batch, got none"
            controller.abort()
            reader.join(self.patience_s)
            assert not reader.is_alive(), f"expected the end of read within {self.patience_s:g} s of an abort"
            assert ends == ["end"], f"expected ControllerError or None from read after an abort, got {ends}"
            self._scan(controller)

    def test_close_can_be_called_at_any_time(self) -> None:
        """Idle, twice, and in the middle of a scan, which ends there."""
        with self._made() as (idle, _):
            idle.close()
        with self._made() as (busy, path):
            busy.arm(path, 0, len(path))
            busy.start()
            busy.read(1)
            busy.close()
            busy.close()
            self._refused("read after close", lambda: busy.read(1))

    # ------------------------------------------------------------------ moves of its field

    def test_moves_its_field_as_it_tells(self) -> None:
        """If it says so: to the place that it tells of, which it finds again; the plan's own place is always there."""
        with self._made() as (controller, path):
            if not controller.capabilities.moves_field:
                return
            here = self._scan(controller)
            for asked in ((0.0, 0.0), (1.3, -2.7), (1e9, -1e9)):
                told = controller.move_field(path, 0, asked)
                again = controller.move_field(path, 0, told)
                assert np.allclose(again, told, atol=1e-9), f"expected {told} when asked for what it told, got {again}"
                moved = self._scan(controller)
                assert len(moved) == len(path), f"expected {counted(len(path), 'sample')} elsewhere, got {len(moved)}"
                self._same(self._scan(controller), moved)
            back = controller.move_field(path, 0, (0.0, 0.0))
            assert back == (0.0, 0.0), f"expected (0, 0) to be where the plan has the field, got {back}"
            self._same(self._scan(controller), here)

    def test_follows_drift_into_a_store(self) -> None:
        """If it moves its field: `acquire` records where it was in each pass, and a resumption moves it there again."""
        with self._made() as (controller, path), tempfile.TemporaryDirectory() as folder:
            able, each = controller.capabilities, path.plan.samples_per_pass
            if not (able.moves_field and able.resumable and path.plan.passes > 1):
                return
            place, other = Path(folder) / "cut.zarr", Path(folder) / "whole.zarr"
            cut = FaultyController(controller.controller, seed=0, faults=["disconnect"], every=len(path))
            with self._store(place, controller, follows=True) as store:
                self._refused("a lost connection", lambda: self._acquire(cut, store, follows=True))
            with self._store(place, controller, resume=True, follows=True) as store:
                self._acquire(controller, store, follows=True)
            with self._store(other, controller, follows=True) as store:
                self._acquire(controller, store, follows=True)
            resumed, whole = Acquisition.open(place), Acquisition.open(other)
            offsets = whole.field_offsets
            assert not offsets[0].any(), f"expected the first pass where the plan has it, got {offsets[0]}"
            np.testing.assert_array_equal(resumed.field_offsets, offsets)
            for number in range(len(whole.channels)):
                self._same(resumed.counts(0, each, channel=number), whole.counts(0, each, channel=number))
                self._same(resumed.counts(channel=number), whole.counts(channel=number))

    # ------------------------------------------------------------------ what its beam does

    def test_beam_times_add_up(self) -> None:
        """If it reports them: whole numbers, with the beam on for no longer than they last, of any range."""
        with self._made() as (controller, path):
            reporting, total = controller.controller, len(path)
            if not isinstance(reporting, ReportsBeamTimes):
                return
            whole = beam_times_of(reporting, path, 0, total)
            for cut in (0, 1, total // 3, total):
                parts = beam_times_of(reporting, path, 0, cut) + beam_times_of(reporting, path, cut, total)
                assert parts == whole, f"expected {whole} of both parts, got {parts} when cut at sample {cut}"

    # ------------------------------------------------------------------ with the acquire loop

    def test_acquires_into_a_store(self) -> None:
        """`acquire` completes a store, whose pictures hold every sample."""
        with self._made() as (controller, path), tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "acq.zarr"
            with self._store(place, controller) as store:
                self._acquire(controller, store, batch_samples=5, commit_samples=20)
            read = Acquisition.open(place)
            assert read.state == "complete", f"expected a complete store, got {read.state}"
            counts = np.stack([read.counts(channel=number) for number in range(len(read.channels))], axis=1)
            for number, total in enumerate(counts.sum(axis=0, dtype=np.float64)):
                frames = read.frames(channel=number)
                np.testing.assert_allclose(frames.sum(dtype=np.float64), total, rtol=1e-6)
            assert int(read.visits().sum(dtype=np.int64)) == len(path), "expected a visit of each sample"
            np.testing.assert_array_equal(read.positions(), path.positions(0, len(path)))
            self._same(counts.squeeze(axis=1) if counts.shape[1] == 1 else counts, self._scan(controller))

    def test_goes_on_after_an_interruption(self) -> None:
        """Cut off in the middle and resumed, a store is the same as one that was not."""
        with self._made() as (controller, path), tempfile.TemporaryDirectory() as folder:
            if not controller.capabilities.resumable:
                return
            place, other = Path(folder) / "cut.zarr", Path(folder) / "whole.zarr"
            cut = FaultyController(controller.controller, seed=0, faults=["disconnect"], every=len(path))
            with self._store(place, controller) as store:
                self._refused(
                    "a lost connection",
                    lambda: self._acquire(cut, store, batch_samples=5, commit_samples=20),
                )
            with self._store(place, controller, resume=True) as store:
                self._acquire(controller, store, batch_samples=7, commit_samples=30)
            with self._store(other, controller) as store:
                self._acquire(controller, store, batch_samples=100, commit_samples=1000)
            assert Acquisition.open(place).state == "complete", "expected a complete store"
            cut_off, undisturbed = Acquisition.open(place), Acquisition.open(other)
            for number in range(len(undisturbed.channels)):
                self._same(cut_off.counts(channel=number), undisturbed.counts(channel=number))


def check_controller(make: Callable[[ScanPlan], ScanController], **attributes: Any) -> None:
    """Run all tests of `ControllerConformance` on a controller.

    Parameters
    ----------
    make : callable
        Makes a controller for a plan; called for each test.
    **attributes
        Others of the class, such as ``repeatable=False`` for real hardware.

    Raises
    ------
    AssertionError, StemscanError
        When the controller fails one.
    """
    kind = type("Suite", (ControllerConformance,), {**attributes, "make_controller": lambda _, plan: make(plan)})
    for name in [name for name in dir(kind) if name.startswith("test_")]:
        getattr(kind(), name)()
