"""Tiles put together: written as soon as their neighbours are there, held against the counts and the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stemscan.recon.contradiction.contradiction import Contradiction, Place, contradiction
from stemscan.recon.contradiction.scores import score_threshold
from stemscan.recon.large.field import Field
from stemscan.recon.large.figures import Totals, likeness, summed
from stemscan.recon.large.layout import Layout, Region, Tile, within
from stemscan.recon.large.scratch import Scratch
from stemscan.recon.metrics import ssim_map, ssim_window
from stemscan.recon.output.zarr_folder import ZarrFolder
from stemscan.types import Image

__all__ = ["Finisher", "Judge"]


@dataclass(frozen=True, eq=False)
class Judge:
    """Holds tiles against the counts and the truth; can be sent to other processes.

    Attributes
    ----------
    maps : tuple of str
        Names of the maps of a tile.
    detail : float or None
        Width of the finest detail in pixels, for contradictions; None without.
    compares : bool
        Compare with the truth.
    """

    field: Field
    layout: Layout
    maps: tuple[str, ...]
    detail: float | None
    compares: bool

    def around(self, tile: Tile) -> Region:
        """Part of the frame that is looked at for a tile."""
        return self.layout.around(tile.core, self.layout.halo)

    def judged(self, tile: Tile, image: Image) -> tuple[dict[str, Image], dict[str, float]]:
        """Maps of a tile's core, and its figures, from what the maps are around it, (maps, h, w)."""
        around = self.around(tile)
        inner = within(tile.core, around)
        wide = dict(zip(self.maps, image, strict=True))
        if self.detail is not None:
            wide["contradiction"] = self._contradiction(wide["image"], around)
        cores = {name: np.ascontiguousarray(values[inner]) for name, values in wide.items()}
        figures = summed(cores)
        if self.compares:
            truth = self.field.truth(*around)
            figures |= likeness(cores["image"], truth[inner])
            figures["ssim"] = self._ssim(wide["image"], truth, tile, around)
        return cores, figures

    def _contradiction(self, image: Image, around: Region) -> Image:
        """How far the counts contradict an image."""
        part = self.field.part(*around)
        if part is None or self.detail is None:
            return np.zeros_like(image)
        counts, frame = part.own or part, self.layout.shape
        return contradiction(counts, image, detail=self.detail, frame=frame).z

    def scaled_ssim(self, tile: Tile, image: Image, own: tuple[float, float], true: tuple[float, float]) -> float:
        """Sum of SSIM over a tile after image and truth are brought to 0 to 1, each by its least value and range."""
        around = self.around(tile)
        truth = self.field.truth(*around)
        return self._ssim((image - own[0]) / own[1], (truth - true[0]) / true[1], tile, around)

    def _ssim(self, image: Any, truth: Any, tile: Tile, around: Region) -> float:
        """Sum of SSIM over the pixels of a core around which a window fits into the frame; NaN in too small a frame."""
        window = ssim_window(self.layout.shape)
        if window is None:
            return math.nan
        half = window // 2
        rows, columns = (
            slice(max(core.start, half), min(core.stop, size - half))
            for core, size in zip(tile.core, self.layout.shape, strict=True)
        )
        found = ssim_map(image.astype(np.float64), truth.astype(np.float64), window)
        return float(found[within((rows, columns), around)].sum())


@dataclass(frozen=True, eq=False)
class Finisher:
    """Writes the cores of tiles.

    Attributes
    ----------
    folder : ZarrFolder
        To write into.
    """

    judge: Judge
    scratch: Scratch
    folder: ZarrFolder

    @property
    def layout(self) -> Layout:
        """Tiles of the frame."""
        return self.judge.layout

    def can_finish(self, tile: Tile) -> bool:
        """Tell whether a tile and all its neighbours are there, and it is not written."""
        there = all(self.scratch.has(one) for one in self.layout.neighbours(tile))
        return there and self.scratch.figures(tile) is None

    def drop_around(self, tile: Tile) -> None:
        """Delete what was made of a tile and its neighbours, where all around it is written."""
        for one in self.layout.neighbours(tile):
            if all(self.scratch.figures(other) is not None for other in self.layout.neighbours(one)):
                self.scratch.drop(one)

    def wide(self, tile: Tile) -> Image:
        """Maps around a tile, (maps, h, w), of this one and its neighbours."""
        return self.scratch.region(self.judge.around(tile), tile)

    def keep(self, tile: Tile, cores: Mapping[str, Image], figures: Mapping[str, float]) -> None:
        """Write a tile's core, and note its figures."""
        for name, values in cores.items():
            self.folder.write(name, *tile.core, values)
        self.scratch.finish(tile, figures)

    def finish(self, tile: Tile) -> None:
        """Write a tile's core."""
        self.keep(tile, *self.judge.judged(tile, self.wide(tile)))

    def totals(self) -> Totals:
        """Figures of the whole image."""
        return Totals(figures for tile in self.layout if (figures := self.scratch.figures(tile)) is not None)

    def written(self, tile: Tile) -> Image:
        """Image around a tile, of which all is written."""
        return self.folder.read("image", *self.judge.around(tile))

    def contradictions(self) -> tuple[float, float, list[Place]] | None:
        """Threshold, width of the kernel, and all places where counts contradict the image, the worst first."""
        if (detail := self.judge.detail) is None:
            return None
        width = Contradiction.width_for(detail)
        threshold = score_threshold(self.layout.shape, width, sides=2)
        found: list[Place] = []
        for tile in self.layout:
            figures = self.scratch.figures(tile) or {}
            if max(figures["contradiction_largest"], -figures["contradiction_least"]) < threshold:
                continue
            around = self.judge.around(tile)
            places = Contradiction(self.folder.read("contradiction", *around), threshold, width).places
            for row, col, z in places:
                row, col = row + around[0].start, col + around[1].start
                if tile.owns(row, col):
                    found.append(Place(row, col, z))
        return threshold, width, sorted(found, key=lambda place: -abs(place.z))
