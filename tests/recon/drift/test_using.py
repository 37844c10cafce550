"""Reconstructions undo the drift of a store, or find it, and leave still scans alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from stemscan.errors import ReconError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.drift.find import find_drift, store_drift
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.metrics import compare
from stemscan.recon.run import reconstruct
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.session import simulate
from stemscan.store.reader import Acquisition
from tests.recon.drift.drift_kit import lattice

SIZE = 128


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A still scan and one that drifts by 8 px."""
    folder = tmp_path_factory.mktemp("using")
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 8},
            "shape": [SIZE, SIZE],
            "passes": 4,
            "order": {"kind": "serpentine-blocks"},
            "dwell_ns": 1000,
            "dose": {"electrons_per_sample": 20},
            "pixel_size_nm": 0.01,
            "seed": 3,
        }
    )
    image = lattice(SIZE).astype(np.float32).clip(0, 1)
    minutes = plan.total_samples * 1e-6 / 60
    drifting = Instrument(stage_drift={"polynomial_nm": [[0.06 / minutes, -0.05 / minutes]]})
    simulate(plan, image, folder / "still.zarr")
    simulate(plan, image, folder / "moved.zarr", instrument=drifting)
    return folder


@pytest.fixture
def moved(scans: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scans / "moved.zarr", tmp_path / "moved.zarr"))


def test_what_is_found_is_the_true_trajectory(moved: Path) -> None:
    acquisition = Acquisition.open(moved)
    found = find_drift(acquisition)
    assert found.verdict == "drift"
    assert found.trajectory is not None
    truth = acquisition.track("truth_trajectory") - acquisition.positions()
    off = found.trajectory.at(np.arange(len(truth))) - (truth - truth.mean(axis=0))
    assert np.sqrt(np.mean(off**2)) < 0.25


def test_a_reconstruction_regains_what_drift_took(moved: Path) -> None:
    truth = load_inputs(moved).truth  # as it lay at the mean position
    assert truth is not None
    left, undone = (reconstruct(moved, "normconv", drift=use) for use in ("off", "auto"))
    assert compare(undone.image, truth).psnr > compare(left.image, truth).psnr + 1
    assert undone.source["drift"]["origin"] == "found"
    assert "drift" not in left.source


def test_a_still_scan_is_left_as_it_is(scans: Path) -> None:
    auto, off = (load_inputs(scans / "still.zarr", drift=use) for use in ("auto", "off"))
    assert "drift" not in auto.source
    np.testing.assert_array_equal(auto.frames, off.frames)


def test_the_stored_one_is_used_and_asked_for(moved: Path) -> None:
    with pytest.raises(ReconError, match="stemscan drift"):
        load_inputs(moved, drift="stored")
    store_drift(moved, find_drift(moved))
    inputs = load_inputs(moved, drift="stored")
    assert inputs.source["drift"]["origin"] == "stored"
    assert inputs.placed is not None
    assert inputs.whole is inputs
    assert "drift" not in load_inputs(moved, "commanded").source


def test_another_word_is_refused(moved: Path) -> None:
    with pytest.raises(ReconError, match="'auto', 'off' or 'stored'"):
        load_inputs(moved, drift="always")  # type: ignore[arg-type]
