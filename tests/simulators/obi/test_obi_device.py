"""The virtual Open Beam Interface device and its server: counts, dose, clock, and what clients must not do to it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from stemscan.errors import UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.encoder import encode
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.simulators.obi.server import ObiServer, check_host
from tests.simulators.obi.obi_kit import PLAN, PROFILE, SPECIMEN, Served, expected, read_all

CONTROL = encode(obi.ExternalCtrl(True)) + encode(obi.BeamSelect(obi.Beam.ELECTRON))


def under_control(**options: Any) -> VirtualObiDevice:
    """A device whose client took control of the electron beam, which is on."""
    device = VirtualObiDevice(PLAN, PROFILE.model_copy(update={"ext_switch_delay_ns": 0}), SPECIMEN, seed=3, **options)
    device.execute(obi.ExternalCtrl(True))
    device.execute(obi.BeamSelect(obi.Beam.ELECTRON))
    return device


def test_a_million_random_bytes_leave_the_server_up(served: Served) -> None:
    """Every byte is looked at: the next client goes on behind the byte at which the last one was dropped."""
    noise = np.random.default_rng(5).bytes(1_000_000)
    at = clients = 0
    while at < len(noise):
        part = noise[at : at + 200_000]
        served.told.clear()
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.settimeout(0.5)
            with suppress(OSError):  # dropped, or busy with the billions of pixels that it was asked for
                wire.sendall(part)
                wire.shutdown(socket.SHUT_WR)
                until = time.monotonic() + 0.5
                while wire.recv(1 << 16) and time.monotonic() < until:
                    pass
        message = served.wait_for(", after ")
        broken = re.search(r"at (\d+) of the stream", message)
        at += int(broken[1]) + 1 if broken else len(part)
        clients += 1
    assert clients > 50
    controller = served.connect()
    np.testing.assert_array_equal(read_all(controller, 3, 40), expected(3, 40))
    controller.close()


def test_any_commands_leave_the_server_up(served: Served) -> None:
    rng = np.random.default_rng(6)

    def field() -> int:
        return int(rng.choice([0, 1, 255, 256, 16383]))

    def command() -> bytes:
        if rng.integers(15) == 0:  # a region that the encoder would refuse
            return b"\xa0" + b"".join(field().to_bytes(2, "big") for _ in range(6))
        pixels = (obi.RasterPixel(field()), obi.RasterPixelRun(field() + 1, field()), obi.RasterPixelFreeRun(field()))
        vectors = (obi.VectorPixel(field(), field(), field()), obi.VectorPixelMinDwell(field(), field()))
        states = (obi.Blank(bool(rng.integers(2)), inline=bool(rng.integers(2))), obi.Delay(field()), obi.Abort())
        sync = obi.Synchronize(field(), output=obi.Output(int(rng.integers(3))))
        every: list[obi.Command] = [*pixels, *vectors, *states, sync, obi.BeamSelect(obi.Beam.ION)]
        return encode(every[int(rng.integers(len(every)))])

    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        taker = threading.Thread(target=lambda: [None for _ in iter(lambda: wire.recv(1 << 16), b"")])
        taker.start()
        wire.sendall(b"".join(command() for _ in range(1000)))
        wire.shutdown(socket.SHUT_WR)
        taker.join(30)
        assert not taker.is_alive()
    controller = served.connect()
    assert any("disconnected, after" in message for message in served.told)
    np.testing.assert_array_equal(read_all(controller, 3, 40), expected(3, 40))
    controller.close()


def test_underrun_is_told_when_the_client_leaves(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(CONTROL + encode(obi.Blank(False)) + encode(obi.VectorPixel(5, 9, 7)))
        time.sleep(0.05)
        wire.sendall(encode(obi.Blank(True)))
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(64):
            pass
    assert served.wait_for("disconnected").endswith("ns of an unblanked beam without one")


def test_underrun_counts_dose_on_the_last_code_unless_blanked() -> None:
    now = [0]
    device = under_control(clock=lambda: now[0])
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
    device = under_control()
    n = 4000
    ends = np.repeat(np.array([[0, 0], [16383, 16383]], np.uint16), n, axis=0)
    dwell, blank = np.full(2 * n, 15, np.int32), np.full(2 * n, -1, np.int8)
    assert device.execute(obi.Synchronize(0x1234)) == b"\xff\xff\x12\x34"
    counts = np.frombuffer(device.execute(obi.VectorPixels(ends[:, 0], ends[:, 1], dwell, blank)), ">u2") >> 2
    for part, signal in ((counts[:n], SPECIMEN.signal[0, 0]), (counts[n:], SPECIMEN.signal[-1, -1])):
        assert part.mean() == pytest.approx(20 * float(signal), abs=0.5)
    device.execute(obi.RasterRegion(0, 64, 256, 0, 64, 256))
    assert device.execute(obi.Synchronize(2, output=obi.Output.NONE))
    assert device.execute(obi.RasterPixelRun(5, 3)) == b""
    device.execute(obi.Synchronize(2, output=obi.Output.EIGHT_BIT))
    assert len(device.execute(obi.RasterPixelRun(5, 3))) == 5


def vector(x: int, y: int, field: int = 7) -> obi.VectorPixels:
    return obi.VectorPixels(
        np.array([x], np.uint16), np.array([y], np.uint16), np.array([field], np.int32), np.array([-1], np.int8)
    )


def test_a_delay_runs_beside_the_dwell_and_holds_the_beam_beyond_it() -> None:
    now = [0]
    device = under_control(clock=lambda: now[0])
    device.execute(vector(5, 9))  # 1000 ns
    device.execute(obi.Delay(24))  # 500 ns: over before the dwell is
    assert device.ahead_ns == 1000
    device.execute(obi.Delay(48))  # after the first
    assert device.ledger.held_ns == 500
    assert device.ahead_ns == 1500
    device.execute(obi.Blank(True))
    device.execute(obi.Delay(4800))
    assert device.ledger.held_ns == 500


def test_time_is_booked_for_the_client_that_left_the_beam_on() -> None:
    now = [0]
    device = under_control(clock=lambda: now[0])
    now[0] = 1000
    device.execute(obi.Blank(False))
    assert device.ledger.held_ns == 0  # no client has put the beam anywhere
    device.execute(vector(5, 9))
    now[0] = 5000
    device.end()
    assert device.ledger.held_ns == 3000
    assert device.beam_on
    now[0] = 9000
    device.begin()
    assert device.ledger.held_ns == 3000  # from then on the microscope has its own scan again


def test_long_dwells_saturate_and_do_not_wrap() -> None:
    n = 1000
    ends, field = np.full(n, 16383, np.uint16), np.full(n, 65534, np.int32)
    bright = ScanPlan.from_dict({**PLAN.to_dict(), "dose": {"electrons_per_sample": 15000}})
    device = VirtualObiDevice(bright, PROFILE, SPECIMEN, seed=3)
    answer = device.execute(obi.VectorPixels(ends, ends, field, np.full(n, -1, np.int8)))
    assert (np.frombuffer(answer, ">u2") >> 2 == 16383).all()
    assert device.ledger.saturated == n
    wrapped = device.execute(obi.VectorPixels(ends, ends, field + 1, np.full(n, -1, np.int8)))
    assert not any(wrapped)  # the counter of readings is back at 0


def test_another_plan_scans_the_specimen_and_the_server_says_so(served: Served) -> None:
    other = ScanPlan.from_dict({**PLAN.to_dict(), "seed": 2, "dwell_ns": 4000, "passes": 30})
    path = ScanPath(other)
    controller = served.connect()
    read_all(controller, 0, 50)
    assert served.device.left_plan_at is None
    controller.arm(path, 0, len(path))
    controller.start()
    counts = []
    while (batch := controller.read(1000)) is not None:
        counts.append(batch.counts)
    controller.close()
    assert "where it said that sample 0 comes" in served.wait_for("something else than the plan")
    assert "50 of them in the plan" in served.wait_for("disconnected")
    assert sum("something else" in message for message in served.told) == 1
    position = path.positions(0, len(path))
    expected_counts = 40 * SPECIMEN.signal[position[:, 0], position[:, 1]]  # the dwell is four times as long
    residual = (np.concatenate(counts) - expected_counts) / np.sqrt(np.maximum(expected_counts, 1))
    assert abs(float(residual.mean())) < 0.05
    assert float(residual.std()) == pytest.approx(1, abs=0.05)


def test_a_name_of_two_addresses_has_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = socket.getaddrinfo

    def two(host: str, *more: Any, **options: Any) -> list[Any]:
        return [one for address in ("127.0.0.1", "127.0.0.2") for one in plain(address, *more, **options)]

    device = VirtualObiDevice(PLAN, PROFILE, SPECIMEN, seed=3)

    async def run() -> None:
        server = ObiServer(device)
        monkeypatch.setattr(socket, "getaddrinfo", two)
        port = await server.start("localhost")
        monkeypatch.undo()
        for host in ("127.0.0.1", "127.0.0.2"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(encode(obi.Synchronize(2)))
            assert await reader.readexactly(4) == b"\xff\xff\x00\x02"
            writer.close()
            await reader.read()
        await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("transform", ["none", "transpose"])
@pytest.mark.parametrize("origin", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_a_turned_device_sees_the_pixel_that_its_codes_stand_for(origin: str, transform: str) -> None:
    grid = PROFILE.grid.model_copy(update={"origin": origin, "transform": transform})
    profile = PROFILE.model_copy(update={"grid": grid})
    plan = ScanPlan.from_dict({**PLAN.to_dict(), "shape": [48, 64]})
    signal = np.random.default_rng(0).random(plan.shape).astype(np.float32)
    device = VirtualObiDevice(plan, profile, specimen_from_array(signal), seed=3)
    pixels = np.random.default_rng(1).integers(0, plan.shape, (500, 2)).astype(np.int32)
    x, y = Program(plan, profile).lattice.codes(pixels)
    np.testing.assert_array_equal(device._counts._seen(x, y), signal[tuple(pixels.T)])


def test_addresses_that_others_reach_are_refused() -> None:
    for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"):
        with pytest.raises(UsageError, match="--allow-remote"):
            check_host(host, allow_remote=False)
        check_host(host, allow_remote=True)
    check_host("127.0.0.1", allow_remote=False)
