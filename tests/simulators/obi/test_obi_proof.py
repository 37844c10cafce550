"""No sample is handed over before a cookie has proved that its reading is its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.acquisition.scan import ScanReport, run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError, UnprovenError
from stemscan.hardware.obi import chunks as chunks_module
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi import link
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.cookies import NUMBERS, numbered
from stemscan.hardware.profile import ControllerProfile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope
from stemscan.simulators.obi.faults import READING_FAULTS, FaultyObiDevice, ReadingFault
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.simulators.obi.obi_kit import PATH, PLAN, PROFILE, SPECIMEN, Scripted, Served, expected

TOTAL = len(PATH)


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of some 150 samples, and little patience with a device that hangs."""
    monkeypatch.setattr(chunks_module, "LARGEST_CHUNK", 300)
    monkeypatch.setattr(link, "_SILENCE_S", 0.1)


@contextmanager
def faulty(*faults: ReadingFault, every: int, seed: int = 0) -> Iterator[Served]:
    device = FaultyObiDevice(PLAN, PROFILE, SPECIMEN, seed=3, faults=faults, every=every, fault_seed=seed)
    served = Served(device=device)
    try:
        yield served
    finally:
        served.stop()


def read_until_unproven(controller: ObiController, start: int) -> tuple[NDArray[np.uint16], int | None]:
    """Counts from a sample on, and the first that could not be proved, if any."""
    counts = [np.empty(0, np.uint16)]
    try:
        controller.arm(PATH, start, TOTAL)
        controller.start()
        while (batch := controller.read(1000)) is not None:
            counts.append(batch.counts)
    except UnprovenError as problem:
        return np.concatenate(counts), problem.proven
    return np.concatenate(counts), None


@pytest.mark.parametrize("faults", [("lose",), ("add",), ("shift",), ("hang",), ("lose", "add", "shift")])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_handed_over_is_right_and_the_rest_can_be_exposed_again(
    faults: tuple[ReadingFault, ...], seed: int
) -> None:
    right = expected(0, TOTAL)
    with faulty(*faults, every=3000, seed=seed) as served:
        controller = served.connect(timeout=5)
        at, unproven = 0, 0
        while at < TOTAL:
            counts, proven = read_until_unproven(controller, at)
            np.testing.assert_array_equal(counts, right[at : at + len(counts)])
            if proven is not None:
                assert proven == at + len(counts) <= controller.reached < proven + 3 * 300
                unproven += 1
            at += len(counts)
        controller.close()
        assert isinstance(served.device, FaultyObiDevice)
        assert unproven
        assert served.device.struck


def test_a_reading_lost_in_every_piece_hands_over_nothing() -> None:
    with faulty("lose", every=100) as served:
        controller = served.connect()
        counts, proven = read_until_unproven(controller, 7)
        assert (len(counts), proven) == (0, 7)
        controller.close()


def test_an_error_says_what_came() -> None:
    with Scripted(lambda before, pixels: bytes(2 * pixels + (2 if 0 < before < 20 else 0))) as device:
        controller = device.connect()
        controller.arm(PATH, 0, TOTAL)
        controller.start()
        with pytest.raises(
            UnprovenError, match=r"expected \d+ readings .* from sample 0 on, got \d+, so that it is unknown"
        ):
            controller.read(10)
        controller.close()


def test_cookies_are_numbers_without_the_byte_that_begins_an_answer() -> None:
    cookies = {numbered(number) for number in range(NUMBERS)}
    assert len(cookies) == NUMBERS
    assert all(cookie & 1 and 0xFF not in cookie.to_bytes(2, "big") for cookie in cookies)


# ---------------------------------------------------------------------- acquired into a store

UNSETTLED = PROFILE.model_copy(update={"settle": None})


def acquired(place: Path, plan: ScanPlan, controller: ScanController, *, resume: bool = False) -> ScanReport:
    begin = AcquisitionWriter.resume if resume else AcquisitionWriter.create
    with begin(place, plan, Provenance((controller.detector,))) as store:
        return run_scan(plan, controller, store, batch_samples=500, commit_samples=1000, stall_timeout=30)


def undisturbed(place: Path, plan: ScanPlan) -> NDArray[np.uint16]:
    acquired(place, plan, VirtualMicroscope(SPECIMEN, plan, seed=3))
    counts: NDArray[np.uint16] = Acquisition.open(place).counts()
    return counts


@pytest.mark.parametrize("profile", [PROFILE, UNSETTLED], ids=["settled", "unsettled"])
@pytest.mark.parametrize(
    ("faults", "dwell_ns"),
    [
        (("lose",), 250),
        (("lose",), 375),
        (("lose",), 625),
        (("lose", "add"), 1125),
        (("shift",), 2000),
        (("hang",), 250),
        (READING_FAULTS, 500),
    ],
)
def test_every_sample_is_that_of_an_undisturbed_run(
    tmp_path: Path, faults: tuple[ReadingFault, ...], dwell_ns: int, profile: ControllerProfile
) -> None:
    plan = ScanPlan.from_dict({**PLAN.to_dict(), "dwell_ns": dwell_ns})
    device = FaultyObiDevice(plan, profile, SPECIMEN, seed=3, faults=faults, every=1700, fault_seed=dwell_ns)
    served = Served(device=device)
    try:
        controller = ObiController("127.0.0.1", served.port, profile, timeout=20)
        result = acquired(tmp_path / "a.zarr", plan, controller)
        controller.close()
    finally:
        served.stop()
    held = Acquisition.open(tmp_path / "a.zarr")
    assert held.state == "complete"
    np.testing.assert_array_equal(held.counts(), undisturbed(tmp_path / "b.zarr", plan))
    assert held.ledger is not None
    assert result.unproven == held.ledger["times_exposed_again"] >= 1
    assert held.ledger["samples_exposed_again_at_most"] <= result.unproven * 3 * 300


def test_a_device_that_keeps_losing_ends_the_scan_and_a_better_one_completes_it(tmp_path: Path) -> None:
    place = tmp_path / "a.zarr"
    with faulty("lose", every=3000) as served:
        device = served.device
        assert isinstance(device, FaultyObiDevice)
        controller = served.connect()

        def worse(done: int, _: int) -> None:
            if done > 400:
                device._every = 50

        with (
            AcquisitionWriter.create(place, PLAN, Provenance((controller.detector,))) as store,
            pytest.raises(UnprovenError, match=r"the Open Beam Interface at .* to prove .* in 4 tries"),
        ):
            run_scan(PLAN, controller, store, progress=worse, batch_samples=500, commit_samples=1000)
        controller.close()
    kept = Acquisition.open(place)
    right = undisturbed(tmp_path / "b.zarr", PLAN)
    assert 400 < kept.samples_committed < TOTAL
    assert kept.doubt is None
    np.testing.assert_array_equal(kept.counts(), right[: kept.samples_committed])
    served = Served()
    try:
        controller = served.connect()
        acquired(place, PLAN, controller, resume=True)
        controller.close()
    finally:
        served.stop()
    np.testing.assert_array_equal(Acquisition.open(place).counts(), right)


# ---------------------------------------------------------------------- on connecting


@pytest.mark.parametrize(
    "left", [b"\xff", b"\xff\xff\xff", b"\x12" * 1001, b"\xff\xff\x12\x34\xff\xff\x00", b"\xff" * 70001]
)
def test_what_an_earlier_client_left_is_passed_over_byte_by_byte(left: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            wire, _ = listening.accept()
            with wire:
                wire.sendall(left)
                for answer in (b"", b"\0\4\0\4"):
                    data = b""
                    while not data.endswith(b"\x20"):  # a cookie may hold that byte as well
                        data += wire.recv(4096)
                    wire.sendall(answer + b"\xff\xff" + data[-3:-1])
                while wire.recv(100):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        ObiController("127.0.0.1", listening.getsockname()[1], PROFILE, timeout=2).close()
        thread.join()


def test_two_blanked_pixels_where_the_beam_is_parked_are_exposed_first() -> None:
    with Scripted(lambda before, pixels: bytes(2 * pixels)) as device:
        device.connect().close()
    pixels = next(one for one in device.seen if isinstance(one, obi.VectorPixels))
    assert (pixels.x.tolist(), pixels.y.tolist(), pixels.blank[0]) == ([0, 0], [0, 0], 1)
    assert obi.Blank(True) in device.seen[: device.seen.index(pixels)]


@pytest.mark.parametrize("readings", [0, 1, 3, 258])
def test_gateware_with_another_array_is_named(readings: int) -> None:
    with (
        Scripted(lambda before, pixels: bytes(2 * readings)) as device,
        pytest.raises(
            ControllerError, match=rf"2 readings .* Array of 2 pixels, got {readings}; its gateware reads Array"
        ),
    ):
        device.connect(timeout=1)


def test_gateware_that_waits_for_more_of_an_array_is_named() -> None:
    with (
        Scripted(lambda before, pixels: b"", cookies=1) as device,
        pytest.raises(ControllerError, match="got no such answer; its gateware reads Array"),
    ):
        device.connect(timeout=0.3)


def test_gateware_without_shifted_readings_is_named_by_its_date() -> None:
    with (
        Scripted(lambda before, pixels: b"\x1f\xff" * pixels) as device,
        pytest.raises(ControllerError, match=r"got 0x1fff and none above 0x3fff, as gateware from before 2025-06-12"),
    ):
        device.connect()
