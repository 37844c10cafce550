"""Exporting: a plan written in one of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stemscan.errors import UsageError, remedy_for
from stemscan.files.writing import check_output, write_file, write_folder
from stemscan.hardware.exporters.format import Format
from stemscan.hardware.exporters.formats import FORMATS
from stemscan.hardware.exporters.report import ExportReport, report_on
from stemscan.hardware.exporters.source import Progress, Source
from stemscan.path.scan_path import ScanPath
from stemscan.units import counted

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
    offsets: Sequence[tuple[float, float]] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write a plan in another format, whole or not at all; memory does not grow with the number of samples.

    Parameters
    ----------
    to : str
        A name of `FORMATS`.
    path : str or pathlib.Path
        The file, or the folder for a format of several files.
    profile : str or pathlib.Path, optional
        Name of a shipped controller profile, or a file of one's own; the format's own by default.
    corners : bool
        Add blanked points in two corners of the field, for a loader that centres a pattern on its points.
    offsets : sequence of (float, float)
        (row, column) in pixels by which the field of each pass is moved, one for all or one each, as drift is followed;
        rounded to the format's pixels or codes.
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
        When there is no such format, the file's name or the profile does not fit it, or there are not as many offsets
        as passes.
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
    if offsets:
        source = _moved(source, format_, offsets)
    points = 0

    def write(target: Path) -> None:
        nonlocal points
        points = format_.write(source, target)

    if format_.suffixes:
        write_file(path, write, overwrite=overwrite)
    else:
        write_folder(path, write, is_ours=format_.owns, overwrite=overwrite)
    return report_on(source, to, path, points, dwell=format_.dwell)


def _moved(source: Source, format_: Format, offsets: Sequence[tuple[float, float]]) -> Source:
    """The source with the field of each pass moved; refuses moves off the target's grid."""
    passes = source.plan.passes
    if len(offsets) not in (1, passes) or not np.isfinite(np.array(offsets)).all():
        raise UsageError(
            f"--offset: expected one finite offset, or one for each of {counted(passes, 'pass')}, got {len(offsets)}; "
            "give as many"
        )
    wanted = [(float(row), float(column)) for row, column in (tuple(offsets) * passes)[:passes]]
    program, rounding, remedy = source.program, 0.5, "a plan of a region of a larger grid"
    if program is not None and format_.dwell == "points":
        program, done = program.moved(wanted)
        rounding, remedy = 0.5 / program.lattice.step, "a profile with grid.margin"
    else:
        low, high = _room(source) if format_.from_zero else (np.full(2, -np.inf), np.full(2, np.inf))
        done = [(float(row), float(column)) for row, column in np.clip(np.rint(wanted), low, high)]
    for number, (asked, got) in enumerate(zip(wanted, done, strict=True), 1):
        if max(abs(a - b) for a, b in zip(asked, got, strict=True)) > rounding * (1 + 1e-6):
            raise UsageError(
                f"--offset: expected offsets that keep the field on the grid of {format_.name}, got "
                f"({asked[0]:g}, {asked[1]:g}) px for pass {number}, of which it has ({got[0]:g}, {got[1]:g}); leave "
                f"room: {remedy}"
            )
    return replace(source, program=program, moved=tuple((round(row), round(column)) for row, column in done))


def _room(source: Source) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Least and largest offset (row, column) at which all samples are pixels of the plan's grid."""
    ends = [(points.min(axis=0), points.max(axis=0)) for _, points in ScanPath(source.plan).batches()]
    low, high = np.min([one for one, _ in ends], axis=0), np.max([one for _, one in ends], axis=0)
    return np.asarray(-low, np.float64), np.asarray(np.array(source.plan.shape) - 1 - high, np.float64)


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
