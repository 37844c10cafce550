"""The formats that a plan can be exported to, by name, and `export`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stemscan.errors import UsageError
from stemscan.files.writing import check_output, write_file, write_folder
from stemscan.hardware.exporters.abtem import write_abtem
from stemscan.hardware.exporters.csv import write_csv
from stemscan.hardware.exporters.de_freescan import is_freescan_file, write_de_freescan
from stemscan.hardware.exporters.fei_stream import write_fei_stream
from stemscan.hardware.exporters.nexus import write_nexus
from stemscan.hardware.exporters.npy import write_npy
from stemscan.hardware.exporters.odemis import write_odemis
from stemscan.hardware.exporters.py4dstem import write_py4dstem
from stemscan.hardware.exporters.report import ExportReport, report_on
from stemscan.hardware.exporters.source import Progress, Source

if TYPE_CHECKING:
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["FORMATS", "Format", "export"]


@dataclass(frozen=True)
class Format:
    """A format of files that other programs and scan controllers read.

    Parameters
    ----------
    name : str
        As `--to` takes it.
    summary : str
        What reads it.
    suffixes : tuple of str
        Of its files; none for a folder.
    write : callable
        Writes a source to a path and returns the number of points written.
    profile : str, optional
        Shipped profile that is taken unless another is given; None where none is needed.
    takes_profile : bool
        Whether a profile may be given.
    takes_corners : bool
        Whether blanked points in the corners of the field can be written.
    dwell : {"points", "once", "none"}
        Whether the file has the dwell time: with each point, once, or not.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    write: Callable[[Source, Path], int]
    profile: str | None = None
    takes_profile: bool = False
    takes_corners: bool = False
    dwell: Literal["points", "once", "none"] = "none"


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "fei-stream",
            "Thermo Fisher (FEI) stream file, 16-bit",
            (".str",),
            partial(write_fei_stream, bits=16),
            profile="fei-stream",
            takes_profile=True,
            takes_corners=True,
            dwell="points",
        ),
        Format(
            "fei-stream-12",
            "Thermo Fisher (FEI) stream file, 12-bit",
            (".str",),
            partial(write_fei_stream, bits=12),
            profile="fei-stream-12",
            takes_profile=True,
            takes_corners=True,
            dwell="points",
        ),
        Format(
            "de-freescan",
            "folder for Direct Electron DE-Freescan and RosettaSciIO",
            (),
            write_de_freescan,
            profile="de-freescan",
            takes_profile=True,
        ),
        Format("csv", "row,column in pixels", (".csv", ".txt"), write_csv),
        Format("npy", "(row, column) in pixels, (passes, samples, 2)", (".npy",), write_npy),
        Format(
            "nexus",
            "NeXus (HDF5), NXscan_controller",
            (".nxs", ".nx5", ".h5", ".hdf5"),
            write_nexus,
            takes_profile=True,
            dwell="once",
        ),
        Format("abtem", "(x, y) in angstrom for abtem.CustomScan", (".npy",), write_abtem),
        Format("py4dstem", "(row, column) in angstrom for py4DSTEM", (".npy",), write_py4dstem),
        Format("odemis", "(x, y) in pixels from the centre for Odemis' scanPath", (".npy",), write_odemis),
    )
}


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
        Whether to add blanked points in two corners of the field, for a loader that centres a pattern on its points.
    overwrite : bool
        Whether what is there may be replaced.
    progress : callable, optional
        Called with (samples done, samples in all).

    Returns
    -------
    ExportReport
        What was written, and what was lost to quantisation.

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
        raise UsageError(f"--to: expected one of {', '.join(FORMATS)}, got {to!r}")
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
        write_folder(path, write, is_ours=is_freescan_file, overwrite=overwrite)
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
