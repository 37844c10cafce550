"""Modelled positions beside the counts of a controller that does not know where its beam is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.acquisition.conformance import ControllerConformance
from stemscan.acquisition.reports import provenance_of
from stemscan.acquisition.scan import run_scan
from stemscan.acquisition.scan_controller import ScanController
from stemscan.errors import ControllerError, UsageError
from stemscan.hardware.coil_lag import actual_positions
from stemscan.hardware.lagged_controller import LaggedController
from stemscan.hardware.profile import load_profile
from stemscan.hardware.program import Program
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.reading import load_inputs
from stemscan.simulators.api import Specimen, VirtualMicroscope
from stemscan.store.batch import SampleBatch
from stemscan.store.provenance import Provenance
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import make_plan

TAU = 3000.0
PROFILE = load_profile("obi")


def microscope(plan: ScanPlan) -> VirtualMicroscope:
    """A controller that knows no positions, as real ones do not."""
    signal = np.linspace(0, 1, plan.shape[0] * plan.shape[1], dtype=np.float32).reshape(plan.shape)
    return VirtualMicroscope(Specimen(signal, "ramp"), plan, seed=1, profile=PROFILE)


def lagged(plan: ScanPlan) -> LaggedController:
    """The same with positions."""
    return LaggedController(microscope(plan), Program(plan, PROFILE), TAU)


class TestLagged(ControllerConformance):
    """The shared suite."""

    def make_controller(self, plan: ScanPlan) -> ScanController:
        """Around a virtual microscope."""
        return lagged(plan)


def test_positions_are_those_of_the_program(tmp_path: Path) -> None:
    plan = make_plan(dwell_ns=1010)
    program, path = Program(plan, PROFILE), ScanPath(plan)
    controller = lagged(plan)
    with AcquisitionWriter.create(tmp_path / "a.zarr", plan, provenance_of(controller)) as store:
        run_scan(plan, controller, store, batch_samples=5, commit_samples=11)
    with AcquisitionWriter.create(tmp_path / "b.zarr", plan, Provenance()) as plain:
        run_scan(plan, microscope(plan), plain)
    held = Acquisition.open(tmp_path / "a.zarr")
    found = held.actual()
    assert found is not None
    np.testing.assert_array_equal(held.counts(), Acquisition.open(tmp_path / "b.zarr").counts())
    assert held.ledger == Acquisition.open(tmp_path / "b.zarr").ledger
    rounded = ScanPath(make_plan(dwell_ns=1000))  # as the controller dwells
    np.testing.assert_array_equal(found, actual_positions(rounded, 0, len(path), TAU, program.waits_ns))
    assert load_inputs(tmp_path / "a.zarr").source["positions"] == "actual"


def test_wrong_use() -> None:
    plan, other = make_plan(), make_plan(seed=8)
    with pytest.raises(UsageError, match="above 0 ns"):
        LaggedController(microscope(plan), Program(plan, PROFILE), 0.0)
    with pytest.raises(UsageError, match="does not know its beam's positions"):
        LaggedController(lagged(plan), Program(plan, PROFILE), TAU)
    with pytest.raises(ControllerError, match="a path of plan"):
        lagged(plan).arm(ScanPath(other), 0, 3)


def test_a_batch_beyond_the_path_is_left_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan()
    controller = lagged(plan)
    strange = SampleBatch(plan.total_samples, np.zeros(3, np.uint16))
    monkeypatch.setattr(controller._controller, "read", lambda most: strange)
    assert controller.read(5) is strange
