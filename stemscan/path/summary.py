"""Summing up a plan: its path is expanded once and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.path.scan_path import ScanPath
from stemscan.plan.dose import ELECTRONS_PER_PA_NS, area_dose
from stemscan.plan.summary import PlanSummary
from stemscan.runtime.compiled import compiled
from stemscan.types import Points

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["summarise"]

Progress = Callable[[int, int], None]
Visits = npt.NDArray[np.unsignedinteger]


def summarise(plan: ScanPlan, *, progress: Progress | None = None) -> PlanSummary:
    """Expand a plan once, in batches, and sum it up.

    Parameters
    ----------
    plan : ScanPlan
        Plan to sum up.
    progress : callable, optional
        Called with (samples done, samples in all).
    """
    visits, mean_jump, longest_jump, over = _visits_and_jumps(plan, progress)
    incident = plan.electrons_per_sample / plan.dose.collection
    pixel = plan.pixel_size_nm
    most = int(visits.max())
    return PlanSummary(
        digest=plan.digest(),
        shape=plan.shape,
        passes=plan.passes,
        samples_per_pass=plan.samples_per_pass,
        total_samples=plan.total_samples,
        sampling_ratio=plan.sampling_ratio,
        coverage=int(np.count_nonzero(visits)) / visits.size,
        most_visits=most,
        electrons_per_sample=plan.electrons_per_sample,
        incident_electrons_per_sample=incident,
        total_electrons=plan.total_electrons,
        incident_total_electrons=plan.total_electrons / plan.dose.collection,
        collection=plan.dose.collection,
        probe_current_pa=incident / plan.dwell_ns / ELECTRONS_PER_PA_NS,
        dose_e_per_A2=plan.dose_e_per_A2,
        peak_dose_e_per_A2=None if pixel is None else area_dose(incident * most, (1, 1), pixel),
        dwell_ns=plan.dwell_ns,
        dwell_total_ns=plan.dwell_ns * plan.total_samples,
        mean_jump_px=mean_jump,
        longest_jump_px=longest_jump,
        pixel_size_nm=pixel,
        field_of_view_nm=None if pixel is None else (plan.shape[0] * pixel, plan.shape[1] * pixel),
        jumps_over_limit=None if plan.order.max_jump_px is None else over,
    )


def _visits_and_jumps(plan: ScanPlan, progress: Progress | None) -> tuple[Visits, float, float, int]:
    """Visits of each pixel, mean and longest jump between successive samples, and how many exceed the limit."""
    path = ScanPath(plan)
    visits = np.zeros(plan.shape, np.uint32 if plan.repeats_pixels else np.min_scalar_type(plan.passes))
    total, longest, over = 0.0, 0, 0
    limit = (plan.order.max_jump_px or 0) ** 2
    last = None
    for start, positions in path.batches():
        _count_visits(positions, visits)
        if last is not None:
            positions = np.concatenate((last, positions))
        batch_total, batch_longest, batch_over = _measure_jumps(positions, limit)
        total += batch_total
        over += batch_over
        longest = max(longest, batch_longest)
        last = positions[-1:]
        if progress is not None:
            progress(min(start + len(positions), len(path)), len(path))
    return visits, total / max(1, len(path) - 1), float(np.sqrt(longest)), over


@compiled()
def _count_visits(positions: Points, visits: Visits) -> None:
    """Add one to each visited pixel for each sample."""
    for i in range(len(positions)):
        visits[positions[i, 0], positions[i, 1]] += np.uint8(1)


@compiled()
def _measure_jumps(positions: Points, limit: float) -> tuple[float, int, int]:
    """Sum of the distances between successive points, square of the longest, number of squares above `limit`."""
    total, longest, over = 0.0, 0, 0
    for i in range(1, len(positions)):
        down = np.int64(positions[i, 0]) - positions[i - 1, 0]
        across = np.int64(positions[i, 1]) - positions[i - 1, 1]
        square = down * down + across * across
        total += np.sqrt(float(square))
        longest = max(longest, square)
        over += square > limit
    return total, longest, over
