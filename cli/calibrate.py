"""`stemscan calibrate`: gain, offset and read noise of a detector, from pixels that were visited again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from stemscan.cli.common import JsonOption, QuietOption, Talk, table
from stemscan.cli.completing import complete_channels, complete_stores
from stemscan.cli.options import argument, option

__all__ = ["EXAMPLES", "calibrate"]

EXAMPLES = """
stemscan calibrate acq.zarr
stemscan calibrate acq.zarr --dark dark.npy
"""


def calibrate(
    store: Annotated[Path, argument("ACQ.zarr", "Acquisition store.", complete=complete_stores)],
    channel: Annotated[
        str, option(panel="Everyday", help="Detector, by name or number.", metavar="NAME|N", complete=complete_channels)
    ] = "0",
    dark: Annotated[
        Path | None,
        option(panel="Everyday", help="Readings with the beam blanked, of any shape: npy, tif, csv.", metavar="FILE"),
    ] = None,
    offset: Annotated[
        float | None,
        option(panel="Everyday", help="Number that a sample without electrons reads, if known.", metavar="NUMBER"),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find gain, offset and read noise of a detector.

    Photon transfer on pixels that were visited again; dark readings make it more precise.
    """
    from stemscan.files.arrays import read_array
    from stemscan.recon.calibration.calibration import calibrate as run

    talk = Talk(quiet, as_json)
    readings = None if dark is None else read_array(dark)
    with talk.progress("calibrating"):
        found = run(store, channel=channel, dark=readings, offset=offset)
    for warning in found.warnings:
        talk.warn(warning)
    talk.result({"store": str(store), **found.to_dict()}, [f"{store}: calibrated", *table(found.rows())])
