"""The image of one tile: a method on the counts of its window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stemscan.recon.large.field import Field
from stemscan.recon.large.layout import Layout, Tile
from stemscan.recon.large.scratch import Made
from stemscan.recon.method import Method
from stemscan.recon.output.record import plain
from stemscan.recon.whole import reconstruct_whole
from stemscan.types import Image

__all__ = ["Recipe", "detail_samples"]

_PATCHES: Final = 9
_PATCH: Final = 256, 512


@dataclass(frozen=True, eq=False)
class Recipe:
    """How tiles are made; can be sent to other processes.

    Attributes
    ----------
    method : Method
        Whose image at a place follows from the samples around it.
    arguments : mapping
        Of `stemscan.recon.run.reconstruct`: weights, device, threads, settings of the method.
    unsampled : (float, float)
        Signal, and standard deviation, where a window has no sample.
    """

    field: Field
    method: Method
    arguments: Mapping[str, Any]
    unsampled: tuple[float, float]

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps of a tile."""
        return ("image", "std") if self.method.gives_std else ("image",)

    def make(self, tile: Tile) -> Made:
        """Reconstruct a tile's window."""
        part = self.field.part(*tile.window)
        if part is None:
            shape = tuple(side.stop - side.start for side in tile.window)
            values = self.unsampled[: len(self.maps)]
            return Made(np.stack([np.full(shape, value, np.float32) for value in values]), None)
        done = reconstruct_whole(part, self.method, contradictions=False, **self.arguments)
        maps = [done.image] if done.std is None else [done.image, done.std]
        return Made(np.stack(maps), plain(done.settings))


def detail_samples(field: Field, layout: Layout) -> tuple[Image, Image]:
    """S and V of small patches spread over a field, one below the other, (rows, columns); zeros without samples."""
    tiles = list(layout)
    numbers = np.linspace(0, len(tiles) - 1, min(_PATCHES, len(tiles))).round().astype(int)
    chosen = [tiles[number] for number in numbers]
    sums, visits = [], []
    for tile in chosen:
        patch = tuple(
            slice(middle - min(size, side.stop - side.start) // 2, middle + min(size, side.stop - side.start) // 2)
            for side, size in zip(tile.core, _PATCH, strict=True)
            for middle in [(side.start + side.stop) // 2]
        )
        part = field.part(patch[0], patch[1])
        if part is not None:
            sums.append(part.whole.S)
            visits.append(part.whole.V)
    widest = min((one.shape[1] for one in sums), default=0)
    if not widest:
        return np.zeros(_PATCH, np.float32), np.zeros(_PATCH, np.float32)
    cut = [np.concatenate([one[:, :widest] for one in stack]) for stack in (sums, visits)]
    return cut[0], cut[1]
