"""`reconstruct_to`: from a store of any size to a file, in bounded memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stemscan import __version__
from stemscan.errors import UsageError
from stemscan.recon.large.field import Field
from stemscan.recon.large.flight import Crew, crew, tiles_at_once
from stemscan.recon.large.layout import Layout
from stemscan.recon.large.scratch import Scratch
from stemscan.recon.large.work import Progress, TileWork
from stemscan.recon.output.zarr_folder import ZarrFolder
from stemscan.recon.threads import limit_threads
from stemscan.runtime.durable import remove_tree
from stemscan.runtime.locks import lock, open_lock

if TYPE_CHECKING:
    from stemscan.recon.contradiction.contradiction import Place
    from stemscan.recon.large.figures import Totals
    from stemscan.recon.method import Method
    from stemscan.recon.metrics import Metrics

__all__ = ["Tiled", "reconstruct_tiles"]

_KEY: Final = "reconstruction.json"


@dataclass(frozen=True, eq=False)
class Tiled:
    """A reconstruction whose arrays are on disk.

    Attributes
    ----------
    folder : ZarrFolder
        Its arrays.
    settings : mapping
        Of the method, those on which all tiles agree; and the tiles.
    contradictions : tuple or None
        Threshold, width of the kernel, and the places.
    seconds : float
        Wall time of this run.
    """

    folder: ZarrFolder
    method: str
    settings: Mapping[str, Any]
    source: Mapping[str, Any]
    pixel_size_nm: float | None
    contradictions: tuple[float, float, list[Place]] | None
    metrics: Metrics | None
    totals: Totals
    seconds: float


def reconstruct_tiles(
    field: Field,
    method: Method,
    work: Path,
    *,
    arguments: Mapping[str, Any],
    threads: int | None = None,
    contradictions: bool = True,
    compare: bool = True,
    memory: float | None = None,
    resume: bool = False,
    progress: Progress = lambda done, total: None,
    hire: Callable[[TileWork], AbstractContextManager[Crew]] | None = None,
) -> Tiled:
    """Reconstruct a frame tile by tile.

    Parameters
    ----------
    method : Method
        With `tiles`.
    work : pathlib.Path
        Folder for what is made, tile by tile; it stays where this is interrupted.
    arguments : mapping
        Weights, device and settings, as `stemscan.recon.run.reconstruct` takes them.
    threads : int, optional
        At most, of all processes together.
    contradictions : bool
        Hold the image against the counts.
    compare : bool
        Compare the image with the truth, where there is one.
    memory : float, optional
        See `tiles_at_once`.
    resume : bool
        Go on with what is in `work`; else it is begun anew.
    progress : callable
        Takes tiles written, and all.
    hire : callable, optional
        Gives those who do the work; processes of this machine, as the memory allows, unless given.

    Raises
    ------
    UsageError
        When what is in `work` belongs to something else, or the memory is too small.
    StemscanError
        As the method, and when the system refuses to write.
    """
    start = time.perf_counter()
    layout = Layout(field.shape)
    with limit_threads(threads):
        hired = hire or partial(crew, at_once=tiles_at_once(method, layout, field.passes, memory))
        key = {
            "version": __version__,
            "method": method.name,
            "arguments": {name: str(value) for name, value in arguments.items()},
            "source": json.loads(json.dumps(dict(field.source), default=str)),
            "shape": list(field.shape),
            "maps": [contradictions, compare],
        }
        with _claimed(work, key, resume):
            work_on = TileWork.of(field, method, Layout(field.shape), work, arguments, contradictions, compare)
            with hired(work_on) as hands:
                work_on.do(hands, progress)
                metrics = work_on.metrics(hands) if work_on.finisher.judge.compares else None
            return Tiled(
                folder=work_on.finisher.folder,
                method=method.name,
                settings={**_common_settings(work_on.finisher.scratch), "tiles": layout.described()},
                source=field.source,
                pixel_size_nm=field.pixel_size_nm,
                contradictions=work_on.finisher.contradictions(),
                metrics=metrics,
                totals=work_on.finisher.totals(),
                seconds=time.perf_counter() - start,
            )


@contextmanager
def _claimed(work: Path, key: Mapping[str, Any], resume: bool) -> Iterator[None]:
    """Make the folder, or see that it belongs to the same reconstruction; no other process has it meanwhile."""
    if work.exists():
        os.close(_lock(work))
    file = work / _KEY
    if not (resume and file.exists()):
        remove_tree(work)
        work.mkdir()
        file.write_text(json.dumps(key), encoding="utf-8", newline="\n")
    held = _lock(work)
    try:
        known = json.loads(file.read_bytes())
        differ = [name for name in key if known.get(name) != key[name]]
        if differ:
            raise UsageError(
                f"expected to go on with the same {differ[0]}, got another one than {str(work)!r} was made with; leave "
                "out --resume to begin anew"
            )
        yield
    finally:
        os.close(held)


def _lock(work: Path) -> int:
    """Lock a folder of tiles; gives the descriptor."""
    held = open_lock(work / ".lock", create=True)
    if lock(held):
        return held
    os.close(held)
    raise UsageError(
        f"expected {str(work)!r} for this process alone, got another one that makes the same output; wait for it, or "
        "choose another name"
    )


def _common_settings(scratch: Scratch) -> dict[str, Any]:
    """Settings on which all tiles agree."""
    found = [one for tile in scratch.layout if (one := scratch.settings(tile)) is not None]
    if not found:
        return {}
    return {name: value for name, value in found[0].items() if all(one.get(name) == value for one in found)}
