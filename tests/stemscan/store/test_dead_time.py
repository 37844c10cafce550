"""Electrons from the pulses of a detector with dead time, against the distribution of its counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import poisson

import stemscan as ss
from stemscan.errors import UsageError
from stemscan.recon.inputs.reading import load_inputs
from stemscan.simulators.instrument.settings import Instrument
from stemscan.store.batch import DetectorInfo
from stemscan.store.dead_time import without_dead_time
from stemscan.store.reader import Acquisition


def law(mean: float, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Possible numbers of pulses and their probabilities, by P(c >= k) = P(Poisson(n l) >= k)."""
    pulses = np.arange(int(np.ceil(1 / share)) + 2)
    live = 1 - (pulses[1:] - 1) * share
    reached = np.concatenate([[1.0], np.where(live > 0, poisson.sf(pulses[1:] - 1, mean * live.clip(0)), 0.0)])
    return pulses, reached - np.append(reached[1:], 0.0)


@pytest.mark.parametrize(("share", "mean"), [(0.005, 50.0), (0.02, 20.0), (0.05, 0.5), (0.05, 20.0), (0.1, 10.0)])
def test_electrons_have_no_bias_and_the_noise_that_is_stated(share: float, mean: float) -> None:
    pulses, chances = law(mean, share)
    assert chances.sum() == pytest.approx(1)
    electrons = without_dead_time(pulses, share)
    assert chances @ electrons == pytest.approx(mean, rel=0.002)
    assert chances @ pulses < (1 - 0.4 * mean * share / (1 + mean * share)) * mean  # what is lost without
    variance = chances @ electrons**2 - (chances @ electrons) ** 2
    assert variance == pytest.approx(mean * (1 + mean * share), rel=0.12)


def test_nothing_is_made_up_without_dead_time_or_company() -> None:
    counts = np.arange(5, dtype=np.uint16)
    np.testing.assert_array_equal(without_dead_time(counts, 0.0), counts)
    np.testing.assert_array_equal(without_dead_time(counts[:2], 0.3), [0, 1])
    np.testing.assert_array_equal(without_dead_time(counts[:2], 3.0), [0, 1])
    assert (np.diff(without_dead_time(np.arange(60), 0.02)) > 0).all()


def test_a_detector_converts_and_knows_when_it_is_full() -> None:
    counted = DetectorInfo(dead_share=0.05)
    assert counted.full == 20
    np.testing.assert_allclose(counted.electrons(np.array([0, 1, 2])), [0, 1, 1 + 0.95**-2])
    lossy = DetectorInfo("adu", 0.5, 2.0, dead_share=0.05)
    np.testing.assert_allclose(lossy.electrons(np.array([2])), [2 * (1 + 0.95**-2 - 2)])
    assert DetectorInfo("adu", 2.0, largest=15, dead_share=0.05).full == 15
    assert DetectorInfo().full == np.inf
    with pytest.raises(UsageError, match="dead time of 0 to"):
        DetectorInfo(dead_share=-0.1)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Acquisition:
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(128, 128), passes=2, dwell="1us", dose=ss.Dose(electrons_per_sample=10), seed=1
    )
    detector = {"dead_time": {"ns": 50.0}, "efficiency": {"detected": 0.8}, "dark": {"per_second": 2e5}}
    signal = np.full(plan.shape, 0.1, np.float32)
    signal[:, 64:] = 1.0
    place = tmp_path_factory.mktemp("dead") / "a.zarr"
    return ss.simulate(plan, signal, place, seed=1, instrument=Instrument(detectors=[detector]))


def test_stores_keep_pulses_and_read_electrons(scanned: Acquisition) -> None:
    assert scanned.detector.dead_share == 0.05
    record = json.loads((scanned.path / "zarr.json").read_text())["attributes"]["stemscan"]
    assert record["channels"][0]["dead_share"] == 0.05
    assert scanned.counts().dtype == np.uint16
    inputs = load_inputs(scanned)
    dark, bright = inputs.S[:, :64].mean() / 2, inputs.S[:, 64:].mean() / 2
    assert dark == pytest.approx(0.1, abs=4 * np.sqrt(0.12 / 10 / 16384))
    assert bright == pytest.approx(1.0, abs=4 * np.sqrt(1.8 / 10 / 16384))
    assert scanned.electrons().mean() == pytest.approx(inputs.frames.mean(), rel=1e-5)
    assert inputs.source["dead_time"]["of_dwell"] == 0.05
    assert 0.15 < inputs.source["dead_time"]["lost"] < 0.3
    assert any("dead time lost" in warning for warning in inputs.source["warnings"])


def test_placed_samples_are_electrons_too(scanned: Acquisition) -> None:
    from stemscan.recon.inputs.reading import _placed

    places = scanned.positions().astype(np.float32)
    np.testing.assert_allclose(_placed(scanned, places, 0).nearest()[0], load_inputs(scanned).frames, rtol=1e-5)


def test_samples_without_time_for_another_pulse_are_saturated(tmp_path: Path) -> None:
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(32, 32), passes=1, dwell="1us", dose=ss.Dose(electrons_per_sample=500), seed=1
    )
    signal = np.tile(np.array([0.2, 1.0], np.float32), (32, 16))
    store = ss.simulate(
        plan, signal, tmp_path / "a.zarr",
        instrument=Instrument(detectors=[{"dead_time": {"ns": 50.0}}]),
    )  # fmt: skip
    full = store.saturated()
    np.testing.assert_array_equal(full, store.counts() >= 20)
    assert full.any()
    assert any("dead time lets through" in warning for warning in load_inputs(store).source["warnings"])


def test_records_without_dead_time_are_as_before(tmp_path: Path) -> None:
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(16, 16), passes=1, dwell="1us", dose=ss.Dose(electrons_per_sample=5), seed=1
    )
    store = ss.simulate(plan, np.tile(np.array([0.2, 1.0], np.float32), (16, 8)), tmp_path / "a.zarr")
    record = json.loads((store.path / "zarr.json").read_text())["attributes"]["stemscan"]
    assert "dead_share" not in record["channels"][0]
    assert "dead_time" not in load_inputs(store).source
