"""A large frame reconstructed in tiles and returned as arrays, for those who have the memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stemscan.recon.contradiction.contradiction import Contradiction
from stemscan.recon.large.run import reconstruct_tiles
from stemscan.recon.reconstruction import Reconstruction

if TYPE_CHECKING:
    from stemscan.recon.large.field import Field
    from stemscan.recon.method import Method

__all__ = ["reconstruct_in_memory"]


def reconstruct_in_memory(
    field: Field, method: Method, *, threads: int | None = None, contradictions: bool = True, **arguments: Any
) -> Reconstruction:
    """Reconstruct by `reconstruct_tiles` in a temporary folder; see there."""
    with TemporaryDirectory(prefix="stemscan-") as folder:
        done = reconstruct_tiles(
            field,
            method,
            Path(folder) / "work",
            arguments=arguments,
            threads=threads,
            contradictions=contradictions,
            compare=False,
        )
        maps = {name: done.folder.whole(name) for name in done.folder.names}
    found = done.contradictions
    return Reconstruction(
        image=maps["image"],
        std=maps.get("std"),
        method=done.method,
        settings=done.settings,
        seconds=done.seconds,
        pixel_size_nm=done.pixel_size_nm,
        source=done.source,
        checked=None if found is None else Contradiction(maps["contradiction"], *found[:2]),
    )
