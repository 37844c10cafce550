"""`stemscan drift`: how the specimen moved during a scan, found from its samples and kept in its store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stemscan.cli.common import JsonOption, OverwriteOption, QuietOption, Talk, check_picture, table
from stemscan.cli.completing import complete_stores
from stemscan.cli.options import argument, option

if TYPE_CHECKING:
    from stemscan.acquisition.following import Prediction

__all__ = ["EXAMPLES", "drift"]

EXAMPLES = """
stemscan drift acq.zarr --png drift.png
stemscan drift acq.zarr --undo
"""


def drift(
    store: Annotated[Path, argument("ACQ.zarr", "Acquisition store.", complete=complete_stores)],
    undo: Annotated[bool, option("--undo", panel="Everyday", help="Remove the drift that the store holds.")] = False,
    picture: Annotated[
        Path | None,
        option("--png", panel="Everyday", help="Picture (PNG) of the trajectory with its errors.", metavar="FILE"),
    ] = None,
    threads: Annotated[
        int | None, option(panel="Computer", help="Threads at most.", metavar="N", default="all")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find how the specimen drifted in a scan, for recon to undo.

    Samples stay as they are; --undo removes what was found.
    """
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
