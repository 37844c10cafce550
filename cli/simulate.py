"""`stemscan simulate`: scan a virtual specimen by a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, UrlOutputOption, table, url
from stemscan.cli.completing import complete_plans, complete_specimens
from stemscan.cli.controllers import opened_controller
from stemscan.cli.options import argument, option
from stemscan.cli.scan_rows import specimen_rows
from stemscan.cli.shared_options import takes
from stemscan.cli.virtual_options import VirtualOptions

__all__ = ["EXAMPLES", "simulate"]

EXAMPLES = """
stemscan simulate plan.yaml "crystal:SrTiO3[001]" -o acq.zarr
stemscan simulate plan.yaml image.dm4 -o acq.zarr --fit crop --smooth paper
stemscan simulate plan.yaml synthetic:1/6 -o acq.zarr --resume
"""


def _print_template(wanted: bool) -> None:
    """Print the file of the template, and end."""
    if wanted:
        from stemscan.simulators.instrument.settings import TEMPLATE, instrument_text

        typer.echo(instrument_text(TEMPLATE), nl=False)
        raise typer.Exit


@takes(VirtualOptions, "virtual")
def simulate(
    plan: Annotated[Path, argument("PLAN", "Plan file.", complete=complete_plans, callback=url)],
    specimen: Annotated[
        str,
        argument("SPECIMEN", "Image file, crystal:NAME or synthetic:SEED/INDEX.", complete=complete_specimens),
    ],
    output: UrlOutputOption,
    virtual: VirtualOptions,
    resume: Annotated[
        bool, option("--resume", panel="Everyday", help="Go on with an interrupted store, or begin it.")
    ] = False,
    _template: Annotated[
        bool,
        option(
            "--instrument-template",
            panel="Virtual microscope",
            help="Print an instrument whose every key is explained, to begin your own with.",
            is_eager=True,
            callback=_print_template,
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Scan a virtual specimen by a plan into a store."""
    from stemscan.acquisition.controllers import ControllerRequest
    from stemscan.acquisition.reports import provenance_of
    from stemscan.acquisition.session import run_session
    from stemscan.arguments import check_beginning
    from stemscan.errors import UsageError
    from stemscan.plan.scan_plan import ScanPlan
    from stemscan.simulators.specimens.kinds import kind_of
    from stemscan.store.create import check_place
    from stemscan.units import counted, format_count

    check_beginning(resume=resume, overwrite=overwrite)
    if kind_of(str(plan)) is not None:
        raise UsageError(f"expected PLAN SPECIMEN, got {str(plan)!r} first, which is a specimen; change their order")
    talk = Talk(quiet, as_json)
    scan_plan = ScanPlan.load(plan)
    if not resume:
        check_place(output, overwrite=overwrite)
    request = ControllerRequest(scan_plan, options={"specimen": specimen, **virtual.given()}, warn=talk.warn)
    with opened_controller("virtual", request) as microscope, talk.progress("scanning") as progress:
        report = run_session(scan_plan, microscope, output, resume=resume, overwrite=overwrite, progress=progress)
        scanned = provenance_of(microscope).specimen
    data: dict[str, Any] = {
        "store": str(output),
        "specimen": scanned and scanned.name,
        "specimen_sha256": scanned and scanned.sha256,
        "specimen_record": scanned and scanned.record,
        "samples": report.samples,
        "total_samples": scan_plan.total_samples,
        "resumed_from": report.resumed_from,
        "exposed_twice_at_most": report.exposed_twice_at_most,
        "seconds": report.seconds,
    }
    rows = [
        *specimen_rows(scanned),
        ("samples", f"{format_count(report.resumed_from + report.samples)} of {format_count(scan_plan.total_samples)}"),
    ]
    if report.resumed_from:
        rows.append(
            ("resumed after", f"{counted(report.resumed_from, 'sample')}; {format_count(report.samples)} more now")
        )
    if report.exposed_twice_at_most:
        rows.append(("exposed twice", f"at most {counted(report.exposed_twice_at_most, 'sample')}"))
    rows.append(("time", f"{report.seconds:.2f} s"))
    talk.result(data, [f"{output}: complete", *table(rows)])
