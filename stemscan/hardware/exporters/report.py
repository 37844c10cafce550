"""Report on an export: what was written, and what was lost to the target's grid of positions and dwell times."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from stemscan.hardware.exporters.source import Source

__all__ = ["ExportReport", "report_on"]


@dataclass(frozen=True)
class ExportReport:
    """Figures of an export; positions in pixels of the plan's grid, times in nanoseconds.

    Parameters
    ----------
    output : str
        The file or folder.
    profile : str, optional
        Name of the controller profile.
    samples : int
        Of the plan.
    points : int
        In the output; more than samples where settles, flybacks, corners and parking are points of their own.
    size_bytes : int
        Of all files.
    codes_per_pixel : float, optional
        Codes of the controller between neighbouring pixels; None where positions stay in units of the plan.
    position_error_px : float
        Largest distance between a sample's position in the plan and in the output, along one axis.
    dwell_ns : int
        Of the plan.
    dwell_written_ns : int, optional
        As the output says it; None where it does not.
    """

    format: str
    output: str
    profile: str | None
    samples: int
    points: int
    passes: int
    size_bytes: int
    codes_per_pixel: float | None
    position_error_px: float
    dwell_ns: int
    dwell_written_ns: int | None

    @property
    def dwell_error_ns(self) -> int | None:
        """Dwell time written minus that of the plan; None where none is written."""
        return None if self.dwell_written_ns is None else self.dwell_written_ns - self.dwell_ns

    @property
    def dwell_error_percent(self) -> float | None:
        """The same as a share of the plan's."""
        return None if self.dwell_error_ns is None else 100 * self.dwell_error_ns / self.dwell_ns

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **asdict(self),
            "dwell_error_ns": self.dwell_error_ns,
            "dwell_error_percent": self.dwell_error_percent,
        }


def report_on(
    source: Source, to: str, path: Path, points: int, *, dwell: Literal["points", "once", "none"]
) -> ExportReport:
    """Sum up what was written."""
    plan = source.plan
    files = [path] if path.is_file() else list(path.iterdir())
    grid = None if source.program is None or dwell != "points" else source.program.quantisation
    written = plan.dwell_ns if source.program is None else source.program.quantisation.dwell_ns
    return ExportReport(
        format=to,
        output=str(path),
        profile=None if source.profile is None else source.profile.name,
        samples=plan.total_samples,
        points=points,
        passes=plan.passes,
        size_bytes=sum(file.stat().st_size for file in files),
        codes_per_pixel=None if grid is None else grid.codes_per_pixel,
        position_error_px=0.0 if grid is None else grid.position_error_px,
        dwell_ns=plan.dwell_ns,
        dwell_written_ns=None if dwell == "none" else written,
    )
