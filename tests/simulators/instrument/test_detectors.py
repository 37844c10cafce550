"""The chain of a detector, each effect against its equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, norm

from stemscan.errors import UsageError
from stemscan.recon.inputs.reading import load_inputs
from stemscan.simulators.instrument.afterglow import glow
from stemscan.simulators.instrument.collection import KINDS, Collection, Scattering
from stemscan.simulators.instrument.dead_time import lose
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.session import simulate
from stemscan.store.verify import verify_store
from tests.simulators.instrument.instrument_kit import make_plan, make_specimen, microscope, scanned

PLAN = make_plan(pattern={"kind": "raster"}, order={"kind": "raster"}, shape=[100, 200], passes=1)
FLAT = make_specimen(PLAN, np.full(PLAN.shape, 0.5, np.float32))


def readings(detector: dict[str, Any], dose: float = 20.0, **more: Any) -> tuple[NDArray[np.float64], Any]:
    """Numbers of 20,000 samples of signal 0.5, and their meaning."""
    plan = PLAN.replace(dose=PLAN.dose.replace(electrons_per_sample=dose))
    device = microscope({"detectors": [detector]}, plan, specimen=FLAT, **more)
    return scanned(device, plan).counts.astype(np.float64), device.detector


def test_quantum_efficiency_is_what_is_left_of_the_signal_to_noise() -> None:
    counts, info = readings({"efficiency": {"detected": 0.6}})
    assert (info.unit, info.gain, info.offset) == ("adu", 0.6, 0.0)
    assert counts.mean() == pytest.approx(6, rel=0.02)
    assert counts.mean() ** 2 / counts.var() == pytest.approx(0.6 * 10, rel=0.05)
    spread, info = readings(
        {"efficiency": {"detected": 0.6, "pulse_spread": 0.5}, "digitiser": {"gain": 50.0, "offset": 300.0, "bits": 14}}
    )
    electrons = (spread - info.offset) / info.gain
    assert electrons.mean() == pytest.approx(10, rel=0.02)
    assert electrons.mean() ** 2 / electrons.var() == pytest.approx(0.6 / 1.25 * 10, rel=0.05)


def test_dark_counts_add_their_mean_and_variance_and_change_no_electron() -> None:
    plain, _ = readings({})
    dark, info = readings({"dark": {"per_second": 3e6}})
    assert (info.gain, info.offset) == (1.0, 3.0)
    added = dark - plain
    assert added.min() == 0
    assert added.mean() == pytest.approx(3, abs=0.05)
    assert added.var() == pytest.approx(3, rel=0.05)


def test_digitiser_has_gain_offset_noise_and_saturates() -> None:
    """Dark samples show the offset and the noise, bright ones the largest number."""
    parts = {"gain": 8.0, "offset": 100.0, "read_noise": 4.0, "bits": 12}
    numbers, info = readings({"digitiser": parts}, dose=1e-6)
    assert (info.gain, info.offset, info.largest, info.dtype) == (8.0, 100.0, 4095, "uint16")
    assert (
        kstest(
            numbers + np.random.default_rng(0).uniform(-0.5, 0.5, numbers.size), norm(100, np.hypot(4, 0.29)).cdf
        ).pvalue
        > 1e-3
    )
    bright, _ = readings({"digitiser": parts}, dose=2000.0)
    assert bright.max() == 4095
    assert 0.4 < (bright == 4095).mean() <= 1.0
    wide, info = readings({"digitiser": {**parts, "bits": 18}}, dose=2000.0)
    assert info.dtype == "uint32"
    assert wide.mean() == pytest.approx(100 + 8000, rel=0.01)


@pytest.mark.parametrize("rate", [2.0, 10.0, 200.0, 1000.0])
def test_dead_time_counts_as_a_renewal_process_does(rate: float) -> None:
    share, samples = 0.03, 20_000
    counts = np.random.default_rng(1).poisson(rate, samples).astype(np.uint32)
    before = counts.copy()
    lose(np.uint64(3), 0, np.uint64(0), share, counts)
    assert (counts <= before).all()
    assert ((counts > 0) == (before > 0)).all()
    x = rate * share
    mean = rate / (1 + x) + x**2 / (2 * (1 + x) ** 2)  # awake when the dwell begins: a little more than in the long run
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(rate / (1 + x) ** 3 + (rate > 64) / 12, rel=0.2)  # those are rounded


def test_afterglow_is_exponential_and_loses_no_light() -> None:
    electrons = np.zeros(200)
    electrons[10] = 100.0
    found = glow(electrons, np.empty(0, np.int64), False, 0.3, 5000.0, 1000.0)
    assert (found[:10] == 0).all()
    assert found.sum() == pytest.approx(100)
    np.testing.assert_allclose(found[12:40] / found[11:39], np.exp(-0.2), rtol=1e-9)
    mean = 5 * (1 - np.exp(-0.2))
    assert found[10] == pytest.approx(100 - 30 * mean)
    assert found[11] == pytest.approx(30 * mean * (1 - np.exp(-0.2)))


def test_afterglow_fades_in_a_flyback_and_is_lit_by_a_beam_that_is_not_blanked() -> None:
    electrons, waits = np.array([100.0, 0, 0, 50.0]), np.array([0, 0, 10_000, 0])
    still = glow(electrons, np.zeros(4, np.int64), False, 0.3, 5000.0, 1000.0)
    dark = glow(electrons, waits, False, 0.3, 5000.0, 1000.0)
    np.testing.assert_allclose(dark[:2], still[:2])
    assert dark[2] == pytest.approx(still[2] * np.exp(-2))
    lit = glow(electrons, np.array([0, 0, 0, 10_000]), True, 0.3, 5000.0, 1000.0)
    assert lit[3] > still[3]


def test_afterglow_in_a_scan_makes_neighbours_in_time_alike() -> None:
    parts = {"digitiser": {"gain": 100.0, "offset": 50.0, "bits": 16}}
    glowing, info = readings({**parts, "afterglow": {"share": 0.5, "tau_us": 3.0}})
    plain, _ = readings(parts)
    assert np.corrcoef(glowing[1:], glowing[:-1])[0, 1] > 0.1 > abs(np.corrcoef(plain[1:], plain[:-1])[0, 1])
    assert (glowing[1000:].mean() - info.offset) / info.gain == pytest.approx(10, rel=0.02)


def test_angles_make_dark_columns_in_bright_field_and_bright_ones_in_haadf() -> None:
    signal, scattering = np.linspace(0, 1, 11, dtype=np.float32), Scattering()
    haadf, abf, bf = (Collection(kind=kind).signal(signal, scattering) for kind in ("haadf", "abf", "bf"))
    np.testing.assert_array_equal(haadf, signal)
    for one in (abf, bf):
        assert one[0] == 1
        np.testing.assert_allclose(np.diff(one, 2), 0, atol=1e-6)
        assert 0.3 < one[-1] < 0.85
    shares = [
        Collection(kind="annular", inner_mrad=low, outer_mrad=high).shares(scattering)
        for low, high in ((0, 21), (21, 1000))
    ]
    np.testing.assert_allclose(np.sum(shares, axis=0), [1.0, 1.0 - 0.5 * 625 / (1e6 + 625)])  # all but beyond 1 rad
    with pytest.raises(UsageError, match="expected a collection with inner_mrad below outer_mrad"):
        Collection(kind="annular", inner_mrad=30.0).angles()


def test_a_named_detector_is_one_of_the_angles_that_the_name_stands_for() -> None:
    signal, scattering = np.linspace(0, 1, 11, dtype=np.float32), Scattering()
    for name, kind in KINDS.items():
        ring = Collection(kind="annular", inner_mrad=kind.inner, outer_mrad=kind.outer).signal(signal, scattering)
        own = Collection.model_validate({"kind": name})
        np.testing.assert_allclose(own.signal(signal, scattering), kind.share * ring, rtol=1e-6)
        assert own.exponent == kind.exponent
    narrow = Scattering(convergence_mrad=30.0)
    assert Collection(kind="laadf").response(narrow)[0] > 0  # the disc reaches it


def test_detectors_of_an_instrument_are_channels_each_with_its_own_faults() -> None:
    parts = [
        {"name": "counter", "dead_time": {"ns": 30.0}},
        {"name": "light", "collection": {"kind": "bf"}, "digitiser": {"gain": 40.0, "offset": 100.0, "bits": 16}},
    ]
    device = microscope({"detectors": parts}, PLAN, specimen=FLAT)
    assert [(one.name, one.unit) for one in device.channels] == [("counter", "electron"), ("light", "adu")]
    both = scanned(device, PLAN).counts
    alone = scanned(microscope({"detectors": parts[:1]}, PLAN, specimen=FLAT), PLAN).counts
    np.testing.assert_array_equal(both[:, 0], alone)  # another detector beside it changes nothing
    dark, bright = Collection(kind="bf").response(Scattering())
    signals = [0.5, dark + 0.5 * bright]
    for number, (info, signal) in enumerate(zip(device.channels, signals, strict=True)):
        assert info.electrons(both[:, number]).mean() == pytest.approx(10 * signal, rel=0.02)
    assert abs(np.corrcoef(both.T)[0, 1]) < 0.05


def test_named_detectors_take_the_faults_of_the_instrument() -> None:
    instrument = Instrument(detectors=[{"efficiency": {"detected": 0.5}}])
    seen = instrument.seen_by(("haadf", "abf"))
    assert [one.name for one in seen.detectors] == ["haadf", "abf"]
    assert all(one.efficiency.detected == 0.5 for one in seen.detectors)
    assert seen.settings() != instrument.settings()
    for names, message in ((("eds",), "haadf, laadf"), (("bf", "bf"), "each detector once"), ((), "got none")):
        with pytest.raises(UsageError, match=message):
            instrument.seen_by(names)
    with pytest.raises(UsageError, match="leave one out"):
        seen.seen_by(("bf",))
    with pytest.raises(UsageError, match="a name of its own"):
        Instrument(detectors=[{}, {}])


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ({"collection": {"kind": "annular", "inner_mrad": 9.0}}, "expected a collection with inner_mrad below"),
        ({"afterglow": {"share": 0.1}}, "expected a digitiser beside afterglow"),
        ({"efficiency": {"pulse_spread": 0.1}}, "expected a digitiser beside pulse_spread"),
        ({"digitiser": {"gain": 3.0}}, "expected bits beside the other keys of digitiser"),
        ({"digitiser": {"bits": 8}, "dead_time": {"ns": 5.0}}, "expected no dead_time beside a digitiser"),
    ],
)
def test_impossible_detectors(detector: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Instrument(detectors=[detector])


def test_reconstructions_get_the_electrons_right(tmp_path: Any) -> None:
    """The store states unit, gain, offset and the largest number, and inputs are in electrons."""
    parts = {
        "name": "haadf",
        "collection": {"kind": "haadf"},
        "efficiency": {"detected": 0.7, "pulse_spread": 0.2},
        "dark": {"per_second": 1e6},
        "digitiser": {"gain": 5.0, "offset": 200.0, "read_noise": 3.0, "bits": 14},
    }
    instrument = Instrument.model_validate({"detectors": [parts]})
    store = simulate(PLAN, FLAT, tmp_path / "a.zarr", instrument=instrument)
    one = store.channels[0]
    assert (one.name, one.unit, one.gain, one.offset, one.largest) == ("haadf", "adu", 3.5, 205.0, 16383)
    assert not store.saturated().any()
    inputs = load_inputs(store)
    assert inputs.mean == pytest.approx(0.5, rel=0.02)
    assert inputs.truth is not None
    np.testing.assert_array_equal(inputs.truth, FLAT.signal)
    assert verify_store(tmp_path / "a.zarr").sound
    low = Instrument.model_validate({"detectors": [{"digitiser": {"gain": 30.0, "bits": 8}}]})
    dark = simulate(PLAN, FLAT, tmp_path / "b.zarr", instrument=low)
    assert dark.saturated().mean() == pytest.approx(0.068, abs=0.01)  # of nine electrons or more
    assert any("are saturated" in warning for warning in load_inputs(dark).source["warnings"])


def test_equation_5_has_no_detector() -> None:
    with pytest.raises(UsageError, match="expected noise 'poisson'"):
        readings({"efficiency": {"detected": 0.5}}, noise="eq5")
