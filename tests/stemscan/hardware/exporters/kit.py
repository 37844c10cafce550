"""Plans, their points and exports of them, for the exporters' tests."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from stemscan.hardware.exporters import ExportReport, export
from stemscan.path.scan_path import ScanPath
from stemscan.plan.scan_plan import ScanPlan


def plan_of(**changes: Any) -> ScanPlan:
    """A small plan of several passes."""
    data: dict[str, Any] = {
        "pattern": {"kind": "block-random", "block": 4, "samples_per_block": 3},
        "shape": [16, 24],
        "passes": 3,
        "dwell_ns": 1000,
        "dose": {"electrons_per_sample": 10},
        "pixel_size_nm": 0.02,
        "seed": 5,
    }
    return ScanPlan.from_dict(data | changes)


def points_of(plan: ScanPlan) -> npt.NDArray[np.int32]:
    """All points of a plan, (row, column)."""
    return ScanPath(plan).positions(0, plan.total_samples)


class Written:
    """A plan in a format, in a folder of its own that is gone in the end."""

    def __init__(self, plan: ScanPlan, to: str, name: str, **options: Any) -> None:
        self._folder = TemporaryDirectory()
        self.path = Path(self._folder.name) / name
        self._arguments = (plan, to, options)

    def __enter__(self) -> tuple[Path, ExportReport]:
        plan, to, options = self._arguments
        return self.path, export(plan, to, self.path, **options)

    def __exit__(self, *problem: object) -> None:
        self._folder.cleanup()
