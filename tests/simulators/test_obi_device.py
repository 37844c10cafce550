"""A client against the virtual device on loopback: right values, and every way in which it can go wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.coil_lag import CoilLag
from stemscan.controller import ScanController, acquire
from stemscan.errors import ControllerError, ProfileError, UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.decoder import Decoder
from stemscan.hardware.obi.encoder import StepEncoder, encode, largest_array
from stemscan.hardware.profile import ControllerProfile, Link, load_profile
from stemscan.lagged_controller import LaggedController
from stemscan.path import ScanPath
from stemscan.plan import ScanPlan
from stemscan.program import Program, Steps
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.obi_device import VirtualObiDevice
from stemscan.simulators.obi_server import ObiServer, check_host
from stemscan.store import Acquisition
from tests.stemscan.store_kit import contents

PLAN = ScanPlan.from_dict(
    {
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
        "shape": [64, 64],
        "passes": 20,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "seed": 1,
    }
)
PATH = ScanPath(PLAN)
PROFILE = load_profile("obi")
SPECIMEN = specimen_from_array(np.random.default_rng(0).random((64, 64)).astype(np.float32))


class Served:
    """A server in a thread."""

    def __init__(self, plan: ScanPlan = PLAN, profile: ControllerProfile = PROFILE) -> None:
        self.device = VirtualObiDevice(plan, profile, SPECIMEN, seed=3)
        self.told: list[str] = []
        self.server = ObiServer(self.device, tell=self.told.append)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(10)

    def stop(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def connect(self, **options: Any) -> ObiController:
        for _ in range(100):  # the device lets go of the last client a moment after it left
            try:
                return ObiController("127.0.0.1", self.port, PROFILE, **options)
            except ControllerError:
                time.sleep(0.05)
        raise AssertionError


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.stop()


def read_all(controller: ScanController, start: int, stop: int) -> NDArray[np.uint16]:
    controller.arm(PATH, start, stop)
    controller.start()
    counts = [np.empty(0, np.uint16)]
    while (block := controller.read(1000)) is not None:
        assert block.start == start + sum(map(len, counts))
        counts.append(block.counts)
    return np.concatenate(counts)


def expected(start: int, stop: int) -> NDArray[np.uint16]:
    return read_all(VirtualMicroscope(SPECIMEN, PLAN, seed=3), start, stop)


def test_counts_are_those_of_the_virtual_microscope_also_from_the_middle(served: Served) -> None:
    controller = served.connect()
    assert isinstance(controller, ScanController)
    for start, stop in ((0, len(PATH)), (777, 2000), (5, 5)):
        np.testing.assert_array_equal(read_all(controller, start, stop), expected(start, stop))
    assert served.device.ledger.plan_samples == len(PATH) + 2000 - 777
    controller.close()


def lengths_of_arrays(data: bytes) -> list[int]:
    """Pixels of each Array in a stream of blanks, vector pixels and Arrays of these."""
    lengths, at = [], 0
    while at < len(data):
        if data[at] == 0x8E:
            lengths.append(int.from_bytes(data[at + 1 : at + 3]) + 1)
            at += 3 + 6 * lengths[-1]
        else:
            assert data[at] in (0x50, 0x51, 0x52, 0x53, 0xE0)
            at += 7 if data[at] == 0xE0 else 1
    return lengths


def test_commands_are_as_short_as_the_profile_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    plain = StepEncoder.encode

    def watched(encoder: StepEncoder, steps: Steps) -> bytes:
        sent.append(plain(encoder, steps))
        return sent[-1]

    monkeypatch.setattr(StepEncoder, "encode", watched)
    for most, expected_array in ((None, 65536), (63, 10), (9, 1)):
        link = Link(bytes_per_second=4e7, bytes_per_step=6, largest_command_bytes=most)
        profile = PROFILE.model_copy(update={"settle": None, "link": link})
        assert largest_array(profile) == expected_array
        sent.clear()
        served = Served(profile=profile)
        controller = ObiController("127.0.0.1", served.port, profile)
        np.testing.assert_array_equal(read_all(controller, 0, 500), expected(0, 500))
        controller.close()
        served.stop()
        lengths = lengths_of_arrays(b"".join(sent))
        assert max(lengths, default=1) <= expected_array
        if most is None:
            assert max(lengths) > 10
    too_short = Link(bytes_per_second=4e7, bytes_per_step=6, largest_command_bytes=8)
    with pytest.raises(ProfileError, match="at least 9"):
        largest_array(PROFILE.model_copy(update={"link": too_short}))


def test_after_an_abort_the_beam_is_blanked_and_the_rest_comes_right(served: Served) -> None:
    controller = served.connect()
    controller.arm(PATH, 0, len(PATH))
    controller.start()
    assert controller.read(100) is not None
    controller.abort()
    controller.abort()
    held = served.device.ledger.held_ns
    time.sleep(0.05)
    with pytest.raises(ControllerError, match="started"):
        controller.read(1)
    np.testing.assert_array_equal(read_all(controller, 100, 900), expected(100, 900))
    assert served.device.ledger.held_ns - held < 50_000_000
    controller.close()


def test_a_slow_reader_makes_the_beam_wait_blanked_and_counts_stay_right() -> None:
    slow = ScanPlan.from_dict({**PLAN.to_dict(), "dwell_ns": 100_000})  # some 200 samples a chunk
    path = ScanPath(slow)
    served = Served(slow)
    try:
        controller = served.connect(most_unread=1)
        before = served.device.ledger.blanked_pixels
        controller.arm(path, 0, len(path))
        controller.start()
        time.sleep(0.2)
        counts = []
        while (block := controller.read(7)) is not None:
            counts.append(block.counts)
        microscope = VirtualMicroscope(SPECIMEN, slow, seed=3)
        microscope.arm(path, 0, len(path))
        microscope.start()
        expected_block = microscope.read(len(path))
        assert expected_block is not None
        np.testing.assert_array_equal(np.concatenate(counts), expected_block.counts)
        steps = Program(slow, PROFILE).steps(0, len(path))
        assert served.device.ledger.blanked_pixels - before > int(steps.blanked.sum()) + 2  # parked on the way
        controller.close()
    finally:
        served.stop()


def test_a_store_is_the_same_over_the_wire_also_after_an_interruption(served: Served, tmp_path: Path) -> None:
    def into(name: str, controller: ScanController, stop_at: int = 1 << 30) -> None:
        place = tmp_path / name
        begin = Acquisition.resume if place.exists() else Acquisition.create

        def watch(done: int, _: int) -> None:
            if done >= stop_at:
                raise KeyboardInterrupt

        with begin(place, PLAN, detector=controller.detector, truth=SPECIMEN.signal) as store:
            acquire(PLAN, controller, store, progress=watch, block_samples=300, commit_samples=1000)

    into("plain.zarr", VirtualMicroscope(SPECIMEN, PLAN, seed=3))
    controller = served.connect()
    with pytest.raises(KeyboardInterrupt):
        into("wire.zarr", controller, 1700)
    into("wire.zarr", controller)
    controller.close()
    plain, wire = (contents(tmp_path / name) for name in ("plain.zarr", "wire.zarr"))
    roots = [json.loads(str(found.pop("zarr.json"))) for found in (plain, wire)]
    ledgers = [root["attributes"]["stemscan"].pop("ledger") for root in roots]
    assert plain == wire
    assert roots[0] == roots[1]
    assert ledgers[0]["dwell"] == ledgers[1]["dwell"]
    assert ledgers[1]["settle"]["time_ns"] > 0 == ledgers[1]["settle"]["exposed_ns"]  # blanked moves, which only it has


def test_the_store_of_a_device_says_where_its_coils_put_the_beam(served: Served, tmp_path: Path) -> None:
    program = Program(PLAN, PROFILE)
    controller = LaggedController(served.connect(), program, 5000.0)
    place = tmp_path / "a.zarr"
    with Acquisition.create(place, PLAN, detector=controller.detector, actual_positions=True) as store:
        acquire(PLAN, controller, store)
    controller.close()
    held = Acquisition.open(place)
    expected = program.lagged(CoilLag(5000.0)).positions(0, len(PATH))
    np.testing.assert_array_equal(np.asarray(held.actual()), expected)
    assert held.ledger is not None
    assert held.ledger["settle"]["time_ns"] > 0


def test_a_device_that_answers_wrongly_is_left_blanked_and_parked() -> None:
    seen: list[obi.Command | obi.VectorPixels] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            wire, _ = listening.accept()
            decoder = Decoder()
            with wire:
                while data := wire.recv(1 << 16):
                    for command in decoder.feed(data):
                        seen.append(command)
                        if isinstance(command, obi.Synchronize):
                            wire.sendall(b"\xff\xff" + command.cookie.to_bytes(2, "big"))
                        elif isinstance(command, obi.VectorPixels):
                            wire.sendall(b"\x00\x01" * len(command.x))

        thread = threading.Thread(target=serve)
        thread.start()
        controller = ObiController("127.0.0.1", listening.getsockname()[1], PROFILE, timeout=2)
        assert [one for one in seen[:3] if not isinstance(one, obi.VectorPixels)] == [
            obi.Blank(True),
            obi.ExternalCtrl(True),
            obi.BeamSelect(obi.Beam.ELECTRON),
        ]
        controller.arm(PATH, 0, len(PATH))
        controller.start()
        with pytest.raises(ControllerError, match="14-bit"):
            controller.read(10)
        thread.join()
        controller.close()
    kinds = [type(one) for one in seen]
    assert kinds[-4:] == [obi.Blank, obi.Abort, obi.VectorPixels, obi.Flush]
    parked = seen[-2]
    assert isinstance(parked, obi.VectorPixels)
    assert (parked.x.tolist(), parked.y.tolist(), parked.blank.tolist()) == ([0], [0], [1])


def test_the_beam_is_parked_with_the_last_sample_and_never_waits_on_it(served: Served) -> None:
    controller = served.connect()
    for start in range(0, 500, 50):
        read_all(controller, start, start + 50)
    controller.close()
    assert served.device.ledger.plan_samples == 500
    assert served.device.ledger.held_ns == 0


@pytest.mark.parametrize("changes", [{"park": None}, {"blanker": "none"}])
def test_a_profile_that_cannot_park_blanked_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="park"):
        ObiController("127.0.0.1", 1, PROFILE.model_copy(update=changes))


def test_a_client_that_leaves_in_the_middle_and_comes_again(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(encode(obi.Synchronize(2)) + bytes.fromhex("8effff0001"))
    controller = served.connect()
    np.testing.assert_array_equal(read_all(controller, 50, 90), expected(50, 90))
    controller.close()


def test_a_server_that_is_gone_is_one_sentence(served: Served) -> None:
    controller = served.connect()
    controller.arm(PATH, 0, 10)
    served.stop()
    controller.start()
    with pytest.raises(ControllerError, match=r"the Open Beam Interface at .* to answer"):
        controller.read(10)
    controller.close()
    with pytest.raises(ControllerError, match="Open Beam Interface"):
        ObiController("127.0.0.1", served.port, PROFILE, timeout=1)


@pytest.mark.parametrize(("answer", "word"), [(b"\xff\xff\x12\x34", "cookie"), (b"", "within")])
def test_a_wrong_cookie_and_silence_are_errors(answer: bytes, word: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            wire, _ = listening.accept()
            with wire:
                wire.recv(64)
                wire.sendall(answer)
                wire.recv(64)
                wire.settimeout(5)
                wire.recv(64)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControllerError, match=word):
            ObiController("127.0.0.1", listening.getsockname()[1], PROFILE, timeout=0.3)
        thread.join()


def test_a_million_random_bytes_leave_the_server_up(served: Served) -> None:
    noise = np.random.default_rng(5).bytes(1_000_000)
    at = 0
    while at < len(noise):
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.settimeout(0.2)
            try:
                wire.sendall(noise[at : at + 20_000])
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(1 << 16):
                    pass
            except OSError:
                pass
        at += 20_000
    controller = served.connect()
    np.testing.assert_array_equal(read_all(controller, 3, 40), expected(3, 40))
    controller.close()


def test_any_commands_leave_the_server_up(served: Served) -> None:
    rng = np.random.default_rng(6)

    def field() -> int:
        return int(rng.choice([0, 1, 255, 256, 16383]))

    def command() -> obi.Command:
        region = obi.RasterRegion(field(), field(), field(), field(), field(), field())
        pixels = (obi.RasterPixel(field()), obi.RasterPixelRun(field() + 1, field()), obi.RasterPixelFreeRun(field()))
        vectors = (obi.VectorPixel(field(), field(), field()), obi.VectorPixelMinDwell(field(), field()))
        states = (obi.Blank(bool(rng.integers(2)), inline=bool(rng.integers(2))), obi.Delay(field()), obi.Abort())
        sync = obi.Synchronize(field(), output=obi.Output(int(rng.integers(3))))
        every: list[obi.Command] = [region, *pixels, *vectors, *states, sync, obi.BeamSelect(obi.Beam.ION)]
        return every[int(rng.integers(len(every)))]

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        taker = threading.Thread(target=lambda: [None for _ in iter(lambda: wire.recv(1 << 16), b"")])
        taker.start()
        wire.sendall(b"".join(encode(command()) for _ in range(1000)))
        wire.shutdown(socket.SHUT_WR)
        taker.join(30)
        assert not taker.is_alive()
    controller = served.connect()
    assert any("disconnected, after" in message for message in served.told)
    np.testing.assert_array_equal(read_all(controller, 3, 40), expected(3, 40))
    controller.close()


def test_underrun_is_told_when_the_client_leaves(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(encode(obi.Blank(False)) + encode(obi.VectorPixel(5, 9, 7)))
        time.sleep(0.05)
        wire.sendall(encode(obi.Blank(True)))
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(64):
            pass
    assert served.told[-1].endswith("ns of an unblanked beam without one")


def test_underrun_counts_dose_on_the_last_code_unless_blanked() -> None:
    now = [0]
    device = VirtualObiDevice(PLAN, PROFILE, SPECIMEN, seed=3, clock=lambda: now[0])
    device.execute(obi.Blank(False))
    pixel = obi.VectorPixels(
        np.array([5], np.uint16), np.array([9], np.uint16), np.array([7], np.int32), np.array([-1], np.int8)
    )
    device.execute(pixel)
    now[0] = 1000
    device.execute(pixel)
    assert device.ledger.held_ns == 0
    now[0] = 5000
    device.execute(obi.Blank(True))
    assert device.ledger.held_ns == 3000
    assert device.ledger.held_electrons == pytest.approx(30 * float(SPECIMEN.signal[0, 0]))
    now[0] = 9000
    device.execute(pixel)
    assert device.ledger.held_ns == 3000


def test_a_foreign_client_gets_the_specimen_under_its_codes() -> None:
    device = VirtualObiDevice(PLAN, PROFILE, SPECIMEN, seed=3)
    device.execute(obi.Blank(False))
    n = 4000
    ends = np.repeat(np.array([[0, 0], [16383, 16383]], np.uint16), n, axis=0)
    dwell, blank = np.full(2 * n, 15, np.int32), np.full(2 * n, -1, np.int8)
    assert device.execute(obi.Synchronize(0x1234)) == b"\xff\xff\x12\x34"
    counts = np.frombuffer(device.execute(obi.VectorPixels(ends[:, 0], ends[:, 1], dwell, blank)), ">u2") >> 2
    for part, signal in ((counts[:n], SPECIMEN.signal[0, 0]), (counts[n:], SPECIMEN.signal[-1, -1])):
        assert part.mean() == pytest.approx(20 * float(signal), abs=0.5)
    assert device.execute(obi.Synchronize(2, output=obi.Output.NONE))
    assert device.execute(obi.RasterPixelRun(5, 3)) == b""
    device.execute(obi.Synchronize(2, output=obi.Output.EIGHT_BIT))
    assert len(device.execute(obi.RasterPixelRun(5, 3))) == 5


def test_addresses_that_others_reach_are_refused() -> None:
    for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"):
        with pytest.raises(UsageError, match="--allow-remote"):
            check_host(host, allow_remote=False)
        check_host(host, allow_remote=True)
    check_host("127.0.0.1", allow_remote=False)
