"""Every controller of this project passes the suite for controllers, and broken ones do not."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.acquisition.conformance import ControllerConformance
from stemscan.acquisition.faulty import FaultyController
from stemscan.acquisition.replay import ReplayController
from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import Capabilities, ScanController
from stemscan.errors import ControllerError, UnprovenError
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.profile import load_profile
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.reading import load_inputs
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.microscope import expose
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.server import ObiServer
from stemscan.store.batch import SampleBatch
from stemscan.store.ledger import BeamTime, BeamTimes
from stemscan.store.writer import AcquisitionWriter

PROFILE = load_profile("obi")
SPECIMEN = specimen_from_array(np.random.default_rng(0).random((32, 32)).astype(np.float32))


class Conformance(ControllerConformance):
    """The suite, and that what was acquired can be reconstructed."""

    def test_the_store_is_an_input_of_reconstructions(self, tmp_path: Path) -> None:
        plan = self.make_plan()
        controller = self.make_controller(plan)
        try:
            place = acquired(tmp_path / "acq.zarr", controller, plan)
        finally:
            controller.close()
        inputs = load_inputs(place)
        assert (inputs.T, inputs.samples, inputs.source["warnings"]) == (plan.passes, plan.total_samples, [])


def acquired(place: Path, controller: ScanController, plan: ScanPlan) -> Path:
    with AcquisitionWriter.create(place, plan, provenance_of(controller)) as store:
        run_scan(plan, controller, store)
    return place


class TestVirtualMicroscope(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return VirtualMicroscope(SPECIMEN, plan, seed=3)


class TestVirtualMicroscopeOfFloats(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return VirtualMicroscope(SPECIMEN, plan, noise="eq5", seed=3)


class TestVirtualMicroscopeOfDetectors(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return VirtualMicroscope(SPECIMEN, plan, seed=3, detectors=("abf", "haadf", "q1"))


class TestFaultyWithoutFaults(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return FaultyController(VirtualMicroscope(SPECIMEN, plan, seed=3), seed=1, faults=())


class TestReplay(Conformance):
    @pytest.fixture(autouse=True)
    def _folder(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as name:
            self.folder = Path(name)
            yield

    def make_controller(self, plan: ScanPlan) -> ScanController:
        place = self.folder / "source.zarr"
        if not place.exists():
            acquired(place, VirtualMicroscope(SPECIMEN, plan, seed=3), plan)
        return ReplayController(place)


class TestObi(Conformance):
    @pytest.fixture(autouse=True)
    def _loop(self) -> Iterator[None]:
        self.loop = asyncio.new_event_loop()
        self.servers: list[ObiServer] = []
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        yield
        for server in self.servers:
            asyncio.run_coroutine_threadsafe(server.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join()
        self.loop.close()

    def make_controller(self, plan: ScanPlan) -> ScanController:
        server = ObiServer(VirtualObiDevice(plan, PROFILE, SPECIMEN, seed=3))
        self.servers.append(server)
        port = asyncio.run_coroutine_threadsafe(server.start(), self.loop).result(10)
        return ObiController("127.0.0.1", port, PROFILE)


# ---------------------------------------------------------------------- the suite finds what is wrong


class Broken(VirtualMicroscope):
    """Everything right so far."""

    def __init__(self, plan: ScanPlan) -> None:
        super().__init__(SPECIMEN, plan, seed=3)


class NoTurn(Broken):
    def read(self, max_samples: int) -> SampleBatch | None:
        self._range._running = True
        return super().read(max_samples)


class TooLarge(Broken):
    def read(self, max_samples: int) -> SampleBatch | None:
        return super().read(max_samples + 1)


class LosesTheLast(Broken):
    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, start, stop)
        self._range.arm(path, start, max(start, stop - 1))


class AnyRange(Broken):
    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, max(0, start), max(0, start, min(stop, len(path))))


class OneBuffer(Broken):
    buffer = np.zeros(1000, np.uint16)

    def read(self, max_samples: int) -> SampleBatch | None:
        batch = super().read(max_samples)
        if batch is None:
            return None
        self.buffer[: len(batch.counts)] = batch.counts
        return SampleBatch(batch.start, self.buffer[: len(batch.counts)])


class AlwaysFromTheBeginning(Broken):
    def read(self, max_samples: int) -> SampleBatch | None:
        batch = super().read(max_samples)
        return None if batch is None else SampleBatch(batch.start, batch.counts * 0 + self._reads())

    reads = 0

    def _reads(self) -> int:
        self.reads += 1
        return self.reads


class KeepsGoing(Broken):
    def abort(self) -> None:
        """Does nothing."""


class ClosesOnce(Broken):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed")
        self.closed = True


class Nameless(Broken):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("")


class SaysPositions(Broken):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("positions", actual_positions=True)


class OtherErrors(Broken):
    def read(self, max_samples: int) -> SampleBatch | None:
        try:
            return super().read(max_samples)
        except ControllerError as error:
            raise KeyError(str(error)) from error


class Hangs(Broken):
    silence = threading.Event()

    def read(self, max_samples: int) -> SampleBatch | None:
        self.silence.wait()
        return None


class AbortHangs(Hangs):
    def abort(self) -> None:
        self.silence.wait()


class GoesOnAfterClose(Broken):
    def close(self) -> None:
        """Does nothing."""


class LosesWhenCallersStall(Broken):
    """Like a device whose buffer is full: a reading is lost, the others move up, and one is missing in the end."""

    last = 0.0
    lost = 0

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, start, stop)
        self.last, self.lost, self.stop = 0.0, 0, stop

    def read(self, max_samples: int) -> SampleBatch | None:
        now = time.monotonic()
        if self.last and now - self.last > 0.15:
            self._lose()
        batch = super().read(max_samples)
        self.last = time.monotonic()
        return None if batch is None else SampleBatch(batch.start - self.lost, batch.counts)

    def _lose(self) -> None:
        assert self._range._armed is not None
        path, start, stop = self._range._armed
        self._range._armed = (path, start + 1, stop)
        self.lost += 1


class SaysWhenItLost(LosesWhenCallersStall):
    """The same, but it counts its readings: this one is right."""

    def _lose(self) -> None:
        start = self.reached
        self.abort()
        raise UnprovenError("expected as many readings as pixels, got fewer; expose them again", proven=start)


class ShiftsWhenCallersStall(LosesWhenCallersStall):
    """The same, with as many samples as there should be."""

    def read(self, max_samples: int) -> SampleBatch | None:
        if self.lost < 0:
            return None
        batch = super().read(max_samples)
        if batch is None and self.lost:
            batch, self.lost = SampleBatch(self.stop - self.lost, np.zeros(self.lost, np.uint16)), -1
        return batch


class AddsAfterMany(Broken):
    """One reading too many after 30,000 of a range; the last sample is not delivered."""

    def read(self, max_samples: int) -> SampleBatch | None:
        batch = super().read(max_samples)
        if batch is None or self.reached - self._began < 30_000:
            return batch
        counts, _ = expose(SPECIMEN.signal, self.long, batch.start - 1, batch.start - 1 + len(batch.counts), seed=3)
        return SampleBatch(batch.start, counts)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        super().arm(path, start, stop)
        self._began, self.long = start, path


class Doubles(Broken):
    """Every tenth sample has the counts of the one before; nothing in it looks wrong."""

    def read(self, max_samples: int) -> SampleBatch | None:
        path, batch = self._path, super().read(max_samples)
        if batch is None or path is None:
            return batch
        index = np.arange(batch.start, batch.start + len(batch.counts))
        counts = [right_counts(path, at - (at % 10 == 9)) for at in index.tolist()]
        return SampleBatch(batch.start, np.array(counts, np.uint16))


class TimesDoNotAddUp(Broken):
    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        return BeamTimes.dwells(1, 1000)


class ImpossibleTimes(Broken):
    def beam_times(self, path: ScanPath, start: int, stop: int) -> BeamTimes:
        return BeamTimes(settle=BeamTime(0, 5))


def right_counts(path: ScanPath, index: int) -> int:
    return int(expose(SPECIMEN.signal, path, index, index + 1, seed=3)[0][0])


@pytest.mark.parametrize(
    ("broken", "test", "message"),
    [
        (NoTurn, "read_and_start_want_their_turn", "read before start"),
        (TooLarge, "batches_are_no_larger_than_asked", "at most 1 sample a batch"),
        (LosesTheLast, "delivers_the_whole_path_in_order", "an end after 95"),
        (AnyRange, "ranges_outside_the_path_are_refused", "range -1 to 96"),
        (OneBuffer, "batches_belong_to_the_caller", "not equal"),
        (AlwaysFromTheBeginning, "can_be_armed_in_the_middle", "not equal"),
        (AlwaysFromTheBeginning, "goes_on_after_an_interruption", "not equal"),
        (KeepsGoing, "abort_in_the_middle_drops_the_range", "read after abort"),
        (KeepsGoing, "abort_is_harmless_when_idle", "start after abort"),
        (ClosesOnce, "close_can_be_called_at_any_time", "closed"),
        (Nameless, "says_what_it_can_do", "a name"),
        (SaysPositions, "acquires_into_a_store", "with actual positions"),
        (OtherErrors, "abort_in_the_middle_drops_the_range", "expected a started scan"),
        (Hangs, "delivers_the_whole_path_in_order", r"to deliver samples within 0\.5 s, got no answer"),
        (Hangs, "acquires_into_a_store", r"within 0\.5 s"),
        (AbortHangs, "abort_is_harmless_when_idle", r"to abort within 0\.5 s"),
        (GoesOnAfterClose, "close_can_be_called_at_any_time", "read after close"),
        (LosesWhenCallersStall, "a_caller_that_stalls_loses_nothing", "an end after"),
        (ShiftsWhenCallersStall, "a_caller_that_stalls_loses_nothing", "not equal"),
        (AddsAfterMany, "a_long_scan_is_the_same_in_pieces", "not equal"),
        (Doubles, "delivers_the_whole_path_in_order", "not equal"),
        (TimesDoNotAddUp, "beam_times_add_up", "of both parts"),
        (ImpossibleTimes, "beam_times_add_up", "5 ns of 0 ns of settle with the beam on"),
    ],
)
def test_a_broken_controller_is_found(broken: type[Broken], test: str, message: str) -> None:
    class Suite(ControllerConformance):
        patience_s = 0.5 if issubclass(broken, Hangs) else 60.0

        def make_controller(self, plan: ScanPlan) -> ScanController:
            return broken(plan)

        def expected_counts(self, path: ScanPath, start: int, stop: int) -> NDArray[Any] | None:
            return np.array([right_counts(path, at) for at in range(start, stop)]) if broken is Doubles else None

    with pytest.raises((AssertionError, ControllerError, RuntimeError, KeyError), match=message):
        getattr(Suite(), f"test_{test}")()


class TestSaysWhenItLost(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return SaysWhenItLost(plan)


@pytest.mark.parametrize("fault", ["lose", "add", "shift"])
@pytest.mark.parametrize("test", ["a_caller_that_stalls_loses_nothing", "a_long_scan_is_the_same_in_pieces"])
def test_a_lost_added_or_shifted_reading_is_found(fault: Literal["lose", "add", "shift"], test: str) -> None:
    class Suite(ControllerConformance):
        stall_s = 0.001

        def make_controller(self, plan: ScanPlan) -> ScanController:
            return FaultyController(Broken(plan), seed=1, faults=[fault], every=40_000)

    message = {"lose": "an end after", "add": "as armed", "shift": "not equal"}[fault]
    with pytest.raises((AssertionError, ControllerError), match=message):
        getattr(Suite(), f"test_{test}")()


class Noisy(Broken):
    """Counts something else each time."""

    generator = np.random.default_rng(1)

    def read(self, max_samples: int) -> SampleBatch | None:
        batch = super().read(max_samples)
        if batch is None:
            return None
        return SampleBatch(batch.start, self.generator.integers(0, 100, len(batch.counts)).astype(np.uint16))


class TestRealNoise(Conformance):
    repeatable: ClassVar[bool] = False

    def make_controller(self, plan: ScanPlan) -> ScanController:
        return Noisy(plan)


class WholeScansOnly(Broken):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("whole scans", max_batch=1000, resumable=False)

    def arm(self, path: ScanPath, start: int, stop: int) -> None:
        if (start, stop) != (0, len(path)):
            raise ControllerError(f"expected a whole scan, got samples {start} to {stop}")
        super().arm(path, start, stop)

    def read(self, max_samples: int) -> SampleBatch | None:
        return super().read(min(max_samples, 1000))


class TestWholeScans(Conformance):
    def make_controller(self, plan: ScanPlan) -> ScanController:
        return WholeScansOnly(plan)


def test_a_suite_without_a_controller_says_so() -> None:
    with pytest.raises(NotImplementedError, match="make_controller"):
        ControllerConformance().test_says_what_it_can_do()
