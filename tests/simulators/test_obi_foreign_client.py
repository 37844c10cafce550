"""The virtual device as a client of somebody else sees it: sockets, and bytes as the protocol's table has them.

Nothing here is encoded or decoded by the package. The specimen is a ramp that tells every pixel of the grid, whose
129 codes a pixel a raster's step can hold; the dose is so high that counts tell it too.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from stemscan.hardware.profile import load_profile
from stemscan.plan import ScanPlan
from stemscan.simulators.api import specimen_from_array
from stemscan.simulators.obi_device import VirtualObiDevice
from tests.simulators.obi_kit import Served

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
def served() -> Iterator[Served]:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    one = Served(device=VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3))
    yield one
    one.stop()


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    one = Client(served.port)
    one.send(b"\x50")
    yield one
    one.close()


def close_to(counts: NDArray[np.int64], signal: NDArray[np.float64], *, dose: float = DOSE) -> None:
    """Whether counts are those of a signal, within six standard deviations."""
    expected = signal * dose
    assert (np.abs(counts - expected) < 6 * np.sqrt(expected)).all()


def test_nobody_has_to_unblank_what_nobody_blanked() -> None:
    specimen = specimen_from_array(RAMP.astype(np.float32))
    fresh = Served(device=VirtualObiDevice(PLAN, load_profile("obi"), specimen, seed=3))
    client = Client(fresh.port)
    try:
        client.send(b"\xe0", words(*LAST, 7))
        close_to(client.samples(1), np.ones(1))
        client.send(b"\x31\x41\xe0", words(*LAST, 7), b"\x50\xe0", words(*LAST, 7))
        under_control = client.samples(2)
        assert under_control[0] == 0  # taking control blanks until it is unblanked
        close_to(under_control[1:], np.ones(1))
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
    client.send(b"\xe0", words(*LAST, 65535))
    assert client.samples(1) == 16383
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
    assert got[[0, 3]].tolist() == [0, 0]
    close_to(got[[1, 2, 4]], np.ones(3))
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
    client.send(b"\x40", pixel, b"\x42", pixel, b"\x41", pixel, b"\x31", pixel, b"\x30", pixel)
    got = client.samples(5)
    assert not got[:2].any()
    close_to(got[2:], np.ones(3))


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


def test_an_abort_begins_the_region_anew(client: Client) -> None:
    client.send(b"\xa0", words(*WHOLE), b"\xc0", words(SIZE * 50 - 1, 7), b"\x10\xb0", words(7))
    got = client.samples(SIZE * 50 + 1)  # in order: what came before the abort is still done
    close_to(got[-1:], RAMP[0, :1])


def test_what_comes_before_malformed_bytes_is_done(client: Client, served: Served) -> None:
    client.send(b"\xe0", words(*LAST, 7), b"\x51\x00", words(0x1234), b"\x70")
    close_to(client.samples(1), np.ones(1))
    assert client.receive(4) == b"\xff\xff\x12\x34"
    assert client.receive(1) == b""
    served.wait_for("0x70")
    assert not served.device.beam_on


def test_half_a_command_and_a_second_client(client: Client, served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as second:
        assert second.recv(1) == b""
    served.wait_for("another client")
    client.send(b"\x8e", words(99), words(*LAST, 7), words(5))
    close_to(client.samples(1), np.ones(1))
    client.close()
    served.wait_for("inside one")
    again = Client(served.port)
    again.send(b"\x50\xe0", words(*LAST, 7))
    close_to(again.samples(1), np.ones(1))
    again.close()
    assert "left the beam on" in served.wait_for("inside one")


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
