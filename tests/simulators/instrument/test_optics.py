"""The probe against its transfer function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stemscan.simulators.instrument.optics import ProbeSettings
from stemscan.simulators.instrument.settings import Instrument
from stemscan.simulators.session import simulate
from tests.simulators.instrument.instrument_kit import make_plan, make_specimen


def moments(probe: ProbeSettings, size: int = 129) -> np.ndarray:
    """Sum, and second moments (row, column, mixed) in nm^2, of the image of a point in pixels of 0.01 nm."""
    point = np.zeros((size, size), np.float32)
    point[size // 2, size // 2] = 1
    image = probe.blurred(point, 0.01).astype(np.float64)
    at = (np.arange(size) - size // 2) * 0.01
    total = image.sum()
    return np.array([total, image.sum(1) @ at**2 / total, image.sum(0) @ at**2 / total, at @ image @ at / total])


def test_gaussian_core_and_source_add_in_square() -> None:
    total, rows, columns, mixed = moments(ProbeSettings(fwhm_nm=0.12, source_nm=0.05))
    assert total == pytest.approx(1, abs=1e-3)
    assert rows == pytest.approx((0.12**2 + 0.05**2) / (8 * np.log(2)), rel=0.01)
    assert columns == pytest.approx(rows, rel=1e-3)
    assert abs(mixed) < 1e-5


def test_defocus_is_a_disc_and_astigmatism_an_ellipse() -> None:
    """Of a radius r the second moment of a disc is r^2 / 4, along each axis."""
    round_one = ProbeSettings(fwhm_nm=0.03, defocus_nm=10.0, convergence_mrad=20.0)
    _, rows, columns, _ = moments(round_one)
    core = 0.03**2 / (8 * np.log(2))
    assert rows == pytest.approx(0.2**2 / 4 + core, rel=0.03)
    assert columns == pytest.approx(rows, rel=1e-3)
    bent = round_one.model_copy(update={"astigmatism_nm": 5.0})
    _, rows, columns, mixed = moments(bent)
    assert columns == pytest.approx(0.3**2 / 4 + core, rel=0.03)
    assert rows == pytest.approx(0.1**2 / 4 + core, rel=0.05)
    assert abs(mixed) < 1e-4
    _, rows, columns, mixed = moments(bent.model_copy(update={"astigmatism_deg": 45.0}))
    assert columns == pytest.approx(rows, rel=0.02)
    assert mixed == pytest.approx(-(0.3**2 - 0.1**2) / 8, rel=0.05)  # up is towards smaller rows


def test_waves_fall_by_the_transfer_function(tmp_path: Path) -> None:
    """Stores hold the blurred specimen as truth, and its record is the specimen's own."""
    plan = make_plan(shape=[32, 64])
    columns = np.broadcast_to(np.arange(64), (32, 64))
    wave = np.ascontiguousarray(0.5 + 0.4 * np.cos(2 * np.pi * columns / 9), np.float32)
    specimen = make_specimen(plan, wave)
    settings = {"fwhm_nm": 0.2, "tail": 0.3, "tail_nm": 0.1}
    store = simulate(plan, specimen, tmp_path / "a", instrument=Instrument.model_validate({"probe": settings}))
    q = np.array([[1 / 0.9]])
    left = float(ProbeSettings.model_validate(settings).transfer(q, 0 * q)[0, 0])
    assert store.truth is not None
    np.testing.assert_allclose(store.truth[:, 16:48], 0.5 + left * (wave - 0.5)[:, 16:48], atol=0.01)
    assert store.specimen is not None
    assert store.specimen["sha256"] == specimen.sha256
    assert store.tracks == ()
