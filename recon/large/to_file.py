"""From a store of any size to a file, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.recon.large.field import Field
from stemscan.recon.large.run import Progress, Tiled, reconstruct_tiles
from stemscan.recon.large.writing import write_tiled
from stemscan.recon.output.writing import check_destination
from stemscan.runtime.durable import discard

if TYPE_CHECKING:
    from stemscan.recon.method import Method

__all__ = ["reconstruct_to_file", "work_folder"]


def work_folder(output: Path) -> Path:
    """Folder beside an output in which its tiles are kept until it is whole."""
    return output.with_name(f".{output.name}.tiles")


def reconstruct_to_file(
    field: Field,
    method: Method,
    output: Path,
    *,
    threads: int | None = None,
    memory: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
    **arguments: Any,
) -> tuple[Tiled, dict[str, Any]]:
    """Reconstruct a frame tile by tile and write it.

    What is made is kept beside the output until that is whole, also where this is interrupted or killed.

    Parameters
    ----------
    field : Field
    method : Method
        With `tiles`.
    output : pathlib.Path
        As for `stemscan.recon.output.writing.write_reconstruction`.
    threads, memory, resume, progress
        As for `stemscan.recon.large.run.reconstruct_tiles`.
    overwrite : bool
        Replace what is there.
    **arguments
        Weights, device and settings of the method.

    Returns
    -------
    Tiled
        Its arrays are gone.
    dict
        Its record.

    Raises
    ------
    StemscanError
        As `reconstruct_tiles` and `write_reconstruction`.
    """
    check_destination(output, overwrite=overwrite)
    work = work_folder(output)
    done = reconstruct_tiles(
        field, method, work, arguments=arguments, threads=threads, memory=memory, resume=resume, progress=progress
    )
    record = write_tiled(done, output, overwrite=overwrite)
    discard(work)
    return done, record
