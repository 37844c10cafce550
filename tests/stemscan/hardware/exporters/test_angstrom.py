"""abTEM and py4DSTEM: positions in angstrom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from stemscan.errors import DataError, PlanError
from stemscan.hardware.exporters import export, read_angstrom
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of, points_of


@given(plan=plans(max_side=24, max_passes=3))
@settings(max_examples=25)
def test_round_trips(plan: ScanPlan) -> None:
    pixel_size_nm = plan.pixel_size_nm or 0.03125
    plan = ScanPlan.from_dict(plan.to_dict() | {"pixel_size_nm": pixel_size_nm})
    expected = points_of(plan) * (10 * pixel_size_nm)
    with Written(plan, "abtem", "a.npy") as (path, report):
        assert np.allclose(read_angstrom(path), expected[:, ::-1], rtol=1e-15, atol=0)
    with Written(plan, "py4dstem", "a.npy") as (path, _):
        assert np.allclose(read_angstrom(path), expected, rtol=1e-15, atol=0)
    assert report.position_error_px == 0


def test_axes_and_unit() -> None:
    plan = plan_of(pattern={"kind": "raster"}, shape=[2, 3], passes=1, pixel_size_nm=0.05)
    with Written(plan, "abtem", "a.npy") as (path, _):
        assert read_angstrom(path).tolist() == [[0, 0], [0.5, 0], [1, 0], [0, 0.5], [0.5, 0.5], [1, 0.5]]
    with Written(plan, "py4dstem", "a.npy") as (path, _):
        assert read_angstrom(path).tolist() == [[0, 0], [0, 0.5], [0, 1], [0.5, 0], [0.5, 0.5], [0.5, 1]]


@pytest.mark.parametrize("to", ["abtem", "py4dstem"])
def test_without_pixel_size(tmp_path: Path, to: str) -> None:
    with pytest.raises(PlanError, match="pixel_size_nm"):
        export(plan_of(pixel_size_nm=None), to, tmp_path / "a.npy")
    assert list(tmp_path.iterdir()) == []


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    finite = np.zeros((4, 2))
    holed = finite.copy()
    holed[2, 1] = np.nan
    for array, words in (
        (finite.astype(int), "int64"),
        (finite[:, :1], "(4, 1)"),
        (holed, "nan] at sample 2"),
        (finite + np.inf, "at sample 0"),
    ):
        np.save(path, array)
        with pytest.raises(DataError) as problem:
            read_angstrom(path)
        assert words in str(problem.value)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match="shortened"):
        read_angstrom(path)
