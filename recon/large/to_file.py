"""From a store of any size to a file, in bounded memory."""

from __future__ import annotations

import getpass
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemscan.errors import StoreError
from stemscan.objects.path import ObjectPath
from stemscan.recon.large.field import Field
from stemscan.recon.large.run import Tiled, reconstruct_tiles
from stemscan.recon.large.work import Progress, TileWork
from stemscan.recon.large.writing import write_tiled
from stemscan.recon.output.record import plain, read_image_record
from stemscan.recon.output.writing import check_destination
from stemscan.recon.output.zarr_image import read_record
from stemscan.runtime.durable import discard

if TYPE_CHECKING:
    from stemscan.recon.large.flight import Crew
    from stemscan.recon.method import Method

__all__ = ["is_made", "reconstruct_to_file", "work_folder"]


def work_folder(output: Path) -> Path:
    """Folder beside an output in which its tiles are kept until it is whole; of a URL, one for temporary files."""
    if isinstance(output, ObjectPath):
        known = hashlib.sha256(f"{getpass.getuser()} {output}".encode()).hexdigest()
        return Path(tempfile.gettempdir()) / f"stemscan-{known[:16]}.tiles"
    return output.with_name(f".{output.name}.tiles")


def is_made(output: Path, wanted: Mapping[str, Any]) -> bool:
    """Tell whether an output is there as it is wanted, and not to be gone on with.

    Parameters
    ----------
    wanted : mapping
        Values by name of its record, of the source and settings in that.

    Raises
    ------
    StoreError
        When it is there and was made otherwise, or does not say how.
    """
    if not output.exists() or work_folder(output).exists():
        return False
    try:
        record = read_record(output) if output.suffix.lower() == ".zarr" else read_image_record(output)
    except StoreError:
        record = {}
    source, settings = (record.get(name) or {} for name in ("source", "settings"))
    merged = {"merged": sorted(source.get("merged") or {})}
    known = {**record, "source": {**source, **merged}, "settings": settings}
    if _part_of(plain(wanted), known):
        return True
    raise StoreError(
        f"expected {str(output)!r} to be made of these samples in this way, got another file, or one that does not say "
        "how it was made; choose another name, or --overwrite it"
    )


def _part_of(wanted: Any, known: Any) -> bool:
    """Tell whether all that is wanted is known, mapping by mapping."""
    if isinstance(wanted, Mapping):
        return isinstance(known, Mapping) and all(_part_of(value, known.get(name)) for name, value in wanted.items())
    return bool(wanted == known)


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
    scheduler: str | None = None,
    **arguments: Any,
) -> tuple[Tiled, dict[str, Any]]:
    """Reconstruct a frame tile by tile and write it.

    What is made is kept beside the output until that is whole, also where this is interrupted or killed.

    Parameters
    ----------
    method : Method
        With `tiles`.
    output : pathlib.Path
        As for `stemscan.recon.output.writing.write_reconstruction`.
    threads, memory, resume, progress
        As for `stemscan.recon.large.run.reconstruct_tiles`.
    overwrite : bool
        Replace what is there.
    scheduler : str, optional
        Address of a dask scheduler, whose workers do the tiles in place of this machine.
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
        field,
        method,
        work,
        arguments=arguments,
        threads=threads,
        memory=memory,
        resume=resume,
        progress=progress,
        hire=None if scheduler is None else _hiring(method, scheduler),
    )
    record = write_tiled(done, output, overwrite=overwrite)
    discard(work)
    return done, record


def _hiring(method: Method, scheduler: str) -> Callable[[TileWork], AbstractContextManager[Crew]]:
    """Takes the workers of a cluster, where the method can be sent to them."""
    from stemscan.recon.large.hired import check_travels, dask_crew

    check_travels(method)
    return partial(dask_crew, address=scheduler)
