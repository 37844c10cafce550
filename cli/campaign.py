"""`stemscan campaign`: many acquisitions, each reconstructed by several methods, on a dask cluster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_plans
from stemscan.cli.options import argument, option

if TYPE_CHECKING:
    from stemscan.recon.evaluation.campaign.session import Report

__all__ = ["EXAMPLES", "campaign"]

EXAMPLES = """
stemscan campaign --template > campaign.yaml
stemscan campaign campaign.yaml -o results --check
stemscan campaign campaign.yaml -o results --resume
"""

_LINES = 20


def _print_template(wanted: bool) -> None:
    """Print a campaign file whose every key is explained, and end."""
    if wanted:
        from stemscan.recon.evaluation.campaign.settings import template_text

        typer.echo(template_text(), nl=False)
        raise typer.Exit


def campaign(
    file: Annotated[Path, argument("CAMPAIGN.yaml", "Campaign file.", complete=complete_plans)],
    output: OutputOption,
    scheduler: Annotated[
        str | None,
        option(
            panel="Machines",
            help="Address of a dask scheduler.",
            metavar="ADDRESS",
            default="a cluster on this machine",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        option(panel="Machines", help="Workers on this machine.", metavar="N", default="one per processor", min=1),
    ] = None,
    retries: Annotated[
        int, option(panel="Machines", help="Number of times that a failure is tried again.", metavar="N", min=0)
    ] = 2,
    resume: Annotated[bool, option("--resume", panel="Everyday", help="Go on with a campaign, or begin it.")] = False,
    check: Annotated[
        bool, option("--check", panel="Everyday", help="Check the file, print its size, and do nothing else.")
    ] = False,
    _template: Annotated[
        bool,
        option(
            "--template",
            panel="Everyday",
            help="Print a campaign file whose every key is explained, to begin your own with.",
            is_eager=True,
            callback=_print_template,
        ),
    ] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make many acquisitions and reconstruct each, on a cluster.

    Specimens x plans x doses x instruments x seeds, each by all methods; what was done is not done again.
    """
    from stemscan.arguments import check_beginning
    from stemscan.errors import ReconError, UsageError
    from stemscan.recon.evaluation.campaign.design import described, design_of
    from stemscan.recon.evaluation.campaign.folder import check_folder
    from stemscan.recon.evaluation.campaign.runners import Cluster
    from stemscan.recon.evaluation.campaign.session import failures_in_words, run_campaign
    from stemscan.recon.evaluation.campaign.settings import Campaign
    from stemscan.recon.evaluation.clients import LOCAL, dask_client, require_distributed
    from stemscan.recon.output.parquet import require_pyarrow
    from stemscan.recon.threads import workers
    from stemscan.units import counted

    check_beginning(resume=resume, overwrite=overwrite)
    if processes is not None and scheduler not in (None, LOCAL):
        raise UsageError(f"--processes: expected no --scheduler beside it, got {scheduler}; it has workers of its own")
    talk = Talk(quiet, as_json)
    asked = Campaign.load(file)
    if not check:
        require_distributed()
        require_pyarrow()
        check_folder(output, resume=resume, overwrite=overwrite)
    design = design_of(asked, file.parent)
    with talk.progress("checking") as checking:
        for warning in design.check(checking):
            talk.warn(warning)
    if check:
        size = {"acquisitions": len(design), "samples": design.samples, "contenders": len(design.common.contenders)}
        talk.result(size, described(design))
        return
    talk.say(described(design))
    with dask_client(scheduler or LOCAL, processes or workers(), dashboard=True) as client:
        cluster = Cluster(client)
        talk.say([f"dashboard: {cluster.dashboard}"])
        if cluster.is_empty:
            talk.warn(f"no worker has come to {client.scheduler.address} yet; waiting for the first")
        with talk.live_progress("campaign") as progress:
            done = run_campaign(
                design,
                output,
                cluster,
                text=file.read_text(encoding="utf-8"),
                retries=retries,
                resume=resume,
                overwrite=overwrite,
                progress=progress,
            )
    talk.result(_data(output, done), list(_lines(output, done)))
    if done.summary.failed:
        for line in failures_in_words(done.summary):
            talk.warn(line)
        first = done.summary.failures[0]
        failed, rows = counted(done.summary.failed, "failure"), counted(done.summary.rows, "row")
        raise ReconError(
            f"expected every acquisition to work, got {failed} in {rows}, first {first.contender} on {first.job}: "
            f"{first.error}; the rest is kept, --resume tries them again"
        )


def _data(output: Path, done: Report) -> dict[str, Any]:
    """Result for programs."""
    return {
        "output": str(output),
        "acquisitions": done.acquisitions,
        "computed": done.computed,
        "rows": done.summary.rows,
        "failed": done.summary.failed,
        "seconds": done.seconds,
        "failures": [
            {"acquisition": one.job.digest, "of": str(one.job), "contender": one.contender, "error": one.error}
            for one in done.summary.failures
        ],
        "means": [
            {name: None if value != value else value for name, value in one._asdict().items()}
            for one in done.summary.means
        ],
    }


def _lines(output: Path, done: Report) -> Iterator[str]:
    """Result for people."""
    from stemscan.units import counted

    means, failed = done.summary.means, counted(done.summary.failed, "failure")
    yield f"{output}: {counted(done.acquisitions, 'acquisition')}, {done.computed} made now, {failed}"
    rows = [
        (
            f"{one.contender or '(none)'}, {one.plan}, {one.electrons_per_sample:g} e-, {one.instrument}",
            "" if math.isnan(one.psnr) else f"PSNR {one.psnr:.2f} dB, SSIM {one.ssim:.3f}, mean of {one.acquisitions}",
        )
        for one in means[:_LINES]
    ]
    yield from table(rows)
    if len(means) > _LINES:
        yield f"and {counted(len(means) - _LINES, 'mean')} more"
    yield "Written: summary.parquet, times.parquet"
