"""Gain, offset and read noise found from pixels that were visited again; what cannot tell them is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import stemscan as ss
from stemscan.errors import ReconError, UsageError
from stemscan.recon.calibration.calibration import calibrate_readings
from stemscan.recon.calibration.importing import found_dose
from stemscan.recon.calibration.revisits import find_revisits
from stemscan.store.batch import DetectorInfo
from stemscan.store.importing.measured import Samples

SIDE = 96
GAIN, OFFSET, READ = 12.0, 100.0, 6.0
PLACES = np.argwhere(np.ones((SIDE, SIDE), bool)).astype(np.int32)


def signal(shift: float = 0.0) -> NDArray[np.float64]:
    """Electrons of a lattice, 1 to 9."""
    row, column = np.indices((SIDE, SIDE))
    grid: NDArray[np.float64] = 5 + 2 * (
        np.cos(2 * np.pi * (row + shift) / 12) + np.cos(2 * np.pi * (column + shift) / 12)
    )
    return grid


def readings(passes: int = 4, *, drift: float = 0.0, ceiling: float = np.inf, seed: int = 0) -> NDArray[Any]:
    """Whole numbers of an analogue detector, pass after pass."""
    rng = np.random.default_rng(seed)
    made = [
        OFFSET + GAIN * rng.poisson(signal(drift * number).ravel()) + READ * rng.standard_normal(SIDE**2)
        for number in range(passes)
    ]
    return np.minimum(np.rint(np.concatenate(made)), ceiling)


def found(values: NDArray[Any], **known: Any) -> Any:
    passes = len(values) // SIDE**2
    starts = tuple(SIDE**2 * number for number in range(passes + 1))
    return calibrate_readings(values, np.tile(PLACES, (passes, 1)), starts, (SIDE, SIDE), **known)


def test_a_detector_is_found_within_its_errors() -> None:
    dark = np.rint(OFFSET + READ * np.random.default_rng(1).standard_normal(20_000))
    for known in ({}, {"dark": dark}, {"offset": OFFSET}):
        made = found(readings(), **known)
        assert abs(made.gain - GAIN) < 4 * made.gain_error < 0.15 * GAIN
        assert abs(made.offset - OFFSET) < 4 * made.offset_error + 1e-9
        assert abs(made.read_noise - READ) < 4 * made.read_noise_error + 0.1
        assert (made.moved_px, made.warnings, made.same_pass) == (0, (), False)
        assert made.pairs == 3 * SIDE**2
    precise = found(readings(), dark=dark)
    assert precise.gain_error < 0.02 * GAIN
    assert "numbers per electron" in repr(precise)


def test_a_beam_that_moved_is_told_from_noise() -> None:
    made = found(readings(drift=1.5), offset=OFFSET)
    assert abs(made.gain - GAIN) < 4 * made.gain_error + 0.05 * GAIN
    assert 0.4 < made.moved_px < 2
    assert "between visits" in repr(made)


def test_saturated_pixels_are_left_out() -> None:
    made = found(readings(ceiling=OFFSET + 12 * GAIN))
    assert "saturates" in made.warnings[0]
    assert abs(made.gain - GAIN) < 4 * made.gain_error + 0.02 * GAIN


def test_pairs_of_one_pass_come_first() -> None:
    places = np.concatenate([np.repeat(PLACES, 2, axis=0), PLACES])
    starts = (0, 2 * SIDE**2, 3 * SIDE**2)
    values = np.concatenate([np.zeros(2 * SIDE**2), np.full(SIDE**2, 1e6)])
    few, same = find_revisits(values[: 2 * SIDE**2 + 9], places[: 2 * SIDE**2 + 9], starts, SIDE)
    assert not same
    assert few.pairs.sum() == SIDE**2 + 9
    many, same = find_revisits(np.tile(values, 2), np.tile(places, (2, 1)), (0, 2 * len(values)), SIDE)
    assert same
    assert many.pairs.sum() == 5 * SIDE**2


@pytest.mark.parametrize(
    ("values", "known", "kind", "message"),
    [
        (readings(1), {}, ReconError, "--pattern raster --passes 2"),
        (np.random.default_rng(0).poisson(5, 4 * SIDE**2).astype(float), {}, ReconError, "variance grows"),
        (readings(2), {"dark": [1.0], "offset": None}, UsageError, "two finite dark"),
        (readings(2), {"dark": [1.0, 2.0], "offset": 3.0}, UsageError, "got both"),
    ],
)
def test_what_cannot_tell_is_refused(
    values: NDArray[Any], known: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        found(values, **known)


def test_a_counting_store_has_gain_one(tmp_path: Path) -> None:
    plan = ss.ScanPlan(
        pattern=ss.Raster(), shape=(SIDE, SIDE), passes=3, dwell="1us", dose=ss.Dose(electrons_per_sample=10), seed=1
    )
    store = ss.simulate(plan, (signal() / 10).astype(np.float32), tmp_path / "a.zarr")
    made = ss.calibrate(store)
    assert abs(made.gain - 1) < 4 * made.gain_error
    assert abs(made.offset) < 4 * made.offset_error
    assert abs(made.brightest - 9) < 1


def test_an_import_without_dose() -> None:
    samples = Samples(readings(), np.tile(PLACES, (4, 1)), (SIDE**2,) * 4, (SIDE, SIDE))
    (channel,), dose, (made,) = found_dose(samples, (DetectorInfo(),))
    assert (channel.unit, channel.gain) == ("adu", made.gain)
    assert abs(dose - 9) < 1.5
    (stated,), dose, _ = found_dose(samples, (DetectorInfo("adu", GAIN, OFFSET),))
    assert (stated.gain, stated.offset) == (GAIN, OFFSET)
    assert abs(dose - 9) < 1
