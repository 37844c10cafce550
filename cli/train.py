"""`stemscan train`: train a network on simulated scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_configurations, complete_devices
from stemscan.cli.options import argument, option

__all__ = ["EXAMPLES", "train"]

EXAMPLES = """
stemscan train quick -o run
stemscan train quick -o run --resume
stemscan train --template > mine.yaml
"""


def train(
    config: Annotated[
        str | None,
        argument("CONFIG", "Configuration: one of the package by name, or a file.", complete=complete_configurations),
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "--output", "-o", panel="Everyday", help="Folder of the run; made if its parent exists.", metavar="FOLDER"
        ),
    ] = None,
    resume: Annotated[
        bool, option("--resume", panel="Everyday", help="Go on from the last checkpoint of the folder.")
    ] = False,
    device: Annotated[
        str,
        option(
            panel="Computer",
            help="Device of the training steps: auto, cpu, cuda or cuda:N.",
            metavar="NAME",
            complete=complete_devices,
        ),
    ] = "auto",
    threads: Annotated[
        int | None, option(panel="Computer", help="Threads of the training steps at most.", metavar="N", default="all")
    ] = None,
    workers: Annotated[
        int, option(panel="Computer", help="Processes that make training data.", metavar="N", min=0)
    ] = 1,
    images: Annotated[
        Path | None,
        option(
            "--validate",
            panel="Pace",
            help="Folder of images to validate on.",
            metavar="FOLDER",
            default="synthetic ones",
        ),
    ] = None,
    log_every: Annotated[int, option(panel="Pace", help="Steps between rows of metrics.csv.", metavar="N", min=1)] = 10,
    save_every: Annotated[int, option(panel="Pace", help="Steps between checkpoints.", metavar="N", min=1)] = 100,
    validate_every: Annotated[
        int, option(panel="Pace", help="Steps between validations; 0 for none.", metavar="N", min=0)
    ] = 1000,
    configurations: Annotated[
        bool, option("--configurations", panel="Configurations", help="List the configurations of the package.")
    ] = False,
    template: Annotated[
        bool,
        option("--template", panel="Configurations", help="Print CONFIG, or default, to begin your own with."),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network on simulated scans.

    Writes weights.safetensors, its card, metrics as CSV and picture, and checkpoints. Processes that torchrun starts
    share the batch.
    """
    from stemscan.errors import UsageError
    from stemscan.recon.threads import limit_threads
    from stemscan.recon.training.config import TrainingConfig, configuration_names, configuration_text
    from stemscan.recon.training.loop import Pace
    from stemscan.recon.training.loop import train as run
    from stemscan.recon.training.processes import speaks

    talk = Talk(quiet, as_json) if speaks() else Talk(quiet=True)
    if template:
        typer.echo(configuration_text(config or "default"), nl=False)
        return
    if configurations:
        listed = [
            (name, configuration_text(name).removeprefix("# ").partition("\n")[0]) for name in configuration_names()
        ]
        talk.result(dict(listed), table(listed))
        return
    if config is None or output is None:
        raise UsageError(
            "expected a configuration and a folder for the run, got none; run 'stemscan train CONFIG -o RUN'"
        )
    settings = TrainingConfig.load(config)
    pace = Pace(log_every, save_every, validate_every)
    with talk.live_progress(f"training {settings.network}") as report, limit_threads(threads):
        numbers = run(
            settings, output, resume=resume, device=device, workers=workers, images=images, pace=pace, report=report
        )
    rows = [("weights", str(output / "weights.safetensors")), ("card", str(output / "card.md"))]
    rows += [(name, f"{value:.4g}") for name, value in numbers.items()]
    talk.result({"run": str(output), **numbers}, [f"{output}: {settings.network}, step {settings.steps}", *table(rows)])
