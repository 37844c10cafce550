"""`stemscan weights`: network weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, OutputOption, OverwriteOption, QuietOption, Talk, table
from stemscan.cli.help import Command, Group
from stemscan.cli.options import argument

__all__ = ["EXAMPLES", "app"]

EXAMPLES = """
stemscan weights import authors_weights.pkl -o published.safetensors
"""

app = typer.Typer(rich_markup_mode=None, cls=Group, epilog=EXAMPLES)


@app.callback()
def weights() -> None:
    """Convert weights of networks."""


@app.command("import", cls=Command, epilog=EXAMPLES)
def import_weights(
    file: Annotated[
        Path,
        argument("FILE", "Published FSHNet weights: safetensors, or the authors' .pkl."),
    ],
    output: OutputOption,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Convert the published FSHNet weights for recon --weights."""
    from dataclasses import asdict

    from stemscan.recon.paper.published_weights import import_published

    talk = Talk(quiet, as_json)
    with talk.progress("converting"):
        info = asdict(import_published(file, output, overwrite=overwrite))
    rows = [(name.replace("_", " "), str(value)) for name, value in info.items()]
    talk.result({"weights": str(output), **info}, [f"{output}: FSHNet weights", *table(rows)])
