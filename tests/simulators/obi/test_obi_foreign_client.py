"""The virtual device as a client of somebody else sees it: sockets, and bytes as the protocol's table has them.

Nothing here is encoded or decoded by the package. The specimen is a ramp that tells every pixel of the grid, whose
129 codes per pixel a raster's step can hold; the dose is so high that counts tell it too.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.hardware.profile import load_profile
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from tests.simulators.obi.obi_kit import Served

SIZE, STEP, DOSE = 128, 129, 10_000
RAMP = np.linspace(0.1, 1, SIZE * SIZE).reshape(SIZE, SIZE)
PLAN = ScanPlan.from_dict(
    {
        "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 3},
        "shape": [SIZE, SIZE],
        "passes": 1,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": DOSE},
        "seed": 1,
    }
)
WHOLE = (0, SIZE, STEP << 8, 0, SIZE, STEP << 8)
LAST = (STEP * (SIZE - 1), STEP * (SIZE - 1))


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


class Client:
    """A client by the table."""

    def __init__(self, port: int) -> None:
        for _ in range(100):
            self.wire = socket.create_connection(("127.0.0.1", port), timeout=10)
            try:
                self.synchronize(0x0AF0)
            except (OSError, AssertionError):  # the client before is only just leaving
                self.wire.close()
                time.sleep(0.05)
            else:
                return
        raise AssertionError

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *parts: bytes) -> None:
        self.wire.sendall(b"".join(parts))

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.wire.recv(size - len(data))):
            data += more
        return data

    def synchronize(self, cookie: int, *, mode: int = 0, raster: int = 0) -> None:
        self.send(bytes([mode << 1 | raster]), words(cookie), b"\x20")
        assert self.receive(4) == b"\xff\xff" + words(cookie)

    def samples(self, number: int) -> NDArray[np.int64]:
        got = np.frombuffer(self.receive(2 * number), ">u2").astype(np.int64)
        assert len(got) == number
        assert not (got & 3).any()  # 14 bits, shifted left by 2
        return got >> 2

    def close(self) -> None:
        self.wire.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    one = Served(device=VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3))
    yield one
    one.stop()


@pytest.fixture
def served(running: Served) -> Served:
    running.told.clear()
    return running


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    one = Client(served.port)
    one.send(b"\x31\x41\x50")
    yield one
    one.close()


def close_to(counts: NDArray[np.int64], signal: NDArray[np.float64], *, dose: float = DOSE) -> None:
    """Tell whether counts are those of a signal, within six standard deviations."""
    expected = signal * dose
    assert (np.abs(counts - expected) < 6 * np.sqrt(expected)).all()


def test_nobody_has_to_unblank_what_nobody_blanked() -> None:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    fresh = Served(device=VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3))
    client = Client(fresh.port)
    try:
        client.send(b"\xe0", words(*LAST, 7))
        close_to(client.samples(1), np.ones(1))
        client.send(b"\x31\xe0", words(*LAST, 7))
        assert client.samples(1) == 0  # under control, of no beam
        client.send(b"\x41\xe0", words(*LAST, 7))
        close_to(client.samples(1), np.ones(1))
    finally:
        client.close()
        fresh.stop()


def test_every_pixel_comes_in_order_with_its_value(client: Client) -> None:
    order = np.random.default_rng(1).permutation(SIZE * SIZE)
    rows, columns = np.divmod(order, SIZE)
    pixels = np.stack([columns * STEP, rows * STEP, np.full(SIZE * SIZE, 7)], axis=1).astype(">u2").tobytes()
    client.send(b"\x8e", words(SIZE * SIZE - 1), pixels, b"\x20")
    close_to(client.samples(SIZE * SIZE), RAMP[rows, columns])


def test_dwell_fields_are_one_less_than_the_cycles(client: Client) -> None:
    for field, share in ((0, 1 / 8), (1, 1 / 4), (7, 1), (11, 3 / 2)):
        client.send(b"\x8e", words(19), words(*LAST, field) * 20, b"\xe0", words(*LAST, field))
        close_to(client.samples(21), np.full(21, share))
    client.send(b"\xf0", words(*LAST), b"\x8f", words(4), words(*LAST) * 5)
    close_to(client.samples(6), np.full(6, 1 / 8))


def test_more_than_14_bits_hold_is_the_largest_number(client: Client, served: Served) -> None:
    client.send(b"\xe0", words(*LAST, 65534), b"\xe0", words(*LAST, 65535))
    assert client.samples(2).tolist() == [16383, 0]
    client.close()
    served.wait_for("1 with more than 16383 counts")


def test_codes_beyond_14_bits_are_masked(client: Client, served: Served) -> None:
    before = served.device.ledger.masked_codes
    client.send(b"\xe0", words(LAST[0] | 0x4000, LAST[1] | 0x8000, 7))
    close_to(client.samples(1), np.ones(1))
    assert served.device.ledger.masked_codes == before + 1
    client.close()
    served.wait_for("1 with codes beyond 14 bits")


def test_output_modes(client: Client) -> None:
    client.synchronize(0x1234, mode=1)
    client.send(b"\x8e", words(9), words(*LAST, 7) * 10)
    eight = np.frombuffer(client.receive(10), np.uint8)
    assert np.abs(eight.astype(int) - (DOSE >> 6)).max() <= 10
    client.synchronize(0x1236, mode=2)
    client.send(b"\x8e", words(9), words(*LAST, 7) * 10, b"\x20")
    client.synchronize(0x1238)  # and nothing of the ten pixels before its answer
    client.send(b"\xe0", words(*LAST, 7))
    close_to(client.samples(1), np.ones(1))


def test_blanking_at_once_and_inline(client: Client) -> None:
    pixel = b"\xe0" + words(*LAST, 7)
    client.send(b"\x51", pixel, b"\x52", pixel, pixel, b"\x53")
    client.send(pixel, b"\x50", pixel)
    got = client.samples(5)
    assert got[0] == 0
    close_to(got[[1, 2, 4]], np.ones(3))
    close_to(got[3:4], np.full(1, 1 / 8))  # unblanked at once in its last cycle
    client.send(b"\x53\x8e", words(2), words(*LAST, 7) * 3, b"\x52\x8e", words(2), words(*LAST, 7) * 3)
    got = client.samples(6)
    assert not got[:3].any()
    close_to(got[3:], np.ones(3))
    client.synchronize(2, raster=1)
    client.send(b"\xa0", words(*WHOLE), b"\x53\xc0", words(9, 7), b"\x52\xb0", words(7))
    got = client.samples(11)
    assert not got[:10].any()
    close_to(got[10:], RAMP[0, 10:11])


def test_the_specimen_is_under_the_electron_beam_alone(client: Client) -> None:
    pixel = b"\xe0" + words(*LAST, 7)
    client.send(b"\x40", pixel, b"\x42", pixel, b"\x53", pixel, b"\x41\x52", pixel)
    got = client.samples(4)
    assert not got[:3].any()
    close_to(got[3:], np.ones(1))


def test_without_control_nothing_blanks(client: Client) -> None:
    pixel = b"\xe0" + words(*LAST, 7)
    client.send(b"\x51", pixel, b"\x30", pixel, b"\x40", pixel, b"\x53", pixel)
    got = client.samples(4)
    close_to(got[:1], np.full(1, 1 / 8))  # given back in its last cycle
    close_to(got[1:], np.ones(3))


def test_what_switches_at_once_takes_the_last_cycle_of_the_pixel_before(client: Client) -> None:
    pixel, off = b"\xe0" + words(*LAST, 7), (b"\x51", b"\x40", b"\x42")
    for switch in off:
        client.send(pixel, switch, b"\x41\x50", pixel, pixel, b"\x53", pixel, b"\x50")
        got = client.samples(4)
        close_to(got[:1], np.full(1, 7 / 8))
        close_to(got[1:3], np.ones(2))
        close_to(got[3:], np.full(1, 1 / 8))
    client.send(pixel)  # and no pixel that is over
    close_to(client.samples(1), np.ones(1))
    client.send(b"\x51\x20\x50", pixel, b"\x60", words(4800), b"\x51")
    close_to(client.samples(1), np.ones(1))


def test_a_region_pixel_by_pixel_by_runs_and_filled(client: Client) -> None:
    client.synchronize(2, raster=1)
    client.send(b"\xa0", words(*WHOLE), b"\xb0", words(7), b"\xc0", words(SIZE - 2, 7))
    client.send(b"\x8c", words(1), words(SIZE - 1, 7) * 2, b"\x8b", words(1), words(7) * 2, b"\x90", words(7))
    close_to(client.samples(SIZE * SIZE), RAMP.reshape(-1))
    client.send(b"\xa0", words(STEP, 5, STEP << 7, 2 * STEP, 2, STEP << 8), b"\x90", words(7))  # half steps
    got = client.samples(10).reshape(2, 5)
    close_to(got[:, ::2], RAMP[2:4, 1:4])


def test_a_free_run_goes_round_until_the_next_command(client: Client) -> None:
    client.synchronize(2, raster=1)
    client.send(b"\xa0", words(*WHOLE), b"\xd0", words(7))
    close_to(client.samples(2 * SIZE * SIZE), np.tile(RAMP.reshape(-1), 2))
    client.send(b"\x00", words(0x0808))
    rest = b""
    while not rest.endswith(b"\xff\xff\x08\x08"):
        rest += client.wire.recv(1 << 16)
    assert len(rest) % 2 == 0
    client.send(b"\xe0", words(*LAST, 7))
    close_to(client.samples(1), np.ones(1))


def test_a_free_run_takes_the_time_of_its_dwells(client: Client, served: Served) -> None:
    before = served.device.ledger.pixels
    client.send(b"\xa0", words(*WHOLE), b"\xd0", words(7999))  # a millisecond each
    time.sleep(0.3)
    client.send(b"\x00", words(0x0808))
    while not client.wire.recv(1 << 16).endswith(b"\xff\xff\x08\x08"):
        pass
    assert 0 < served.device.ledger.pixels - before < 5000


def test_an_abort_drops_nothing_and_the_raster_goes_on(client: Client) -> None:
    client.send(b"\xa0", words(*WHOLE), b"\xc0", words(SIZE * 50 - 1, 7), b"\x10\xb0", words(7))
    got = client.samples(SIZE * 50 + 1)
    close_to(got, RAMP.reshape(-1)[: SIZE * 50 + 1])


@pytest.mark.parametrize(
    "before", [b"", b"\xa0" + words(0, 2, 256, 0, 1, 256) + b"\x90" + words(7), b"\xd0" + words(7)]
)
def test_a_raster_pixel_without_a_region_hangs_the_device_and_a_fill_does_nothing(
    before: bytes, client: Client, served: Served
) -> None:
    fill = b"\x90" + words(7)
    client.send(before, b"\x00", words(0x1234))
    seen = b""
    while not seen.endswith(b"\xff\xff\x12\x34"):
        seen += client.wire.recv(1 << 16)
    client.send(fill, b"\x00", words(0x1236))
    assert client.receive(4) == b"\xff\xff" + words(0x1236)
    client.send(b"\xc0", words(0, 7), b"\x00", words(0x1238))
    served.wait_for("at which a device hangs until it is reset")
    client.wire.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.receive(1)
    client.close()
    again = Client(served.port)  # which resets it
    again.close()


def test_a_run_beyond_its_region_exposes_what_is_there(client: Client, served: Served) -> None:
    client.send(b"\xa0", words(0, 3, STEP << 8, 0, 1, 0), b"\xc0", words(9, 7), b"\x00", words(0x1238))
    close_to(client.samples(3), RAMP[0, :3])
    served.wait_for("a pixel beyond the end of its region")


def test_counts_of_16384_and_0_are_the_same(client: Client) -> None:
    for count in (0, 16384):
        client.send(b"\xa0", words(0, count, 256, LAST[1], 1, 0), b"\xc0", words(16383, 7))
        got = client.samples(16384)
        close_to(got[:: SIZE * STEP - 1], RAMP[-1, ::127])


def test_what_comes_before_malformed_bytes_is_done(client: Client, served: Served) -> None:
    client.send(b"\xe0", words(*LAST, 7), b"\x51\x00", words(0x1234), b"\x70")
    close_to(client.samples(1), np.full(1, 7 / 8))
    assert client.receive(4) == b"\xff\xff\x12\x34"
    assert client.receive(1) == b""
    served.wait_for("0x70")
    assert not served.device.beam_on


def test_half_a_command(client: Client, served: Served) -> None:
    client.send(b"\x8e", words(99), words(*LAST, 7), words(5))
    close_to(client.samples(1), np.ones(1))
    client.close()
    assert "left the beam on" in served.wait_for("inside one")


def test_a_second_client_takes_the_place_of_the_first_and_finds_the_device_reset(
    client: Client, served: Served
) -> None:
    client.send(b"\xa0", words(*WHOLE), b"\x51")
    client.synchronize(2, mode=1)
    with Client(served.port) as second:
        with suppress(ConnectionResetError):
            assert client.wire.recv(1) == b""
        assert "another client came" in served.wait_for("dropped")
        second.send(b"\x90", words(7), b"\xe0", words(*LAST, 7))  # no region, 16 bits, and nothing blanked
        close_to(second.samples(1), np.ones(1))


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_a_fill_ends_with_its_client_and_keeps_nobody_waiting(mode: int, served: Served) -> None:
    leaving = Client(served.port)
    leaving.synchronize(2, mode=mode)
    leaving.send(b"\xa0", words(0, 65535, 256, 0, 65535, 256), b"\x90", words(0))
    leaving.close()
    served.wait_for("lost")
    pixels = served.device.ledger.pixels
    assert pixels < 1 << 26
    staying = Client(served.port)
    staying.send(b"\xe0", words(*LAST, 7))
    close_to(staying.samples(1), np.ones(1))
    staying.close()
    assert served.device.ledger.pixels <= pixels + 512  # and what the buffer holds


def test_what_a_client_left_in_the_buffer_comes_to_the_next_one(served: Served) -> None:
    leaving = Client(served.port)
    leaving.synchronize(2, mode=1)
    leaving.send(b"\xa0", words(0, 65535, 256, 0, 65535, 256), b"\x90", words(7))
    assert leaving.receive(1)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as wire:
        wire.sendall(b"\x00" + words(0x5A3C) + b"\x20")
        got = b""
        while not got.endswith(b"\xff\xff\x5a\x3c"):
            got += wire.recv(1 << 16)
    assert len(got) % 2 == 1  # bytes of 8 bits, whose number is odd
    leaving.close()


def test_an_idle_client_is_dropped() -> None:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    device = VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3)
    fresh = Served(device=device, idle_s=0.3)
    client = Client(fresh.port)
    try:
        client.send(b"\xd0", words(0))
        assert client.wire.recv(1)  # it takes what it gets, and is not idle
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            assert client.wire.recv(1 << 16)
        client.send(b"\x20")
        with suppress(ConnectionResetError):
            while client.wire.recv(1 << 16):
                pass
        assert fresh.wait_for("0.3 s").count("neither sent nor took")
    finally:
        client.close()
        fresh.stop()


def test_a_client_that_takes_no_answers_does_not_keep_the_server() -> None:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    fresh = Served(device=VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3))
    client = Client(fresh.port)
    client.send(b"\xd0", words(0))
    time.sleep(1)  # until the buffers between are full
    began = time.monotonic()
    fresh.stop()
    assert time.monotonic() - began < 5
    client.close()


def test_many_points_are_sent_before_any_answer_is_read(served: Served) -> None:
    client = Client(served.port)
    number = 60_000
    client.send(b"\x50\x8e", words(number - 1), words(*LAST, 7) * number)
    close_to(client.samples(number), np.ones(number))
    client.close()
