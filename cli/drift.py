"""`stemscan drift`: how the specimen moved during a scan, found from its samples and kept in its store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, check_picture, table

if TYPE_CHECKING:
    from stemscan.acquisition.following import Prediction

__all__ = ["drift"]


def drift(
    store: Annotated[Path, typer.Argument(metavar="ACQ.zarr", help="Acquisition store.", show_default=False)],
    undo: Annotated[bool, typer.Option("--undo", help="Remove the drift that is in the store.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--png", metavar="FILE", help="Draw the trajectory with its errors as PNG.", show_default=False),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads at most (all).", show_default=False)] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find how the specimen drifted in a scan; recon uses what is found. Samples stay as they are."""
    from stemscan.errors import UsageError
    from stemscan.files.writing import write_file
    from stemscan.recon.drift.find import check_stored, find_drift, opened, store_drift
    from stemscan.recon.drift.following import next_pass
    from stemscan.recon.threads import limit_threads
    from stemscan.store.drift import remove_drift

    talk = Talk(quiet, as_json)
    if undo:
        if picture is not None or overwrite:
            raise UsageError("--undo: expected no other option beside it, got one; leave it out")
        removed = remove_drift(store)
        said = "its drift was removed; samples are as they were" if removed else "no drift is stored there"
        talk.result({"store": str(store), "removed": removed}, [f"{store}: {said}"])
        return
    if picture is not None:
        check_picture(picture, overwrite=overwrite)
    acquisition = opened(store)
    check_stored(acquisition, overwrite=overwrite)
    for warning in acquisition.warnings:
        talk.warn(warning)
    with limit_threads(threads), talk.progress("finding drift") as progress:
        found = find_drift(acquisition, progress)
    stored = found.verdict == "drift"
    if stored:
        store_drift(acquisition, found, overwrite=overwrite)
    if picture is not None and found.trajectory is not None:
        from stemscan.recon.drift.picture import draw_trajectory

        known = found.trajectory
        write_file(picture, lambda place: draw_trajectory(acquisition, known, place), overwrite=overwrite)
    elif picture is not None:
        talk.warn(f"{picture} was not drawn: no motion could be estimated")
    ahead = next_pass(acquisition)
    rows = [*found.rows(), *_next_row(ahead), ("stored", "drift/ in the store" if stored else "nothing")]
    data = {"store": str(store), **found.to_dict(), "next_pass": ahead and asdict(ahead), "stored": stored}
    talk.result(data, [f"{store}:", *table(rows)])


def _next_row(ahead: Prediction | None) -> list[tuple[str, str]]:
    """Offset at which a next pass would lie over the first; nothing where that is not known."""
    if ahead is None or ahead.held or ahead.std is None:
        return []
    row, column = ahead.offset
    return [("a next pass", f"over the first at offset ({row:.1f}, {column:.1f}) px, known to {ahead.std:.2g} px")]
