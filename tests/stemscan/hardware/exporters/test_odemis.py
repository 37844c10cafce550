"""Odemis: positions in pixels from the centre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from stemscan.errors import DataError
from stemscan.hardware.exporters import read_odemis
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans
from tests.stemscan.hardware.exporters.kit import Written, plan_of, points_of


@given(plan=plans(max_side=24, max_passes=3))
@settings(max_examples=25)
def test_round_trip(plan: ScanPlan) -> None:
    with Written(plan, "odemis", "a.npy") as (path, report):
        positions = read_odemis(path)
    rows, columns = plan.shape
    assert np.array_equal(positions[:, ::-1] + [(rows - 1) / 2, (columns - 1) / 2], points_of(plan))
    assert (report.points, report.position_error_px, report.dwell_written_ns) == (plan.total_samples, 0, None)


def test_the_origin_is_the_centre() -> None:
    plan = plan_of(pattern={"kind": "raster"}, shape=[2, 3], passes=1)
    with Written(plan, "odemis", "a.npy") as (path, _):
        assert read_odemis(path).tolist() == [[-1, -0.5], [0, -0.5], [1, -0.5], [-1, 0.5], [0, 0.5], [1, 0.5]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 2), int), "int64"),
        (np.zeros((3, 1)), "(3, 1)"),
        (np.array([[0, 0], [0, np.nan]]), "nan] at sample 1"),
        (np.array([[4e4, 0]]), "sample 0"),
    ],
)
def test_wrong_files(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError) as problem:
        read_odemis(tmp_path / "a.npy")
    assert words in str(problem.value)
