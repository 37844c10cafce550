"""Images of tiles on disk until their neighbours are there too, and the region that tiles make together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stemscan.errors import StemscanError, refusal
from stemscan.recon.large.layout import Layout, Region, Tile, within
from stemscan.runtime.durable import remove, replace
from stemscan.types import Image

__all__ = ["Made", "Scratch"]


class Made(NamedTuple):
    """Image of a tile's window and how it was made.

    Attributes
    ----------
    maps : ndarray of float32, (maps, h, w)
        Image and, of methods that have one, standard deviation.
    settings : mapping or None
        Of the method; None of a window without samples.
    """

    maps: Image
    settings: Mapping[str, Any] | None


class Scratch:
    """A folder with the images of tiles, and what is known of those that are finished.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout
        folder.mkdir(exist_ok=True)

    def has(self, tile: Tile) -> bool:
        """Tell whether a tile's image is there."""
        return self._file(tile, ".npy").exists()

    def put(self, tile: Tile, made: Made) -> None:
        """Keep a tile's image."""
        self._write(self._file(tile, ".settings.json"), made.settings)
        file = self._file(tile, ".npy")
        partial = file.with_suffix(".partial")
        try:
            with partial.open("wb") as stream:
                np.save(stream, made.maps)
            replace(partial, file)
        except OSError as problem:
            raise StemscanError(f"expected to write {str(file)!r}, got: {refusal(problem)}") from problem

    def drop(self, tile: Tile) -> None:
        """Delete a tile's image."""
        remove(self._file(tile, ".npy"))

    def settings(self, tile: Tile) -> Mapping[str, Any] | None:
        """Settings of a tile that was made."""
        found: Mapping[str, Any] | None = json.loads(self._file(tile, ".settings.json").read_bytes())
        return found

    def finish(self, tile: Tile, figures: Mapping[str, Any]) -> None:
        """Note that a tile is written, and its figures."""
        self._write(self._file(tile, ".done.json"), figures)

    def figures(self, tile: Tile) -> dict[str, Any] | None:
        """Figures of a tile that is written; None of others."""
        file = self._file(tile, ".done.json")
        return json.loads(file.read_bytes()) if file.exists() else None

    def region(self, region: Region, tile: Tile) -> Image:
        """Image of a region around a tile's core, (maps, h, w), of this tile and its neighbours."""
        total: Image | None = None
        for one in self.layout.neighbours(tile):
            common = _common(region, one.window)
            shares = self.layout.weights(one, common)
            if not (shares[0].any() and shares[1].any()):
                continue
            maps = np.load(self._file(one, ".npy"), mmap_mode="r")
            if total is None:
                total = np.zeros((len(maps), *(side.stop - side.start for side in region)), np.float32)
            inner, outer = within(common, one.window), within(common, region)
            total[(slice(None), *outer)] += np.outer(*shares).astype(np.float32) * maps[(slice(None), *inner)]
        assert total is not None  # the tile itself
        return total

    def _file(self, tile: Tile, ending: str) -> Path:
        """A file of a tile."""
        return self.folder / f"{tile.name}{ending}"

    def _write(self, file: Path, value: Any) -> None:
        """Write plain data at once."""
        partial = file.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(value), encoding="utf-8", newline="\n")
            replace(partial, file)
        except OSError as problem:
            raise StemscanError(f"expected to write {str(file)!r}, got: {refusal(problem)}") from problem


def _common(first: Region, second: Region) -> Region:
    """Pixels of both."""
    rows, columns = (
        slice(max(a.start, b.start), max(min(a.stop, b.stop), max(a.start, b.start)))
        for a, b in zip(first, second, strict=True)
    )
    return rows, columns
