"""`stemscan plan check`: what running a plan on a controller takes and does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_plans, complete_profiles
from stemscan.cli.options import argument, option

if TYPE_CHECKING:
    from stemscan.hardware.preflight import Preflight
    from stemscan.hardware.profile import ControllerProfile
    from stemscan.plan.scan_plan import ScanPlan

__all__ = ["EXAMPLES", "check"]

EXAMPLES = """
stemscan plan check plan.yaml --profile obi -o flight.png
stemscan plan check --profiles
"""


def check(
    plan: Annotated[Path | None, argument("PLAN", "Plan file.", complete=complete_plans)] = None,
    profile: Annotated[
        str, option(panel="Everyday", help="Controller profile.", metavar="NAME|FILE", complete=complete_profiles)
    ] = "obi",
    output: Annotated[
        Path | None,
        option(
            "--output", "-o", panel="Everyday", help="Picture (PNG) of path, coverage and revisits.", metavar="FILE"
        ),
    ] = None,
    round_dwell: Annotated[
        bool,
        option(
            "--round-dwell", panel="Controller", help="Dwell a time of which the controller averages every reading."
        ),
    ] = False,
    whole: Annotated[
        bool, option("--whole", panel="Controller", help="Walk every sample, of plans beyond 100 million too.")
    ] = False,
    profiles: Annotated[
        bool, option("--profiles", panel="Profiles", help="List the profiles that come with the package.")
    ] = False,
    template: Annotated[
        bool,
        option(
            "--template", panel="Profiles", help="Print a profile whose every key is explained, to begin your own with."
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Foretell what a plan takes and does on a controller.

    Walks the plan as the controller would, before the sample pays; exit code 1 where it cannot or must not run.
    """
    from stemscan.errors import ProfileError, UsageError
    from stemscan.files.writing import check_output
    from stemscan.hardware.preflight.picture import check_name
    from stemscan.hardware.profile import TEMPLATE, load_profile, profile_names, profile_text
    from stemscan.plan.scan_plan import ScanPlan

    talk = Talk(quiet, as_json)
    if template:
        typer.echo(profile_text(TEMPLATE), nl=False)
        return
    if profiles:
        found = [load_profile(name) for name in profile_names()]
        rows = [(one.name, one.description) for one in found]
        talk.result(dict(rows), table(rows))
        return
    if plan is None:
        raise UsageError("expected a plan file, got none; add PLAN, --profiles or --template")
    if output is not None:
        check_name(output)
        check_output(output, overwrite=overwrite)
    scan_plan, controller = ScanPlan.load(plan), load_profile(profile)
    try:
        report = _fly(talk, scan_plan, controller, round_dwell, whole, output, overwrite)
    except ProfileError as problem:  # one that the controller cannot run; the sentence itself goes to stderr
        finding = {"level": "error", "text": str(problem)}
        talk.result({"plan": str(plan), "profile": controller.name, "verdict": "cannot run", "findings": [finding]}, [])
        raise
    title = f"{plan} on {report.profile}: {report.verdict}"
    talk.result({"plan": str(plan), **report.to_dict()}, [title, *_lines(report, scan_plan)])
    if report.verdict == "cannot run":
        raise typer.Exit(1)


def _fly(
    talk: Talk,
    plan: ScanPlan,
    profile: ControllerProfile,
    round_dwell: bool,
    whole: bool,
    output: Path | None,
    overwrite: bool,
) -> Preflight:
    """Walk the program; draw it where that is asked for."""
    from stemscan.hardware.preflight import MOST_SAMPLES, check_flight
    from stemscan.hardware.preflight.picture import draw_flight
    from stemscan.hardware.program import Program

    program = Program(plan, profile, round_dwell=round_dwell)
    with talk.progress("walking the program") as progress:
        most = plan.total_samples if whole else MOST_SAMPLES
        report = check_flight(program, most_samples=most, progress=progress)
    if output is not None:
        draw_flight(program, report, output, overwrite=overwrite)
    return report


def _lines(report: Preflight, plan: ScanPlan) -> list[str]:
    """The report for people."""
    from stemscan.plan.dose import collection_text
    from stemscan.units import format_count, format_duration

    duration, quantisation = report.duration, report.quantisation
    seen = "" if report.examined == report.samples else f", {format_count(report.examined)} of them walked"
    parts = (
        ("dwell", duration.dwell),
        ("settle", duration.settle),
        ("flyback", duration.flyback),
        ("stalls", duration.stall),
        *((("switch", duration.switch),) if duration.switch else ()),
    )
    rows = [
        ("incident dose", collection_text(plan.dose.collection)),
        ("samples", f"{format_count(report.samples)}{seen}"),
        ("duration", format_duration(duration.total)),
        *((f"  {name}", f"{format_duration(time)} ({time / duration.total:.1%})") for name, time in parts),
        ("dose per sample", f"{report.electrons_per_sample:.4g} e- detected"),
        *_dose_rows(report),
        ("jumps", f"mean {report.mean_jump_px:.4g} px, longest {report.longest_jump_px:.4g} px"),
        ("  histogram", _jumps(report.jumps)),
    ]
    if report.lag_rms_px is not None:
        part = "" if report.lag_examined == report.samples else f", of the first {format_count(report.lag_examined)}"
        rows.append(("coil lag", f"{report.lag_rms_px:.3f} px rms, at most {report.lag_longest_px:.3f} px{part}"))
    if report.revisit_ns is not None:
        times = ", ".join(f"{share:.0%}: {format_duration(round(time))}" for share, time in report.revisit_ns)
        rows.append(("time since neighbours", times))
    if report.revisit_px is not None:
        distances = ", ".join(f"{share:.0%}: {distance:.3g} px" for share, distance in report.revisit_px)
        rows.append(("revisit distance", distances))
    rows += [
        (
            "positions",
            f"{quantisation.codes_per_pixel:.4g} codes per pixel, {quantisation.field_used:.1%} of the field, rounded "
            f"by at most {quantisation.position_error_px:.3f} px",
        ),
        (
            "dwell",
            f"{quantisation.dwell_ns} ns for {quantisation.dwell_asked_ns} ns ({quantisation.dwell_error:+.2%}), "
            f"{quantisation.signal_used:.0%} of it averaged",
        ),
    ]
    if report.link_needed is not None and report.link_there is not None:
        needed, there = report.link_needed, report.link_there
        rows.append(("link", f"{needed / 1e6:.3g} of {there / 1e6:.3g} MB/s, headroom {there / needed:.3g} times"))
    return [*table(rows), *(f"  {finding.level}: {finding.text}" for finding in report.findings)]


def _dose_rows(report: Preflight) -> list[tuple[str, str]]:
    """Doses of passes, pixels and the area."""
    rows = []
    passes = report.electrons_per_pass or (report.mean_electrons_per_pass,)
    bounds = list(dict.fromkeys(f"{bound(passes):.4g}" for bound in (min, max)))
    rows.append(("dose per pass", f"{' to '.join(bounds)} e-, moves and stalls counted"))
    if report.pixel_dose is not None:
        values = ", ".join(f"{share:.0%}: {electrons:.4g}" for share, electrons in report.pixel_dose)
        part = "" if report.examined == report.samples else ", of the samples walked"
        rows.append(("dose per visited pixel", f"{values} e-{part}"))
    if report.pixel_dose_histogram is not None:
        pixels = sum(number for _, _, number in report.pixel_dose_histogram)
        bins = (f"{low:.3g} to {high:.3g}: {number / pixels:.1%}" for low, high, number in report.pixel_dose_histogram)
        rows.append(("  histogram", ", ".join(bins)))
    area = (
        "unknown (no pixel size)"
        if report.dose_e_per_A2 is None
        else f"{report.dose_e_per_A2:.4g} incident, moves and stalls counted"
    )
    return [*rows, ("e-/A^2", area)]


def _jumps(counts: tuple[int, ...]) -> str:
    """The bins of the histogram that hold something."""
    total = max(sum(counts), 1)
    bounds = [0, *(1 << number for number in range(len(counts) - 1))]
    shares = [(bounds[number], count / total) for number, count in enumerate(counts) if count]
    return ", ".join(f"{low}+ px {share:.1%}" for low, share in shares)
