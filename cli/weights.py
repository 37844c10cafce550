"""`stemscan weights`: network weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, table

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def weights() -> None:
    """Convert network weights."""


@app.command("import")
def import_weights(
    file: Annotated[
        Path,
        typer.Argument(help="The published FSHNet weights: safetensors, or the authors' .pkl.", show_default=False),
    ],
    output: OutputOption,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert the published FSHNet weights for `stemscan recon --method fshnet --weights`."""
    from dataclasses import asdict

    from stemscan.recon.paper.published_weights import import_published

    talk = Talk(quiet, as_json)
    with talk.progress("converting"):
        info = asdict(import_published(file, output, overwrite=overwrite))
    rows = [(name.replace("_", " "), str(value)) for name, value in info.items()]
    talk.result({"weights": str(output), **info}, [f"{output}: FSHNet weights", *table(rows)])
