"""The Open Beam Interface controller over the wire: right values, and every way in which it can go wrong."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.following import room_of
from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError, ProfileError, UsageError
from stemscan.hardware.coil_lag import CoilLag
from stemscan.hardware.lagged_controller import LaggedController
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi import link
from stemscan.hardware.obi.chunks import chunks
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.encoder import StepEncoder, encode, largest_array
from stemscan.hardware.profile import Link
from stemscan.hardware.program import Program, Steps
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope
from stemscan.simulators.instrument.detector import detect
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.simulators.obi.obi_kit import PATH, PLAN, PROFILE, SPECIMEN, Scripted, Served, expected, read_all
from tests.stemscan.store_kit import contents


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
    slow = ScanPlan.from_dict({**PLAN.to_dict(), "dwell_ns": 100_000})  # some 200 samples per chunk
    path = ScanPath(slow)
    served = Served(slow)
    try:
        controller = served.connect(most_unread=1)
        before = served.device.ledger.blanked_pixels
        controller.arm(path, 0, len(path))
        controller.start()
        time.sleep(0.2)
        counts = []
        while (batch := controller.read(7)) is not None:
            counts.append(batch.counts)
        microscope = VirtualMicroscope(SPECIMEN, slow, seed=3)
        microscope.arm(path, 0, len(path))
        microscope.start()
        expected_batch = microscope.read(len(path))
        assert expected_batch is not None
        np.testing.assert_array_equal(np.concatenate(counts), expected_batch.counts)
        steps = Program(slow, PROFILE).steps(0, len(path))
        assert served.device.ledger.blanked_pixels - before > int(steps.blanked.sum()) + 2  # parked on the way
        controller.close()
    finally:
        served.stop()


def test_a_store_is_the_same_over_the_wire_also_after_an_interruption(served: Served, tmp_path: Path) -> None:
    def into(name: str, controller: ScanController, stop_at: int = 1 << 30) -> None:
        place = tmp_path / name
        begin = AcquisitionWriter.resume if place.exists() else AcquisitionWriter.create

        def watch(done: int, _: int) -> None:
            if done >= stop_at:
                raise KeyboardInterrupt

        with begin(place, PLAN, Provenance((controller.detector,), truth=SPECIMEN.signal)) as store:
            run_scan(PLAN, controller, store, progress=watch, batch_samples=300, commit_samples=1000)

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
    with AcquisitionWriter.create(place, PLAN, provenance_of(controller)) as store:
        run_scan(PLAN, controller, store)
    controller.close()
    held = Acquisition.open(place)
    expected = program.lagged(CoilLag(5000.0)).positions(0, len(PATH))
    np.testing.assert_array_equal(np.asarray(held.actual()), expected)
    assert held.ledger is not None
    assert held.ledger["settle"]["time_ns"] > 0


def test_a_device_that_answers_wrongly_is_left_blanked_and_parked() -> None:
    with Scripted(lambda before, pixels: (b"\xff\x01" if before else b"\x00\x04") * pixels) as device:
        controller = device.connect(timeout=2)
        assert [one for one in device.seen[:3] if not isinstance(one, obi.VectorPixels)] == [
            obi.Blank(True),
            obi.ExternalCtrl(True),
            obi.BeamSelect(obi.Beam.ELECTRON),
        ]
        controller.arm(PATH, 0, len(PATH))
        controller.start()
        with pytest.raises(ControllerError, match="14 bits"):
            controller.read(10)
        controller.close()
    seen = device.seen
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


LONG_DWELL = PROFILE.dwell.model_copy(update={"largest": 65536})


@pytest.mark.parametrize("changes", [{"park": None}, {"blanker": "none"}, {"dwell": LONG_DWELL}])
def test_a_profile_that_no_such_device_can_have_is_refused(changes: dict[str, Any]) -> None:
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
                wire.sendall(answer)
                while wire.recv(64):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControllerError, match=word):
            ObiController("127.0.0.1", listening.getsockname()[1], PROFILE, timeout=0.3)
        thread.join()


@pytest.mark.parametrize("dwell_ns", [1000, 100_000])
def test_pieces_end_blanked_and_in_the_end_parked(dwell_ns: int) -> None:
    plan = ScanPlan.from_dict({**PLAN.to_dict(), "dwell_ns": dwell_ns, "passes": 120})  # more than a batch of samples
    program = Program(plan, PROFILE)
    pieces = list(chunks(program, 3, plan.total_samples))
    assert len(pieces) > 3
    assert all(piece.blanked[-1] for piece in pieces)
    assert all(int(piece.dwell.sum()) * 125 < 21_000_000 for piece in pieces)
    steps, parking = program.steps(3, plan.total_samples), program.parking()
    for name in ("x", "y", "dwell", "blanked", "sample"):
        expected_steps = np.concatenate([getattr(steps, name), getattr(parking, name)])
        np.testing.assert_array_equal(np.concatenate([getattr(piece, name) for piece in pieces]), expected_steps)


def test_without_blanked_steps_pieces_get_one_at_their_end() -> None:
    program = Program(PLAN, PROFILE.model_copy(update={"settle": None}))
    pieces = list(chunks(program, 0, PLAN.total_samples))
    assert all(piece.blanked[-1] for piece in pieces)
    assert sum(len(piece) for piece in pieces) == PLAN.total_samples + len(pieces)
    for piece in pieces[:-1]:
        assert (piece.x[-1], piece.y[-1]) == (piece.x[-2], piece.y[-2])
    samples = np.concatenate([piece.sample for piece in pieces])
    np.testing.assert_array_equal(samples[samples >= 0], np.arange(PLAN.total_samples))
    assert list(chunks(program, 5, 5)) == []


def test_the_ledger_has_how_the_beam_parks_once_a_scan(served: Served) -> None:
    controller = served.connect()
    whole = controller.beam_times(PATH, 0, 500)
    assert whole.park.time_ns == 250
    assert whole.park.exposed_ns == 0
    assert controller.beam_times(PATH, 0, 200) + controller.beam_times(PATH, 200, 500) == whole
    assert whole.settle.time_ns > Program(PLAN, PROFILE).beam_times(0, 500).settle.time_ns
    controller.close()


def test_an_abort_does_not_wait_long_for_a_device_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_ABORTING_S", 0.2)
    with Scripted(lambda before, pixels: b"" if before else bytes(2 * pixels), cookies=5) as device:
        controller = device.connect(timeout=60)
        controller.arm(PATH, 0, len(PATH))
        controller.start()
        time.sleep(0.3)
        began = time.monotonic()
        with pytest.raises(ControllerError, match="answer"):
            controller.abort()
        assert time.monotonic() - began < 20
        controller.close()
    seen = device.seen
    blanks = [at for at, one in enumerate(seen) if one == obi.Blank(True)]
    assert isinstance(seen[blanks[1] + 1], obi.Abort)  # blanked before anything else, then parked
    parked = seen[blanks[1] + 2]
    assert isinstance(parked, obi.VectorPixels)
    assert (parked.x.tolist(), parked.y.tolist(), parked.blank.tolist()) == ([0], [0], [1])


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf")])
def test_timeouts_that_are_none_are_refused(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        ObiController("127.0.0.1", 1, PROFILE, timeout=timeout)


def test_a_moved_field_is_exposed_there(tmp_path: Path) -> None:
    profile = PROFILE.model_copy(update={"grid": PROFILE.grid.model_copy(update={"margin": 0.2})})
    device = VirtualObiDevice(PLAN, profile, SPECIMEN, seed=3)
    served = Served(device=device)
    controller = ObiController("127.0.0.1", served.port, profile)
    each = PLAN.samples_per_pass
    try:
        assert controller.move_field(PATH, 0, (0.0, 0.0)) == (0.0, 0.0)
        here = read_all(controller, 0, each)
        assert min(room_of(controller, PATH)) > 0.2 * 64
        told = controller.move_field(PATH, 1, (3.0, -2.0))
        there = read_all(controller, each, 2 * each)
        assert device.left_plan_at is None
    finally:
        controller.close()
        served.stop()
    assert told == (3.0, -2.0)
    np.testing.assert_array_equal(here, expected(0, each))
    places = np.clip(PATH.positions(each, 2 * each) + np.array([3, -2]), 0, 63)
    signal = SPECIMEN.signal[places[:, 0], places[:, 1]]
    counts = detect(signal, electrons_per_sample=PLAN.electrons_per_sample, seed=3, start=each)
    np.testing.assert_array_equal(there, counts)
