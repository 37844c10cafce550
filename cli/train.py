"""`stemscan train`: train a network on simulated scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, QuietOption, Talk, table

__all__ = ["train"]


def train(
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="A configuration of the package, or a file.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; made if its parent exists.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="Threads of the training steps at most (all).", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that make training data.", min=0)] = 1,
    images: Annotated[
        Path | None,
        typer.Option("--validate", help="Folder of images to validate on (synthetic ones).", show_default=False),
    ] = None,
    log_every: Annotated[int, typer.Option(help="Steps between rows of metrics.csv.", min=1)] = 10,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.", min=1)] = 100,
    validate_every: Annotated[int, typer.Option(help="Steps between validations; 0 for none.", min=0)] = 1000,
    configurations: Annotated[
        bool, typer.Option("--configurations", help="List the configurations of the package.")
    ] = False,
    template: Annotated[
        bool, typer.Option("--template", help="Print CONFIG (default), to begin your own with.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network: RUN/weights.safetensors, its card, metrics as CSV and picture, checkpoints.

    Start several processes with torchrun: they share the batch.
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
