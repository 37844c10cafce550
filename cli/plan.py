"""`stemscan plan`: write a plan file and say what it will cost."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from stemscan.cli import plan_check, plan_export
from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, table, url
from stemscan.cli.completing import complete_profiles, complete_specimens
from stemscan.cli.help import Command
from stemscan.cli.late import LateGroup, late_options
from stemscan.cli.options import REPEATS, option, with_choices
from stemscan.cli.plan_dose import read_dose
from stemscan.cli.plan_options import order_of, take_files
from stemscan.cli.plan_wish import fulfil, read_wish, wish_lines, wish_report

__all__ = ["EXAMPLES", "app"]

EXAMPLES = """
stemscan plan -o plan.yaml --pixel-size 0.01nm
stemscan plan -o plan.yaml --shape 512x512 --per-block 6 --dwell 2us --dose 20
stemscan plan -o plan.yaml --pixel-size 0.02nm --max-dose 200 --dose max
"""


_EVERYDAY = ("--block", "--per-block")
"""Options of the usual pattern."""


@cache
def _pattern_parameters() -> list[Any]:
    """Options that the patterns declare."""
    from stemscan.plan.options import pattern_options
    from stemscan.plan.patterns import PATTERNS

    return late_options(
        (flag, kind, text, "Everyday" if flag in _EVERYDAY else "Pattern")
        for flag, kind, text in pattern_options(PATTERNS)
    )


def _patterns() -> str:
    """All patterns."""
    from stemscan.plan.patterns import PATTERNS

    return with_choices("Pattern: the pixels that one pass visits.", tuple(PATTERNS))


def _orders() -> str:
    """All orders."""
    from stemscan.plan.order import ORDERS

    return with_choices("Order of the visits.", tuple(ORDERS))


def _complete_patterns(incomplete: str) -> list[str]:
    """Patterns that begin as typed."""
    from stemscan.plan.patterns import PATTERNS

    return [name for name in PATTERNS if name.startswith(incomplete)]


def _complete_orders(incomplete: str) -> list[str]:
    """Orders that begin as typed."""
    from stemscan.plan.order import ORDERS

    return [name for name in ORDERS if name.startswith(incomplete)]


class _PlanGroup(LateGroup):
    """The command with what patterns and orders declare."""

    late_help: ClassVar = {"pattern": _patterns, "order": _orders}
    late_parameters: ClassVar = _pattern_parameters
    behind = "shape"


app = typer.Typer(rich_markup_mode=None, cls=_PlanGroup, epilog=EXAMPLES)
app.command("check", cls=Command, epilog=plan_check.EXAMPLES)(plan_check.check)
app.command("export", cls=plan_export.ExportCommand, epilog=plan_export.EXAMPLES)(plan_export.export)


@app.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    output: Annotated[
        Path | None,
        option(
            "--output",
            "-o",
            callback=url,
            panel="Everyday",
            help="Plan file to write (YAML); required but for check and export.",
            metavar="FILE",
        ),
    ] = None,
    pattern: Annotated[str, option(panel="Everyday", metavar="NAME", complete=_complete_patterns)] = "block-random",
    shape: Annotated[
        str, option(panel="Everyday", help="Rows x columns of the scan grid.", metavar="ROWSxCOLUMNS")
    ] = "1024x1024",
    columns: Annotated[
        str | None,
        option(
            panel="Pattern from a list",
            help='Names of the columns of a file without names, as x,y or "x [A],y [A]".',
            metavar="NAMES",
        ),
    ] = None,
    rounding: Annotated[
        bool, option("--round", panel="Pattern from a list", help="Take the nearest pixels of points between pixels.")
    ] = False,
    polygon: Annotated[
        str | None,
        option(panel="Region", help='Polygon to keep to: corners as "ROW,COLUMN ROW,COLUMN ...".', metavar="CORNERS"),
    ] = None,
    mask: Annotated[
        Path | None,
        option(panel="Region", help="Image of the grid's shape; keep to its pixels that are not zero.", metavar="FILE"),
    ] = None,
    passes: Annotated[int | None, option(panel="Everyday", help="Number of passes.", metavar="N", default="4")] = None,
    repeat: Annotated[
        str,
        option(
            panel="Passes",
            help=(
                "Relation of passes: independent ones may meet, exclusive ones avoid each other as long as they can."
            ),
            choices=REPEATS,
        ),
    ] = "independent",
    order: Annotated[
        str | None, option(panel="Order", metavar="NAME", default="the pattern's own", complete=_complete_orders)
    ] = None,
    max_jump: Annotated[
        float | None,
        option(panel="Order", help="shortest: avoid jumps beyond so many pixels.", metavar="PIXELS", default="none"),
    ] = None,
    settle_time: Annotated[
        str | None,
        option(panel="Order", help="settle-aware: time constant, with its unit.", metavar="TIME", default="5us"),
    ] = None,
    tolerance: Annotated[
        float | None,
        option(
            panel="Order",
            help="settle-aware: distance in pixels at which the beam is at rest.",
            metavar="PIXELS",
            default="0.5",
        ),
    ] = None,
    settle_table: Annotated[
        str | None,
        option(panel="Order", help='settle-aware: PIXELS=TIME pairs instead, as "0=0ns 100=20us".', metavar="PAIRS"),
    ] = None,
    settle_profile: Annotated[
        str | None,
        option(
            panel="Order",
            help="settle-aware: controller profile that settles so instead.",
            metavar="NAME|FILE",
            complete=complete_profiles,
        ),
    ] = None,
    dwell: Annotated[
        str | None,
        option(panel="Everyday", help="Dwell time of a sample, with its unit.", metavar="TIME", default="1us"),
    ] = None,
    dose: Annotated[
        str | None,
        option(
            panel="Everyday",
            help=(
                "Dose per sample: detected electrons at signal 1; max: all that --max-dose allows, with "
                "--current the longest dwell."
            ),
            metavar="NUMBER|max",
            default="10",
        ),
    ] = None,
    total_dose: Annotated[
        float | None, option(panel="Dose", help="Detected electrons in all, instead of --dose.", metavar="NUMBER")
    ] = None,
    current: Annotated[
        str | None,
        option(panel="Dose", help="Probe current with its unit, as 10pA, instead of --dose.", metavar="CURRENT"),
    ] = None,
    collection: Annotated[
        float, option(panel="Dose", help="Detected share of the incident electrons at signal 1.", metavar="NUMBER")
    ] = 1.0,
    pixel_size: Annotated[
        str | None,
        option(
            panel="Everyday",
            help="Distance of neighbouring pixels, with its unit.",
            metavar="LENGTH",
            default="unknown",
        ),
    ] = None,
    seed: Annotated[int, option(panel="Pattern", help="Seed of the path.", metavar="N")] = 7,
    max_dose: Annotated[
        float | None,
        option(
            panel="Everyday",
            help="Limit of the mean dose in incident e-/A^2 above which the plan is refused.",
            metavar="NUMBER",
            default="none",
        ),
    ] = None,
    want: Annotated[
        str | None,
        option(
            panel="Wish",
            help=(
                "Precision per axis that positions of columns are to have, as 5pm: takes the dose that "
                "reaches it, or with --dose the ratio, or with both the passes."
            ),
            metavar="LENGTH",
        ),
    ] = None,
    on: Annotated[
        str | None,
        option(
            panel="Wish",
            help="Specimen of the columns: crystal:NAME or synthetic:SEED/INDEX.",
            metavar="SPECIMEN",
            complete=complete_specimens,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        option("--class", panel="Wish", help="Class of the columns.", metavar="NAME", default="the weakest"),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a scan plan and predict its dose and time.

    The file says what is visited, how often, and in what order; the same file gives the same path everywhere.
    """
    if context.invoked_subcommand is not None:
        return
    from stemscan.errors import DoseLimitError, PlanError, UsageError
    from stemscan.files.writing import check_output
    from stemscan.plan.options import pattern_from_options
    from stemscan.plan.patterns import PATTERNS
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.units import parse_length_nm, parse_shape

    talk = Talk(quiet, as_json)
    if output is None:
        raise UsageError("expected a file to write the plan to, got none; add -o plan.yaml")
    check_output(output, overwrite=overwrite)
    wish = read_wish(want, on, kind)
    stated = read_dose(dose, total_dose, current, dwell, max_dose)
    if wish is not None and (stated.largest is not None or total_dose is not None):
        raise UsageError(
            "--want: expected the dose to follow from it, got --dose max or --total-dose too; leave that out"
        )
    later = wish is not None or stated.largest is not None
    data: dict[str, Any] = {
        "pattern": pattern_from_options(pattern, context.obj, PATTERNS),
        "shape": list(parse_shape(shape)),
        "passes": 4 if passes is None else passes,
        "repeat": repeat,
        "order": order_of(order, max_jump, settle_time, tolerance, settle_table, settle_profile),
        "dwell_ns": stated.dwell_ns,
        "dose": {**stated.dose, "collection": collection},
        "pixel_size_nm": None if pixel_size is None else parse_length_nm(pixel_size),
        "seed": seed,
        "limits": {} if max_dose is None or later else {"max_dose_e_per_A2": max_dose},
    }
    points = context.obj["--points"]
    if points is None and (columns is not None or rounding):
        raise UsageError(f"{'--round' if rounding else '--columns'}: expected --points beside it, got none; add it")
    moved = take_files(
        data, polygon, mask, output, columns=columns, rounding=rounding, overwrite=overwrite, warn=talk.warn
    )
    try:
        scan_plan = ScanPlan.from_dict(data)
        if stated.largest is not None:
            scan_plan = scan_plan.at_largest_dose(stated.largest)
    except DoseLimitError:
        raise
    except PlanError as problem:
        raise UsageError(str(problem)) from problem
    wished = None
    if wish is not None:
        given = {**context.obj, "--passes": passes}
        wished = fulfil(wish, scan_plan, stated, given, max_dose, talk)
        scan_plan = wished.plan
    with talk.progress("walking the path") as progress:
        summary = scan_plan.summary(progress=progress)
    if moved is not None:
        moved.write(overwrite=overwrite)
    scan_plan.save(output, overwrite=overwrite)
    report = {"plan": str(output), **summary.to_dict()}
    lines = [f"{output}:", str(summary)]
    if moved is not None:
        report |= {"points_file": str(moved.path), "moved_at_most_px": moved.furthest_px}
        lines += table([("points", f"on pixels in {moved.path}, moved by at most {moved.furthest_px:.3g} px")])
    if wish is not None and wished is not None:
        report["wish"] = wish_report(wish, wished)
        lines += wish_lines(wish, wished)
    talk.result(report, lines)
