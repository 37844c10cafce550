"""Settings of a device beyond its grid: the beam, the bits of its readings, the switch of the scan."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.acquisition.scan import run_scan
from stemscan.errors import UsageError
from stemscan.hardware.obi import commands as obi
from stemscan.hardware.obi.controller import ObiController
from stemscan.hardware.obi.encoder import encode
from stemscan.hardware.preflight import check_flight
from stemscan.hardware.profile import ControllerProfile
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.simulators.api import VirtualMicroscope, specimen_from_array
from stemscan.simulators.obi.device import VirtualObiDevice
from stemscan.store.batch import DetectorInfo
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.simulators.obi.obi_kit import PLAN, PROFILE, Served, expected, read_all

BYTES = DetectorInfo(unit="adu", gain=1 / 64, offset=-0.5)


def own(**changes: Any) -> ControllerProfile:
    return PROFILE.model_copy(update=changes)


def test_readings_of_eight_bits_are_the_upper_half(tmp_path: Path) -> None:
    profile = own(output_bits=8)
    served = Served(profile=profile)
    try:
        with pytest.raises(UsageError, match="--detector"):
            ObiController("127.0.0.1", served.port, profile)
        controller = ObiController("127.0.0.1", served.port, profile, detector=BYTES)
        np.testing.assert_array_equal(read_all(controller, 3, 900), expected(3, 900) >> 6)
        with AcquisitionWriter.create(tmp_path / "a.zarr", PLAN, Provenance((controller.detector,))) as store:
            run_scan(PLAN, controller, store)
        controller.close()
    finally:
        served.stop()
    assert Acquisition.open(tmp_path / "a.zarr").state == "complete"


def test_what_a_client_of_eight_bits_left_in_mid_scan_is_passed_over(served: Served) -> None:
    sent = (obi.Synchronize(2, output=obi.Output.EIGHT_BIT), obi.RasterRegion(0, 16384, 256, 0, 16384, 256))
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        wire.sendall(b"".join(encode(one) for one in (*sent, obi.RasterPixelFill(65534))))
        assert wire.recv(5)
        controller = served.connect(timeout=5)  # which takes its place
        np.testing.assert_array_equal(read_all(controller, 0, 50), expected(0, 50))
        controller.close()


@pytest.mark.parametrize(("server", "client", "seen"), [("ion", "ion", True), ("electron", "ion", False)])
def test_the_beam_of_the_profile_is_chosen(server: str, client: str, seen: bool) -> None:
    served = Served(profile=own(beam=server))
    try:
        controller = ObiController("127.0.0.1", served.port, own(beam=client))
        counts = read_all(controller, 0, 300)
        np.testing.assert_array_equal(counts, expected(0, 300) if seen else np.zeros(300))
        controller.close()
    finally:
        served.stop()


def test_the_switch_is_waited_for_once_and_reported() -> None:
    profile = own(ext_switch_delay_ns=20_000_000)
    with_it, without = (check_flight(Program(PLAN, one)) for one in (profile, PROFILE))
    assert with_it.duration.switch == 20_000_000
    assert with_it.duration.total == without.duration.total + 20_000_000
    assert with_it.electrons_per_pass == without.electrons_per_pass  # blanked meanwhile
    assert with_it.link_needed == without.link_needed
    served = Served(profile=profile)
    try:
        controller = ObiController("127.0.0.1", served.port, profile)
        np.testing.assert_array_equal(read_all(controller, 0, 100), expected(0, 100))
        assert served.device.ledger.held_ns == 0
        controller.close()
    finally:
        served.stop()


def test_a_full_scan_is_sent_as_runs_and_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ScanPlan.from_dict({**PLAN.to_dict(), "pattern": {"kind": "raster"}, "shape": [128, 96], "passes": 3})
    specimen = specimen_from_array(np.random.default_rng(0).random(plan.shape).astype(np.float32))
    path, profile = ScanPath(plan), own(settle=None)
    microscope = VirtualMicroscope(specimen, plan, seed=3)
    served = Served(device=VirtualObiDevice(plan, profile, specimen, seed=3))
    runs = 0
    plain = VirtualObiDevice.execute

    def watched(device: VirtualObiDevice, command: obi.Command | obi.VectorPixels) -> bytes:
        nonlocal runs
        runs += isinstance(command, obi.RasterPixelRun)
        return plain(device, command)

    monkeypatch.setattr(VirtualObiDevice, "execute", watched)
    try:
        controller = ObiController("127.0.0.1", served.port, profile)
        for start, stop in ((0, len(path)), (1000, 20_001)):
            counts = []
            for one in (controller, microscope):
                one.arm(path, start, stop)
                one.start()
                parts = []
                while (batch := one.read(4096)) is not None:
                    parts.append(batch.counts)
                counts.append(np.concatenate(parts))
            np.testing.assert_array_equal(counts[0], counts[1])
        controller.close()
    finally:
        served.stop()
    assert 3 <= runs < 50
    assert served.device.ledger.plan_samples == len(path) + 19_001
