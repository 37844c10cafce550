"""`stemscan view`: pictures and films of a scan as it fills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk

__all__ = ["view"]


def view(
    store: Annotated[Path, typer.Argument(metavar="ACQ.zarr", help="Acquisition store.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="As it fills: .gif, .mp4, .html; at its end: .png.", show_default=False),
    ],
    frames: Annotated[int, typer.Option(min=1, max=1000, help="Pictures of the film.")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Length of the film.")] = 6.0,
    size: Annotated[int, typer.Option(min=64, max=4096, help="Longest side of a picture in pixels.")] = 480,
    method: Annotated[str | None, typer.Option(help="Method of the images (fourier-eb, quick).")] = None,
    channel: Annotated[str, typer.Option(help="Number or name of the detector to show.")] = "0",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw a scan as it fills, the image beside it: .gif, .mp4, .html (one file, offline) or .png."""
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
