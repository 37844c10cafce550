"""Parts of the suite for scan controllers that make, scan, store and compare; its tests are in `conformance`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.acquisition.following import Prediction
from stemscan.acquisition.reports import channels_of, provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.acquisition.timed_controller import TimedController
from stemscan.errors import ControllerError, UnprovenError
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.store.batch import SampleBatch, check_batch, head_of
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from stemscan.units import counted

__all__ = ["ControllerChecks"]

_MANY_SAMPLES: Final = 50_000
_MOST_PASSES: Final = 256
_LONG_NS: Final = 1_000_000_000
_LARGE: Final = 4096
_MOST_TRIES: Final = 10


class _Steady:
    """Foretells a drift of two pixels down and one to the left in each pass."""

    record: ClassVar = {"name": "steady"}

    def __call__(self, acquisition: Acquisition, passes: int) -> Prediction:
        return Prediction((2.0 * passes, -1.0 * passes))


class ControllerChecks:
    """Settings of `ControllerConformance` that its user makes, and the checks that its tests share.

    Attributes
    ----------
    repeatable : bool
        True if a sample that is exposed again has the same counts, as in a simulation. Say False for real hardware:
        then order, number and type of the counts are checked, and not their values.
    patience_s : float
        Longest wait for a call of the controller in seconds; one that takes longer is a failure.
    stall_s : float
        Seconds for which a caller that does not keep up reads nothing: so many that all buffers are full.
    """

    repeatable: ClassVar[bool] = True
    patience_s: ClassVar[float] = 60.0
    stall_s: ClassVar[float] = 0.2

    def make_controller(self, plan: ScanPlan) -> ScanController:
        """A new controller, ready to be armed with the path of `plan`; each test closes it. Overridden by the user."""
        raise NotImplementedError("expected make_controller in the test class, got none; override it")

    def make_plan(self) -> ScanPlan:
        """The plan that is scanned: 96 samples in 2 passes on 32 x 32 pixels, unless overridden."""
        return ScanPlan.from_dict(
            {
                "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
                "shape": [32, 32],
                "passes": 2,
                "dwell_ns": 1000,
                "dose": {"electrons_per_sample": 10},
                "seed": 7,
            }
        )

    def make_long_plan(self) -> ScanPlan:
        """A plan that fills a controller's buffers: a raster where `make_plan` is, of some 50,000 samples or 1 s."""
        plan = self.make_plan()
        rows, columns = plan.shape
        passes = max(1, min(_MANY_SAMPLES, _LONG_NS // plan.dwell_ns) // (rows * columns))
        changes = {"pattern": {"kind": "raster"}, "passes": min(passes, _MOST_PASSES)}
        return ScanPlan.from_dict({name: part for name, part in plan.to_dict().items() if name != "order"} | changes)

    def expected_counts(self, path: ScanPath, start: int, stop: int) -> NDArray[Any] | None:
        """Counts that samples start .. stop - 1 must have, (n,), of several channels (n, C); None where not known."""
        return None

    @contextmanager
    def _made(self, plan: ScanPlan | None = None) -> Iterator[tuple[TimedController, ScanPath]]:
        """A controller that answers in time or fails, closed at the end, and the path to scan."""
        plan = plan or self.make_plan()
        controller = TimedController(self.make_controller(plan), self.patience_s)
        try:
            self._path = ScanPath(plan)
            yield controller, self._path
        except BaseException:
            with suppress(Exception):  # what was found first matters more
                controller.close()
            raise
        else:
            controller.close()
        finally:
            controller.let_go()

    def _scan(
        self, controller: ScanController, start: int = 0, stop: int | None = None, *, size: int = 10
    ) -> NDArray[Any]:
        """Counts of a range, checked as they come; the whole path unless told."""
        stop = len(self._path) if stop is None else stop
        controller.arm(self._path, start, stop)
        controller.start()
        return np.concatenate([batch.counts for batch in self._batches(controller, start, stop, size)])

    def _proven(self, controller: ScanController, start: int, stop: int, *, stalls: int = 0) -> NDArray[Any]:
        """Counts of a range, in which the caller stalls so often; what is not proven is exposed again, a few times."""
        counts, at, tries = [], start, 0
        while at < stop:
            batches: list[SampleBatch] = []
            try:
                controller.arm(self._path, at, stop)
                controller.start()
                self._batches(controller, at, stop, _LARGE, into=batches, stalls=stalls)
                proven = stop
            except UnprovenError as problem:
                proven, tries = problem.proven, tries + 1
                assert at <= proven <= stop, f"expected a proven sample of {at} to {stop}, got {proven}"
                assert tries < _MOST_TRIES, f"expected proven samples in {_MOST_TRIES} tries, got: {problem}"
            if proven < stop and not controller.capabilities.resumable:
                proven, batches = start, []
            counts += [head_of(batch, proven).counts for batch in batches if batch.start < proven]
            at = proven
        return np.concatenate(counts)

    def _batches(
        self,
        controller: ScanController,
        start: int,
        stop: int,
        size: int,
        *,
        into: list[SampleBatch] | None = None,
        stalls: int = 0,
    ) -> list[SampleBatch]:
        """All batches of a range that was started; the caller stalls so often, first before the first of them."""
        able, dtypes = controller.capabilities, [np.dtype(one.dtype) for one in channels_of(controller)]
        batches: list[SampleBatch] = [] if into is None else into
        at = [start + (stop - start) * number // stalls for number in range(stalls)]
        while True:
            if at and start >= at[0]:
                at.pop(0)
                time.sleep(self.stall_s)
            if (batch := controller.read(size)) is None:
                break
            assert isinstance(batch, SampleBatch), f"expected a SampleBatch or None, got {batch!r}"
            try:
                check_batch(batch, start, stop, dtypes, actual=able.actual_positions)
            except UnprovenError as problem:  # not said by the controller
                raise AssertionError(str(problem)) from None
            got, most = len(batch.counts), min(size, able.max_batch)
            assert got <= most, f"expected at most {counted(most, 'sample')} a batch, got {got}"
            expected = self.expected_counts(self._path, start, start + got)
            if expected is not None:
                np.testing.assert_array_equal(batch.counts, expected, f"samples {start} to {start + got}")
            start += got
            batches.append(batch)
        assert start == stop, f"expected samples up to {stop}, got an end after {start}"
        return batches

    def _read_on(self, controller: ScanController, begun: threading.Event, ends: list[str]) -> None:
        """Read sample by sample until nothing comes."""
        try:
            while controller.read(1) is not None:
                begun.set()
            ends.append("end")
        except ControllerError:
            ends.append("end")
        except Exception as error:  # noqa: BLE001 - it is the thread's result
            ends.append(repr(error))

    def _store(
        self, place: Path, controller: TimedController, *, resume: bool = False, follows: bool = False
    ) -> AcquisitionWriter:
        """The writer of a store for what the controller delivers."""
        make = AcquisitionWriter.resume if resume else AcquisitionWriter.create
        rule = _Steady.record if follows else None
        return make(place, self._path.plan, replace(provenance_of(controller.controller), follow=rule))

    def _acquire(
        self,
        controller: ScanController,
        store: AcquisitionWriter,
        *,
        batch_samples: int = 5,
        commit_samples: int = 20,
        follows: bool = False,
    ) -> None:
        """Scan, with the controller itself, for one behind another cannot report the times of its beam."""
        itself = controller.controller if isinstance(controller, TimedController) else controller
        run_scan(
            self._path.plan,
            itself,
            store,
            batch_samples=batch_samples,
            commit_samples=commit_samples,
            stall_timeout=self.patience_s,
            follower=_Steady() if follows else None,
        )

    def _refused(self, what: str, call: Callable[[], object]) -> None:
        """Expect a `ControllerError`."""
        try:
            call()
        except ControllerError:
            return
        raise AssertionError(f"expected ControllerError on {what}, got none")

    def _same(self, got: NDArray[Any], expected: NDArray[Any]) -> None:
        """As many counts, and the same ones where the controller repeats itself."""
        assert len(got) == len(expected), f"expected {counted(len(expected), 'sample')}, got {len(got)}"
        if self.repeatable:
            np.testing.assert_array_equal(got, expected)

    def _all_same(self, scans: Sequence[NDArray[Any]]) -> None:
        """Scans of the same range."""
        for scan in scans[1:]:
            self._same(scan, scans[0])
