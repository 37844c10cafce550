"""Current, damage and contamination against their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stemscan.simulators.instrument.beam_damage import BeamDamage, DamageMap
from stemscan.simulators.instrument.contamination import Contamination, ContaminationMap
from stemscan.simulators.instrument.current import CurrentNoise
from stemscan.simulators.instrument.effect import Scan
from stemscan.store.batch import SampleBatch
from tests.simulators.instrument.instrument_kit import make_plan, make_scan, make_specimen, microscope, scanned

SCAN: Scan = make_scan(make_plan(shape=[64, 64]))  # pixels of one square angstrom


def test_current_has_its_size_and_a_spectrum_of_one_over_f() -> None:
    """The power of each decade is the same, within the noise of 20 spectra."""
    noise = CurrentNoise(relative=0.1, shortest_us=10.0)
    times = ((np.arange(1 << 16) + 0.5) * 1e4).astype(np.float64)  # one a shortest stretch
    values = np.stack([noise.current(seed, times) for seed in range(20)])
    power = (np.abs(np.fft.rfft(values - 1, axis=1)) ** 2).mean(axis=0)
    decades = [power[low : 10 * low].sum() for low in (10, 100, 1000)]
    assert max(decades) / min(decades) < 1.5
    slope = np.polyfit(np.log(np.arange(20, 4000)), np.log(power[20:4000]), 1)[0]
    assert -1.2 < slope < -0.85
    far = (np.arange(1, 200) * 1e11 + 5e3).astype(np.float64)
    long = np.concatenate([noise.current(seed, far) for seed in range(40)])
    assert long.std() == pytest.approx(0.1, rel=0.1)
    assert abs(long.mean() - 1) < 0.01


def exposed(settings: dict[str, Any], places: list[tuple[float, float]], times_us: list[float]) -> Any:
    """Fading of samples of 10 electrons per square angstrom, and the map."""
    made = DamageMap(BeamDamage.model_validate({"critical_e_per_A2": 100.0, **settings}), SCAN)
    fading = made.expose(np.array(places), np.array(times_us) * 1e3, np.full(len(places), 10.0))
    return fading, made


def test_signal_fades_with_the_dose_of_the_pixel() -> None:
    fading, made = exposed({}, [(5.0, 5.0)] * 4 + [(9.0, 9.0)], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(fading, np.exp(-np.array([5, 15, 25, 35, 5]) / 100), rtol=1e-6)
    assert made.damage.sum() == pytest.approx(50)


def test_diffusion_spreads_the_dose_as_a_bell() -> None:
    """The moments of the map: all of the dose, at the place, of the standard deviation that was asked for."""
    _, made = exposed({"diffusion_nm": 0.3}, [(30.3, 20.7)], [1])
    side = made.cells.side
    rows, columns = ((np.arange(size) - 2 + 1) * side - side for size in made.cells.shape)
    weights = made.damage / made.damage.sum()
    assert made.damage.sum() * side**2 == pytest.approx(10)
    row, column = (weights.sum(1) * rows).sum(), (weights.sum(0) * columns).sum()
    spread = (weights.sum(1) * (rows - row) ** 2).sum(), (weights.sum(0) * (columns - column) ** 2).sum()
    np.testing.assert_allclose(spread, 9.0, rtol=1e-6)
    offset = np.array([row - 30.3, column - 20.7])
    assert abs(offset - offset[0]).max() < 1e-9  # the same in both directions: the grid's origin
    near, _ = exposed({"diffusion_nm": 0.3}, [(30, 30), (30, 33), (30, 60)], [1, 2, 3])
    assert 1 - near[2] == pytest.approx(1 - near[0], rel=0.1)
    assert 1 - near[1] > 2 * (1 - near[0])


def test_threshold_spares_what_has_recovered() -> None:
    """Two doses of 10 with a threshold of 12: at once 8 do harm, later less, after a long time none."""
    law = {"threshold_e_per_A2": 12.0, "recovery_us": 100.0}
    for wait in (0.0, 20.0, 60.0, 1e4, 1e6):
        _, made = exposed(law, [(5, 5), (5, 5)], [1, 1 + wait])
        expected = max(0.0, 10 * np.exp(-wait / 100) + 10 - 12)
        assert made.damage.sum() == pytest.approx(expected, abs=1e-9)
    without, made = exposed({"threshold_e_per_A2": 12.0}, [(5, 5)] * 3, [1, 1e3, 1e6])
    assert made.damage.sum() == pytest.approx(18)
    np.testing.assert_allclose(without, np.exp([0, -0.04, -0.13]), rtol=1e-6)


def test_contamination_grows_to_its_end() -> None:
    made = ContaminationMap(Contamination(signal=0.2, saturation_e_per_A2=50.0), SCAN)
    found = made.expose(np.full((30, 2), 7.0), np.full(30, 10.0))
    np.testing.assert_allclose(found, 0.2 * (1 - np.exp(-(np.arange(30) + 0.5) * 10 / 50)), rtol=1e-6)


def test_a_scan_counts_what_is_left_and_what_was_added() -> None:
    plan = make_plan(passes=8, dose={"electrons_per_sample": 1e5, "collection": 0.5})
    settings = {
        "damage": {"critical_e_per_A2": 3e5, "diffusion_nm": 0.4},
        "contamination": {"signal": 0.1, "saturation_e_per_A2": 3e5},
        "current": {"relative": 0.05},
    }
    plain = make_specimen(plan, np.full(plan.shape, 0.5, np.float32))
    batch: SampleBatch = scanned(microscope(settings, plan, specimen=plain), plan)
    assert batch.truths is not None
    truth = {name: values.astype(np.float64) for name, values in batch.truths.items()}
    assert set(truth) == {"truth_current", "truth_fading", "truth_contamination"}
    assert truth["truth_fading"][-1] < 0.95 < truth["truth_fading"][0]
    assert truth["truth_contamination"][-1] > truth["truth_contamination"][0]
    means = 1e5 * truth["truth_current"] * (0.5 * truth["truth_fading"] + truth["truth_contamination"])
    z = (batch.counts - means) / np.sqrt(means)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.06)


def test_the_beam_of_waits_does_damage_where_it_is_not_blanked() -> None:
    from stemscan.hardware.profile import ControllerProfile

    plan = make_plan(passes=1)
    profile = {
        "name": "slow",
        "grid": {"columns": 4096, "rows": 4096},
        "dwell": {"quantum_ns": 100, "largest": 10**6},
        "settle": {"per_jump": ((0.0, 3000.0), (1e4, 3000.0))},
    }
    law = {"damage": {"critical_e_per_A2": 1e3}}
    found = {}
    for blanker in ("none", "inline"):
        made = ControllerProfile.model_validate({**profile, "blanker": blanker})
        batch = scanned(microscope(law, plan, profile=made), plan)
        assert batch.truths is not None
        found[blanker] = np.log(batch.truths["truth_fading"][5])
    assert found["none"] / found["inline"] == pytest.approx(4, rel=1e-4)
