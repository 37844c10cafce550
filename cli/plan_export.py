"""`stemscan plan export`: a plan in the format of another program or scan controller, and what that loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_plans, complete_profiles
from stemscan.cli.late import LateCommand
from stemscan.cli.options import EXPORTS, argument, option, with_choices

if TYPE_CHECKING:
    from stemscan.hardware.exporters import ExportReport

__all__ = ["EXAMPLES", "ExportCommand", "export"]

EXAMPLES = """
stemscan plan export plan.yaml --to csv -o points.csv
stemscan plan export plan.yaml --to fei-stream -o scan.str
"""


def _formats() -> str:
    """Formats, those too that completion does not know yet."""
    from stemscan.hardware.exporters import FORMATS

    return with_choices("Format of the other program.", tuple(FORMATS))


def _corners() -> str:
    """Formats that have corners, and what those are."""
    from stemscan.hardware.exporters import FORMATS

    names = ", ".join(name for name, one in FORMATS.items() if one.takes_corners)
    return f"Blanked points in two corners, for loaders that centre patterns, of {names}."


class ExportCommand(LateCommand):
    """The command with what exporters declare."""

    late_help: ClassVar = {"to": _formats, "corners": _corners}


def export(
    plan: Annotated[Path, argument("PLAN", "Plan file.", complete=complete_plans)],
    to: Annotated[
        str,
        option(panel="Everyday", help="Format of the other program.", choices=EXPORTS),
    ],
    output: OutputOption,
    profile: Annotated[
        str | None,
        option(
            panel="Controller",
            help="Controller profile.",
            metavar="NAME|FILE",
            default="the format's own",
            complete=complete_profiles,
        ),
    ] = None,
    corners: Annotated[
        bool,
        option("--corners", panel="Format"),
    ] = False,
    offset: Annotated[
        list[str] | None,
        option(
            panel="Controller",
            help=("Pixels by which the field is moved, as drift is followed: one for all passes, or again for each."),
            metavar="ROW,COLUMN",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a plan for another program, and say what its grid loses."""
    from stemscan.hardware.exporters import export as run
    from stemscan.plan.scan_plan import ScanPlan

    talk = Talk(quiet, as_json)
    scan_plan = ScanPlan.load(plan)
    with talk.progress("exporting") as progress:
        report = run(
            scan_plan,
            to,
            output,
            profile=profile,
            corners=corners,
            offsets=[_offset(text) for text in offset or []],
            overwrite=overwrite,
            progress=progress,
        )
    talk.result(report.to_dict(), [f"{output}: {to}", *_lines(report)])


def _offset(text: str) -> tuple[float, float]:
    """Two numbers, from ROW,COLUMN."""
    from stemscan.errors import UsageError

    try:
        row, column = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--offset: expected pixels as ROW,COLUMN, such as 2.5,-1, got {text!r}") from None
    return row, column


def _lines(report: ExportReport) -> list[str]:
    """The report for people."""
    from stemscan.units import counted, format_count, format_duration

    rows = [("samples", f"{format_count(report.samples)} in {counted(report.passes, 'pass')}")]
    if report.points != report.samples:
        rows.append(("points", f"{format_count(report.points)}, with waits and what follows the last sample"))
    if report.profile is not None:
        rows.append(("profile", report.profile))
    rows.append(("positions", _positions(report)))
    rows.append(("dwell time", "not in the file"))
    if report.dwell_written_ns is not None:
        exact = "exact" if report.dwell_error_ns == 0 else f"{report.dwell_error_percent:+.3g} %"
        plan = "" if report.dwell_error_ns == 0 else f", {format_duration(report.dwell_ns)} in the plan"
        rows[-1] = ("dwell time", f"{format_duration(report.dwell_written_ns)} ({exact}{plan})")
    rows.append(("size", counted(report.size_bytes, "byte")))
    return table(rows)


def _positions(report: ExportReport) -> str:
    """Distance of written positions from the plan's."""
    off = "exact"
    if report.position_error_px > 0:
        off = f"off by at most {report.position_error_px:.3g} pixels along an axis"
    return off if report.codes_per_pixel is None else f"{off}, {report.codes_per_pixel:g} codes per pixel"
