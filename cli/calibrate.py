"""`stemscan calibrate`: gain, offset and read noise of a detector, from pixels that were visited again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, QuietOption, Talk, table

__all__ = ["calibrate"]


def calibrate(
    store: Annotated[Path, typer.Argument(metavar="ACQ.zarr", help="Acquisition store.", show_default=False)],
    channel: Annotated[
        str, typer.Option(metavar="NAME|N", help="Which of several detectors, by name or number.")
    ] = "0",
    dark: Annotated[
        Path | None,
        typer.Option(help="Readings with the beam blanked, of any shape: npy, tif, csv.", show_default=False),
    ] = None,
    offset: Annotated[
        float | None, typer.Option(help="Number that a sample without electrons reads, if known.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find gain, offset and read noise of a detector by photon transfer on pixels that were visited again."""
    from stemscan.files.arrays import read_array
    from stemscan.recon.calibration.calibration import calibrate as run

    talk = Talk(quiet, as_json)
    readings = None if dark is None else read_array(dark)
    with talk.progress("calibrating"):
        found = run(store, channel=channel, dark=readings, offset=offset)
    for warning in found.warnings:
        talk.warn(warning)
    talk.result({"store": str(store), **found.to_dict()}, [f"{store}: calibrated", *table(found.rows())])
