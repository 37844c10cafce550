"""The picture of an acquisition: panels of what the store holds, and the numbers in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stemscan as ss
from stemscan.errors import ReconError
from stemscan.plan.scan_plan import ScanPlan
from stemscan.recon.pictures.scan import draw_scan, panels_of
from stemscan.recon.pictures.scan_maps import ScanMaps
from stemscan.simulators.instrument.settings import Instrument
from stemscan.store.importing.imported import import_samples
from stemscan.store.importing.measured import Samples
from stemscan.store.reader import Acquisition
from stemscan.store.writer import AcquisitionWriter
from tests.stemscan.store_kit import make_plan, provenance

SIDE = 96
IMAGE = (0.5 + 0.45 * np.sin(np.add.outer(np.arange(SIDE) / 5, np.arange(SIDE) / 7))).astype(np.float32)


def plan_of(**changes: Any) -> ScanPlan:
    """Six passes of a quarter of all pixels of 0.1 nm, at dose 10."""
    return ScanPlan.from_dict(
        {
            "pattern": {"kind": "block-random", "block": 8, "samples_per_block": 16},
            "shape": [SIDE, SIDE],
            "passes": 6,
            "dwell_ns": 10_000,
            "dose": {"electrons_per_sample": 10, "collection": 0.5},
            "pixel_size_nm": 0.1,
            "seed": 7,
        }
        | changes
    )


def scanned(path: Path, settings: dict[str, Any] | None = None, **changes: Any) -> Acquisition:
    instrument = Instrument.model_validate(settings or {})
    return ss.simulate(plan_of(**changes), IMAGE, path, instrument=instrument)


def test_panels_are_of_what_the_store_holds(tmp_path: Path) -> None:
    plain = scanned(tmp_path / "a.zarr")
    assert draw_scan(plain, tmp_path / "a.png") == ["path", "corner", "counts", "dose", "statistics"]
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("L").getcolors() or []) > 50
    effects = {
        "stage_drift": {"polynomial_nm": [[30.0, 0.0]]},
        "current": {"relative": 0.1},
        "damage": {"critical_e_per_A2": 500.0},
        "contamination": {"signal": 0.1, "saturation_e_per_A2": 100.0},
    }
    every = scanned(tmp_path / "b.zarr", effects)
    more = ["trajectory", "damage", "contamination", "current"]
    assert set(panels_of(every)) == {"path", "corner", "counts", "dose", "statistics", *more}
    lagging = ss.simulate(plan_of(), IMAGE, tmp_path / "c.zarr", coil_tau_ns=20_000)
    assert "statistics" not in panels_of(lagging)  # counts what lies along its way
    draw_scan(lagging, tmp_path / "c.png")


def test_an_import_has_no_path_unless_its_order_is_known(tmp_path: Path) -> None:
    store = scanned(tmp_path / "a.zarr")
    per_pass = (store.samples_committed // store.passes,) * store.passes
    samples = Samples(store.counts(), store.positions(), per_pass, store.shape)
    told = {"told apart by": "mask"}
    imported = import_samples(samples, tmp_path / "b.zarr", electrons_per_sample=10.0, record=told)
    assert list(panels_of(imported)) == ["counts", "dose", "statistics"]
    known, pairs = ScanMaps.of(store), ScanMaps.of(imported)
    assert known.spread is not None
    assert pairs.spread is not None
    assert (known.spread.against, pairs.spread.against) == ("the specimen", "pairs of visits")
    for spread in (known.spread, pairs.spread):  # Poisson
        scores = (spread.variances - spread.means) / spread.errors
        assert len(scores) > 8
        assert np.sqrt(np.mean(scores**2)) < 1.6


def test_a_noisy_detector_lies_above_poisson(tmp_path: Path) -> None:
    detector = {"digitiser": {"gain": 10.0, "offset": 50.0, "read_noise": 20.0, "bits": 12}}
    spread = ScanMaps.of(scanned(tmp_path / "a.zarr", {"detectors": [detector]})).spread
    assert spread is not None
    above = np.average(spread.variances - spread.means, weights=spread.errors**-2)
    assert above == pytest.approx(4.0, abs=0.5)  # (20 / 10)^2 electrons^2


def test_maps_count_every_sample(tmp_path: Path) -> None:
    store = scanned(tmp_path / "a.zarr", {"damage": {"critical_e_per_A2": 500.0}})
    maps = ScanMaps.of(store)
    assert maps.visits.sum() == store.total_samples
    mean = np.nansum(maps.electrons * maps.visits) / store.total_samples
    assert mean == pytest.approx(float(store.counts().mean()))
    assert maps.fading is not None
    pixels = np.full((SIDE, SIDE), np.nan)
    pixels[tuple(store.positions().T)] = store.track("truth_fading")
    assert np.nanmean(maps.fading) == pytest.approx(np.nanmean(pixels), rel=1e-3)
    assert maps.coarser(8).visits.shape == (8, 8)
    assert maps.coarser(8).visits.sum() == store.total_samples


def test_of_nothing_no_picture_is_drawn(tmp_path: Path) -> None:
    plan = make_plan()
    with AcquisitionWriter.create(tmp_path / "a.zarr", plan, provenance(plan)):
        pass
    with pytest.raises(ReconError, match="expected samples"):
        draw_scan(Acquisition.open(tmp_path / "a.zarr"), tmp_path / "a.png")
