"""Exporting: a plan written in one of the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stemscan.errors import UsageError
from stemscan.files.writing import check_output, write_file, write_folder
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.formats import FORMATS
from stemscan.hardware.exporters.report import ExportReport, report_on
from stemscan.hardware.exporters.source import Progress, Source
from stemscan.plan.messages import remedy_for

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["export"]


def export(
    plan: ScanPlan,
    to: str,
    path: str | Path,
    *,
    profile: str | Path | None = None,
    corners: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write a plan in another format, whole or not at all; memory does not grow with the number of samples.

    Parameters
    ----------
    plan : ScanPlan
    to : str
        A name of `FORMATS`.
    path : str or pathlib.Path
        The file, or the folder for a format of several files.
    profile : str or pathlib.Path, optional
        Name of a shipped controller profile, or a file of one's own; the format's own by default.
    corners : bool
        Add blanked points in two corners of the field, for a loader that centres a pattern on its points.
    overwrite : bool
        Replace what is there.
    progress : callable, optional
        Called with (samples done, samples in all).

    Returns
    -------
    ExportReport
        Figures of what was written, and of what was lost to quantisation.

    Raises
    ------
    UsageError
        When there is no such format, or the file's name or the profile does not fit it.
    PlanError
        When the format needs what the plan does not have; `ProfileError` when the controller cannot do it.
    InputNotFoundError, OutputExistsError
        When the folder does not exist, or the output does.
    """
    format_ = FORMATS.get(to)
    if format_ is None:
        remedy = remedy_for(to, FORMATS, "choose one of them")
        raise UsageError(f"--to: expected one of {', '.join(FORMATS)}, got {to!r}; {remedy}")
    path = Path(path)
    if format_.suffixes and path.suffix.lower() not in format_.suffixes:
        raise UsageError(
            f"expected a file name that ends in {' or '.join(format_.suffixes)} for {to}, got {path.name!r}; rename it"
        )
    check_output(path, overwrite=overwrite)
    if corners and not format_.takes_corners:
        raise UsageError(f"--corners: expected none for {to}, which has no blanked points, got them; leave it out")
    source = replace(_source(plan, format_, profile, progress), corners=corners)
    points = 0

    def write(target: Path) -> None:
        nonlocal points
        points = format_.write(source, target)

    if format_.suffixes:
        write_file(path, write, overwrite=overwrite)
    else:
        write_folder(path, write, is_ours=format_.owns, overwrite=overwrite)
    return report_on(source, to, path, points, dwell=format_.dwell)


def _source(plan: ScanPlan, format_: Format, profile: str | Path | None, progress: Progress | None) -> Source:
    """The plan, with its program where the format has a profile."""
    if profile is not None and not format_.takes_profile:
        raise UsageError(
            f"--profile: expected none for {format_.name}, which is written in units of the plan, got "
            f"{str(profile)!r}; leave it out"
        )
    chosen = profile or format_.profile
    program = None
    if chosen is not None:
        from stemscan.hardware.profile import load_profile
        from stemscan.hardware.program import Program

        program = Program(plan, load_profile(chosen))
    return Source(plan, program) if progress is None else Source(plan, program, progress)
