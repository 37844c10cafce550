"""Summaries against a direct computation in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from stemscan.path.scan_path import ScanPath
from stemscan.path.summary import summarise
from stemscan.plan.scan_plan import ScanPlan
from stemscan.testing import plans


@given(plans())
@settings(max_examples=40, deadline=None)
def test_summary_is_what_the_path_does(plan: ScanPlan) -> None:
    summary = summarise(plan)
    positions = ScanPath(plan).positions(0, plan.total_samples).astype(np.int64)
    jumps = np.hypot(*np.diff(positions, axis=0).T) if len(positions) > 1 else np.zeros(1)
    pixels, visits = np.unique(positions @ [plan.shape[1], 1], return_counts=True)
    assert summary.mean_jump_px == pytest.approx(jumps.mean())
    assert summary.longest_jump_px == pytest.approx(jumps.max())
    assert summary.coverage == pytest.approx(len(pixels) / (plan.shape[0] * plan.shape[1]))
    assert summary.most_visits == visits.max()
    assert summary.total_electrons == pytest.approx(plan.electrons_per_sample * len(positions))
    assert (summary.dose_e_per_A2 is None) == (plan.pixel_size_nm is None)


def test_progress_ends_at_the_end() -> None:
    seen: list[tuple[int, int]] = []
    plan = ScanPlan.from_dict(
        {
            "pattern": {"kind": "raster"},
            "shape": [1500, 1000],
            "passes": 2,
            "dwell_ns": 1,
            "dose": {"electrons_per_sample": 1},
            "seed": 0,
        }
    )
    summary = summarise(plan, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3_000_000, 3_000_000)
    assert summary.coverage == 1.0
    assert summary.most_visits == 2
