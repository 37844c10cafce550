"""`stemscan plan`: write a plan file and say what it will cost."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.late import LateGroup, late_options
from stemscan.cli.plan_check import check
from stemscan.cli.plan_dose import read_dose
from stemscan.cli.plan_export import ExportCommand, export
from stemscan.cli.plan_options import order_of, take_files
from stemscan.cli.plan_wish import fulfil, read_wish, wish_lines, wish_report

__all__ = ["app"]


@cache
def _pattern_parameters() -> list[Any]:
    """Options that the patterns declare."""
    from stemscan.plan.options import pattern_options
    from stemscan.plan.patterns import PATTERNS

    return late_options(pattern_options(PATTERNS))


def _patterns() -> str:
    """All patterns."""
    from stemscan.plan.patterns import PATTERNS

    return ", ".join(PATTERNS) + "."


def _orders() -> str:
    """All orders."""
    from stemscan.plan.order import ORDERS

    return ", ".join(ORDERS) + "; the pattern's own unless given."


class _PlanGroup(LateGroup):
    """The command with what patterns and orders declare."""

    late_help: ClassVar = {"pattern": _patterns, "order": _orders}
    late_parameters: ClassVar = _pattern_parameters
    behind = "shape"


app = typer.Typer(rich_markup_mode=None, cls=_PlanGroup)
app.command("check")(check)
app.command("export", cls=ExportCommand)(export)


@app.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Plan file to write (YAML).", show_default=False)
    ] = None,
    pattern: Annotated[str, typer.Option()] = "block-random",
    shape: Annotated[str, typer.Option(help="Rows x columns of the scan grid.")] = "1024x1024",
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help='list: what the columns of a file without names are, as x,y or "x [A],y [A]".',
            show_default=False,
        ),
    ] = None,
    rounding: Annotated[bool, typer.Option("--round", help="list: take the nearest pixels of points between.")] = False,
    polygon: Annotated[
        str | None,
        typer.Option(help='Keep to a polygon: corners as "ROW,COLUMN ROW,COLUMN ...".', show_default=False),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Keep to the pixels of an image of the grid's shape that are not zero.", show_default=False),
    ] = None,
    passes: Annotated[int | None, typer.Option(help="Number of passes (4).", show_default=False)] = None,
    repeat: Annotated[
        str, typer.Option(help="independent: passes may meet; exclusive: they avoid each other as long as they can.")
    ] = "independent",
    order: Annotated[str | None, typer.Option(show_default=False)] = None,
    max_jump: Annotated[
        float | None, typer.Option(help="order shortest: avoid jumps beyond so many pixels.", show_default=False)
    ] = None,
    settle_time: Annotated[
        str | None, typer.Option(help="order settle-aware: time constant, with its unit (5us).", show_default=False)
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="order settle-aware: pixels at which the beam is at rest (0.5).", show_default=False),
    ] = None,
    settle_table: Annotated[
        str | None,
        typer.Option(help='order settle-aware: PIXELS=TIME pairs instead, as "0=0ns 100=20us".', show_default=False),
    ] = None,
    settle_profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="order settle-aware: as a controller profile settles instead.", show_default=False
        ),
    ] = None,
    dwell: Annotated[
        str | None, typer.Option(help="Dwell time of a sample, with its unit (1us).", show_default=False)
    ] = None,
    dose: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|max",
            help="Dose per sample: detected electrons at signal 1 (10); max: all that --max-dose allows, with "
            "--current the longest dwell.",
            show_default=False,
        ),
    ] = None,
    total_dose: Annotated[
        float | None, typer.Option(help="Instead of --dose: detected electrons in all.", show_default=False)
    ] = None,
    current: Annotated[
        str | None, typer.Option(help="Instead of --dose: probe current, with its unit.", show_default=False)
    ] = None,
    collection: Annotated[float, typer.Option(help="Detected share of the incident electrons at signal 1.")] = 1.0,
    pixel_size: Annotated[
        str | None, typer.Option(help="Distance of neighbouring pixels, with its unit.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the path.")] = 7,
    max_dose: Annotated[
        float | None,
        typer.Option(help="Refuse the plan above this mean dose in incident e-/A^2.", show_default=False),
    ] = None,
    want: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Precision per axis that positions of columns are to have, as 5pm: takes the dose that reaches it, or "
            "with --dose the ratio, or with both the passes.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SPECIMEN", help="With --want: of crystal:NAME or synthetic:SEED/INDEX.", show_default=False
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="With --want: of this class (the weakest).", show_default=False),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a scan plan, write it and print what it will cost."""
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
