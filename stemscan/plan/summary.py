"""Figures of a plan: everything a user wants to know before touching the sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stemscan.display import as_html, columns
from stemscan.plan.dose import collection_text
from stemscan.units import counted, format_count, format_duration, format_length

__all__ = ["PlanSummary"]


@dataclass(frozen=True)
class PlanSummary:
    """Figures of a plan; doses in electrons, times in nanoseconds, lengths in nanometres, jumps in pixels.

    `electrons_per_sample` (lambda) and `total_electrons` (Lambda) are detected electrons at signal 1, the incident
    ones are those divided by the `collection`. What needs a pixel size is None where the plan has none.
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
    collection: float
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
            ("incident dose", collection_text(self.collection)),
            ("grid", f"{height} x {width} pixels"),
            ("field of view", unknown if field is None else " x ".join(map(format_length, field))),
            ("passes", f"{self.passes} of {counted(self.samples_per_pass, 'sample')}"),
            ("samples", format_count(self.total_samples)),
            ("sampling ratio a pass", f"{100 * self.sampling_ratio:.4g} %"),
            ("coverage of all passes", f"{100 * self.coverage:.4g} %, at most {most} per pixel"),
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
