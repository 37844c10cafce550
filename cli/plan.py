"""`stemscan plan`: write a plan file and say what it will cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.plan_check import check
from stemscan.cli.plan_export import export
from stemscan.cli.plan_options import order_of, take_files

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)
app.command("check")(check)
app.command("export")(export)

_PARAMETERS = {
    "block-random": {"block": "block", "per_block": "samples_per_block"},
    "uniform": {"ratio": "ratio"},
    "line-hop": {"height": "height"},
    "raster": {},
    "serpentine": {},
    "spiral": {"pitch": "pitch", "spacing": "spacing"},
    "lissajous": {"cycles": "cycles", "ratio": "ratio"},
    "blue-noise": {"ratio": "ratio"},
    "hilbert": {},
    "random-walk": {"ratio": "ratio", "step": "step"},
    "interleaved": {"row_stride": "row_stride", "column_stride": "column_stride"},
    "list": {"points": "file"},
}
_DEFAULTS = {"block": 8, "per_block": 3, "pitch": 4.0, "spacing": 4.0, "step": 1, "row_stride": 2, "column_stride": 1}


@app.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Plan file to write (YAML).", show_default=False)
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(
            help="block-random, uniform, line-hop, raster, serpentine, spiral, lissajous, blue-noise, hilbert, "
            "random-walk, interleaved or list."
        ),
    ] = "block-random",
    shape: Annotated[str, typer.Option(help="Rows x columns of the scan grid.")] = "1024x1024",
    block: Annotated[
        int | None, typer.Option(help="block-random: side of a block in pixels (8).", show_default=False)
    ] = None,
    per_block: Annotated[
        int | None, typer.Option(help="block-random: samples in each block (3).", show_default=False)
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            help="uniform, blue-noise, lissajous, random-walk: samples of a pass per pixel of the grid.",
            show_default=False,
        ),
    ] = None,
    height: Annotated[int | None, typer.Option(help="line-hop: rows of a band.", show_default=False)] = None,
    pitch: Annotated[
        float | None, typer.Option(help="spiral: distance of turns in pixels (4).", show_default=False)
    ] = None,
    spacing: Annotated[
        float | None, typer.Option(help="spiral: distance of samples along it in pixels (4).", show_default=False)
    ] = None,
    cycles: Annotated[
        str | None, typer.Option(help="lissajous: swings down x across in a pass, as 31x32.", show_default=False)
    ] = None,
    step: Annotated[int | None, typer.Option(help="random-walk: pixels of a step (1).", show_default=False)] = None,
    row_stride: Annotated[
        int | None, typer.Option(help="interleaved: distance of a raster's rows (2).", show_default=False)
    ] = None,
    column_stride: Annotated[
        int | None, typer.Option(help="interleaved: distance of a raster's columns (1).", show_default=False)
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(
            help="list: table (csv, txt) or npy file of (row, column); names of columns, as x,y, decide.",
            show_default=False,
        ),
    ] = None,
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
    passes: Annotated[int, typer.Option(help="Number of passes.")] = 4,
    repeat: Annotated[
        str, typer.Option(help="independent: passes may meet; exclusive: they avoid each other as long as they can.")
    ] = "independent",
    order: Annotated[
        str | None,
        typer.Option(
            help="serpentine-blocks, raster, serpentine, random, own, shortest, delocalised or settle-aware; the "
            "pattern's own unless given.",
            show_default=False,
        ),
    ] = None,
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
    dwell: Annotated[str, typer.Option(help="Dwell time of a sample, with its unit.")] = "1us",
    dose: Annotated[
        float | None,
        typer.Option(help="Dose per sample: detected electrons at signal 1 (10).", show_default=False),
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
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a scan plan, write it and print what it will cost."""
    if context.invoked_subcommand is not None:
        return
    from stemscan.errors import DoseLimitError, PlanError, UsageError
    from stemscan.files.writing import check_output
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.units import parse_current_pa, parse_dwell_ns, parse_length_nm, parse_shape

    talk = Talk(quiet, as_json)
    if output is None:
        raise UsageError("expected a file to write the plan to, got none; add -o plan.yaml")
    check_output(output, overwrite=overwrite)
    current_pa = None if current is None else parse_current_pa(current)
    data: dict[str, Any] = {
        "pattern": _pattern(
            pattern,
            {
                "block": block,
                "per_block": per_block,
                "ratio": ratio,
                "height": height,
                "pitch": pitch,
                "spacing": spacing,
                "cycles": cycles,
                "step": step,
                "row_stride": row_stride,
                "column_stride": column_stride,
                "points": points,
            },
        ),
        "shape": list(parse_shape(shape)),
        "passes": passes,
        "repeat": repeat,
        "order": order_of(order, max_jump, settle_time, tolerance, settle_table, settle_profile),
        "dwell_ns": parse_dwell_ns(dwell),
        "dose": {**_dose(dose, total_dose, current_pa), "collection": collection},
        "pixel_size_nm": None if pixel_size is None else parse_length_nm(pixel_size),
        "seed": seed,
        "limits": {} if max_dose is None else {"max_dose_e_per_A2": max_dose},
    }
    if points is None and (columns is not None or rounding):
        raise UsageError(f"{'--round' if rounding else '--columns'}: expected --points beside it, got none; add it")
    moved = take_files(
        data, points, polygon, mask, output, columns=columns, rounding=rounding, overwrite=overwrite, warn=talk.warn
    )
    try:
        scan_plan = ScanPlan.from_dict(data)
    except DoseLimitError:
        raise
    except PlanError as problem:
        raise UsageError(str(problem)) from problem
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
    talk.result(report, lines)


def _pattern(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The plan's pattern from the options that fit its kind."""
    from stemscan.errors import UsageError

    fitting = _PARAMETERS.get(kind)
    if fitting is None:
        raise UsageError(f"--pattern: expected one of {', '.join(_PARAMETERS)}, got {kind!r}")
    result: dict[str, Any] = {"kind": kind}
    for option, value in options.items():
        flag = "--" + option.replace("_", "-")
        if value is not None and option not in fitting:
            raise UsageError(f"{flag}: expected no such option with the pattern {kind}, got {value}; leave it out")
        if option in fitting:
            value = _DEFAULTS.get(option) if value is None else value
            if value is None:
                raise UsageError(f"{flag}: expected a value with the pattern {kind}, got none; add {flag}")
            result[fitting[option]] = value
    return result


def _dose(dose: float | None, total: float | None, current_pa: float | None) -> dict[str, float]:
    """The plan's dose from the one option that states it."""
    from stemscan.errors import UsageError

    stated = {"electrons_per_sample": dose, "total_electrons": total, "probe_current_pa": current_pa}
    given = {name: value for name, value in stated.items() if value is not None}
    if len(given) > 1:
        raise UsageError("expected one of --dose, --total-dose and --current, got several; keep one")
    return given or {"electrons_per_sample": 10.0}
