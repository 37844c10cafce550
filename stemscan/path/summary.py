"""What a plan will cost and cover: everything a user wants to know before touching the sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stemscan.display import as_html, columns
from stemscan.units import counted, format_count, format_duration, format_length

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["PlanSummary", "summarise"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PlanSummary:
    """Figures of a plan; doses in electrons, times in nanoseconds, lengths in nanometres, jumps in pixels.

    `electrons_per_sample` (lambda) and `total_electrons` (Lambda) are detected electrons at signal 1, the incident
    ones are those divided by the collection. What needs a pixel size is None where the plan has none.
    `coverage` is the fraction of the grid that at least one pass visits. `jumps_over_limit` counts the jumps beyond the
    order's `max_jump_px`, which no order of the pixels may be able to avoid; None where there is no limit.
    """

    digest: str
    shape: tuple[int, int]
    passes: int
    samples_per_pass: int
    total_samples: int
    sampling_ratio: float
    coverage: float
    most_visits: int
    electrons_per_sample: float
    incident_electrons_per_sample: float
    total_electrons: float
    incident_total_electrons: float
    probe_current_pa: float
    dose_e_per_A2: float | None
    peak_dose_e_per_A2: float | None
    dwell_ns: int
    dwell_total_ns: int
    mean_jump_px: float
    longest_jump_px: float
    pixel_size_nm: float | None
    field_of_view_nm: tuple[float, float] | None
    jumps_over_limit: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        unknown = "unknown (no pixel size)"
        height, width = self.shape
        field = self.field_of_view_nm
        area_dose = unknown
        if self.dose_e_per_A2 is not None:
            area_dose = f"{self.dose_e_per_A2:.4g} (at most {self.peak_dose_e_per_A2:.4g} on one pixel), incident"
        jumps = f"mean {self.mean_jump_px:.4g} px, longest {self.longest_jump_px:.4g} px"
        if self.jumps_over_limit is not None:
            jumps += f", {format_count(self.jumps_over_limit)} beyond the limit"
        most = counted(self.most_visits, "visit")
        sample = f"{self.electrons_per_sample:.4g} e- detected, {self.incident_electrons_per_sample:.4g} incident"
        total = f"{self.total_electrons:.4g} e- detected, {self.incident_total_electrons:.4g} incident"
        return [
            ("grid", f"{height} x {width} pixels"),
            ("field of view", unknown if field is None else " x ".join(map(format_length, field))),
            ("passes", f"{self.passes} of {counted(self.samples_per_pass, 'sample')}"),
            ("samples", format_count(self.total_samples)),
            ("sampling ratio a pass", f"{100 * self.sampling_ratio:.4g} %"),
            ("coverage of all passes", f"{100 * self.coverage:.4g} %, at most {most} a pixel"),
            ("dose per sample", sample),
            ("total dose", total),
            ("e-/A^2", area_dose),
            ("probe current", f"{self.probe_current_pa:.4g} pA at {format_duration(self.dwell_ns)} dwell"),
            ("dwell time in all", format_duration(self.dwell_total_ns)),
            ("jumps", jumps),
            ("digest", self.digest),
        ]

    def __str__(self) -> str:
        return "\n".join(columns(self.rows()))

    def _repr_html_(self) -> str:
        return as_html("PlanSummary", self.rows())


def summarise(plan: ScanPlan, *, progress: Progress | None = None) -> PlanSummary:
    """Expand a plan once, in batches, and sum it up.

    Parameters
    ----------
    plan : ScanPlan
        What to sum up.
    progress : callable, optional
        Called with (samples done, samples in all).

    Returns
    -------
    PlanSummary
    """
    from stemscan.plan.dose import ELECTRONS_PER_PA_NS, area_dose

    visits, mean_jump, longest_jump, over = _walk(plan, progress)
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


def _walk(plan: ScanPlan, progress: Progress | None) -> tuple[npt.NDArray[np.unsignedinteger], float, float, int]:
    """Visits of each pixel, mean and longest jump between successive samples, and how many exceed the limit."""
    from stemscan.path.scan_path import ScanPath
    from stemscan.path.summary_kernels import count_visits, measure_jumps

    path = ScanPath(plan)
    visits = np.zeros(plan.shape, np.uint32 if plan.repeats_pixels else np.min_scalar_type(plan.passes))
    total, longest, over = 0.0, 0, 0
    limit = (plan.order.max_jump_px or 0) ** 2
    last = None
    for start, positions in path.batches():
        count_visits(positions, visits)
        if last is not None:
            positions = np.concatenate((last, positions))
        batch_total, batch_longest, batch_over = measure_jumps(positions, limit)
        total += batch_total
        over += batch_over
        longest = max(longest, batch_longest)
        last = positions[-1:]
        if progress is not None:
            progress(min(start + len(positions), len(path)), len(path))
    return visits, total / max(1, len(path) - 1), float(np.sqrt(longest)), over
