"""Plan, simulate and reconstruct with patterns whose passes visit pixels several times, lists and regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stemscan.files.by_content import points_sha256, read_points
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.inputs.reading import load_inputs
from stemscan.recon.run import reconstruct
from stemscan.simulators.session import simulate
from stemscan.simulators.specimens.specimen import Specimen
from stemscan.store.reader import Acquisition
from tests.stemscan.path.test_path import make

SHAPE = (64, 64)
TRIANGLE = {"kind": "polygon", "points": [[4, 3], [4, 60.5], [60, 31]]}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lissajous": ({"kind": "lissajous", "cycles": [15, 16], "ratio": 0.6}, {}),
    "random-walk": ({"kind": "random-walk", "ratio": 0.5}, {}),
    "spiral": ({"kind": "spiral", "pitch": 2, "spacing": 0.5}, {"order": "delocalised"}),
    "blue-noise": ({"kind": "blue-noise", "ratio": 0.2}, {"order": "shortest", "region": TRIANGLE}),
    "list": ({}, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_chain(tmp_path: Path, name: str) -> None:
    pattern, more = CASES[name]
    if name == "list":
        points = np.repeat(np.stack(np.divmod(np.arange(0, 4096, 7), 64), axis=1), 300, axis=0)
        np.save(tmp_path / "points.npy", points)
        sha256 = points_sha256(read_points(tmp_path / "points.npy", SHAPE))
        pattern = {"kind": "list", "file": "points.npy", "sha256": sha256, "samples": len(points)}
    make(pattern, SHAPE, 2, **more).save(tmp_path / "plan.yaml")
    plan = ScanPlan.load(tmp_path / "plan.yaml")
    row, column = np.indices(SHAPE)
    signal = (0.5 + 0.4 * np.sin(row / 4) * np.cos(column / 5)).astype(np.float32)
    simulate(plan, Specimen(signal, "waves"), tmp_path / "acq.zarr")
    store = Acquisition.open(tmp_path / "acq.zarr")
    expected = np.zeros((2, *SHAPE), np.int64)
    positions = ScanPath(plan).positions(0, len(ScanPath(plan))).reshape(2, -1, 2)
    for frame, places in zip(expected, positions, strict=True):
        np.add.at(frame, (places[:, 0], places[:, 1]), 1)
    np.testing.assert_array_equal(store.visits(), expected)
    assert (expected.max() > 1) == plan.repeats_pixels
    assert store.visits().dtype == (np.uint16 if plan.repeats_pixels else np.uint8)
    assert store.frames().sum() == pytest.approx(10 * (expected * signal).sum(), rel=0.05)
    inputs = load_inputs(tmp_path / "acq.zarr")
    np.testing.assert_array_equal(inputs.visits, expected)
    image = np.asarray(reconstruct(inputs, "normconv").image)
    visited = expected.sum(axis=0) > 0
    assert np.corrcoef(image[visited], signal[visited])[0, 1] > 0.8


def test_counts_of_many_visits_are_not_cut_off(tmp_path: Path) -> None:
    """300 visits of 1000 electrons are more than 16 bits hold."""
    np.save(tmp_path / "points.npy", np.zeros((300, 2), int))
    sha256 = points_sha256(read_points(tmp_path / "points.npy", (4, 4)))
    pattern = {"kind": "list", "file": str(tmp_path / "points.npy"), "sha256": sha256, "samples": 300}
    plan = make(pattern, (4, 4), dose={"electrons_per_sample": 1000})
    simulate(plan, Specimen(np.ones((4, 4), np.float32), "flat"), tmp_path / "acq.zarr")
    store = Acquisition.open(tmp_path / "acq.zarr")
    assert int(store.frames()[0, 0, 0]) == pytest.approx(300_000, rel=0.02)
    assert store.visits()[0, 0, 0] == 300
