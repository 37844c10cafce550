"""`stemscan view`: pictures and films of a scan as it fills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk
from stemscan.cli.completing import complete_channels, complete_methods, complete_stores
from stemscan.cli.options import argument, option

__all__ = ["EXAMPLES", "view"]

EXAMPLES = """
stemscan view acq.zarr -o scan.gif
stemscan view acq.zarr -o scan.png
"""


def view(
    store: Annotated[Path, argument("ACQ.zarr", "Acquisition store.", complete=complete_stores)],
    output: Annotated[
        Path,
        option(
            "--output",
            "-o",
            panel="Everyday",
            help="File to write; as it fills: .gif, .mp4, .html; at its end: .png.",
            metavar="FILE",
        ),
    ],
    frames: Annotated[int, option(panel="Film", help="Pictures of the film.", metavar="N", min=1, max=1000)] = 24,
    seconds: Annotated[
        float, option(panel="Film", help="Length of the film in seconds.", metavar="NUMBER", min=0.1, max=600)
    ] = 6.0,
    size: Annotated[
        int, option(panel="Film", help="Longest side of a picture in pixels.", metavar="N", min=64, max=4096)
    ] = 480,
    method: Annotated[
        str | None,
        option(
            panel="Image",
            help="Method of the images.",
            metavar="NAME",
            default="fourier-eb, quick",
            complete=complete_methods,
        ),
    ] = None,
    channel: Annotated[
        str,
        option(
            panel="Image", help="Detector to show, by name or number.", metavar="NAME|N", complete=complete_channels
        ),
    ] = "0",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw a scan as it fills: a film, a page or a picture."""
    from stemscan.errors import ReconError
    from stemscan.files.writing import check_output
    from stemscan.recon.view.film import Sheet, moments
    from stemscan.recon.view.film_files import check_film, write_film
    from stemscan.recon.view.making import METHOD
    from stemscan.store.reader import Acquisition

    talk = Talk(quiet, as_json)
    check_film(output)
    check_output(output, overwrite=overwrite)
    acquisition = Acquisition.open(store)
    acquisition.channel_number(channel)
    if not acquisition.samples_committed:
        raise ReconError(f"expected a store with samples, got {str(store)!r}, which has none; scan first")
    number = 1 if output.suffix.lower() == ".png" else frames
    options = {"side": size, "method": method or METHOD, "channel": channel}
    with talk.progress("reconstructing") as progress:
        found = list(moments(acquisition, number, progress=progress, **options))  # type: ignore[arg-type]
    sheet = Sheet(found[-1], size, acquisition.pixel_size_nm, acquisition.shape[1])
    with talk.progress("drawing") as progress:
        pictures = []
        for moment in found:
            pictures.append(sheet.draw(moment))
            progress(len(pictures), number)
    captions = [moment.caption for moment in found]
    write_film(pictures, captions, output, seconds=seconds, title=str(acquisition.path.name), overwrite=overwrite)
    report = {"output": str(output), "pictures": number, "samples": found[-1].samples}
    talk.result(report, [f"{output}: {'a picture' if number == 1 else f'{number} pictures'} of {store}"])
