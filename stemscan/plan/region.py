"""Regions, parts of the grid to which a plan keeps: polygons, and masks from images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field

from stemscan.errors import PlanError
from stemscan.files.by_content import FileName, Sha256, load_mask, mask_sha256, name_from, read_mask, remember_place
from stemscan.plan.value import PlanValue, lists_as_tuples
from stemscan.types import Mask

__all__ = ["ImageRegion", "MaskRows", "PolygonRegion", "Region", "RegionBase"]

MaskRows = Callable[[int, int], Mask]
_BAND_PIXELS = 1 << 24
Corner = tuple[Annotated[float, Field(ge=-1e6, le=1e6)], Annotated[float, Field(ge=-1e6, le=1e6)]]


class RegionBase(PlanValue):
    """Base of all regions.

    Parameters
    ----------
    samples : int, optional
        Samples of a pass, stated where they do not follow from the pixels of the region: for patterns whose samples
        inside the region are visited.
    """

    kind: str
    samples: Annotated[int, Field(ge=1, le=2**32)] | None = None

    @abstractmethod
    def pixels_in(self, shape: tuple[int, int]) -> int:
        """Number of pixels of the region on a grid of `shape` (rows, columns)."""

    @abstractmethod
    def mask(self, shape: tuple[int, int]) -> Mask:
        """The region on a grid, (rows, columns).

        Raises
        ------
        PlanError
            When its file is not what the plan states.
        """

    def check_file(self, shape: tuple[int, int], folder: Path) -> None:
        """Refuse a file, found from `folder`, that is missing or not what the region states; errors as of `mask`."""
        return

    def mask_rows(self, shape: tuple[int, int]) -> MaskRows:
        """Function that gives rows first .. stop - 1 of the region, (stop - first, columns); errors as of `mask`."""
        mask = self.mask(shape)
        return lambda first, stop: mask[first:stop]


class PolygonRegion(RegionBase):
    """Pixels whose centres lie inside a polygon, by the even-odd rule; the centre of pixel (0, 0) is (0, 0).

    Parameters
    ----------
    points : tuple of (float, float)
        Corners (row, column) in pixels, 3 to 10000; they may lie outside the grid.
    """

    example: ClassVar = {"points": [[100, 80], [100, 400.5], [420, 250]]}

    kind: Literal["polygon"] = "polygon"
    points: Annotated[tuple[Corner, ...], Field(min_length=3, max_length=10_000), BeforeValidator(lists_as_tuples)]

    def pixels_in(self, shape: tuple[int, int]) -> int:
        """Number of pixels inside."""
        return _polygon_pixels(self.points, shape)

    def mask(self, shape: tuple[int, int]) -> Mask:
        """The polygon on a grid."""
        return _polygon_band(self.points, (0, shape[0]), shape[1])

    def mask_rows(self, shape: tuple[int, int]) -> MaskRows:
        """Function that draws the polygon in rows first .. stop - 1 of a grid."""
        return lambda first, stop: _polygon_band(self.points, (first, stop), shape[1])


class ImageRegion(RegionBase):
    """Pixels that are not zero in an image of the grid's shape.

    Parameters
    ----------
    file : str
        Image (png, tif, ...), npy or CSV; absolute, or relative to the plan file.
    sha256 : str
        SHA-256 of the mask, see `stemscan.files.by_content.mask_sha256`; another content is refused.
    pixels : int
        Number of pixels that are not zero.
    """

    example: ClassVar = {"file": "mask.png", "sha256": "3f0c...", "pixels": 81234}

    kind: Literal["image"] = "image"
    file: FileName
    sha256: Sha256
    pixels: Annotated[int, Field(ge=1, le=2**32)]

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        shape: tuple[int, int],
        *,
        folder: str | Path | None = None,
        note: Callable[[str], None] | None = None,
    ) -> Self:
        """Make the region of an image's pixels.

        Parameters
        ----------
        path : str or pathlib.Path
            Image (png, tif, ...), npy or CSV of the grid's shape.
        shape : tuple of int
            Rows and columns of the grid.
        folder : str or pathlib.Path, optional
            Folder of the plan file, from which the file is named; absolute unless given.
        note : callable, optional
            Gets each change that the reader made to the image: turned, inverted.

        Raises
        ------
        InputNotFoundError, DataError, PlanError
            When there is no such file, or it holds something else.
        """
        mask = read_mask(Path(path), shape, note)
        name = name_from(Path(path), None if folder is None else Path(folder))
        region = cls(file=name, sha256=mask_sha256(mask), pixels=int(np.count_nonzero(mask)))
        remember_place(region.sha256, Path(path).absolute())
        return region

    def pixels_in(self, shape: tuple[int, int]) -> int:
        """Number of pixels, as the plan states it."""
        return self.pixels

    def check_file(self, shape: tuple[int, int], folder: Path) -> None:
        """Refuse a mask that is missing or another one."""
        self.mask(shape, folder)

    def mask(self, shape: tuple[int, int], folder: Path | None = None) -> Mask:
        """The mask of the file; `folder` is that of the plan file."""
        mask = load_mask(self.file, self.sha256, shape, folder)
        pixels = int(np.count_nonzero(mask))
        if pixels != self.pixels:
            raise PlanError(f"region.pixels: expected {pixels}, as {self.file!r} has, got {self.pixels}; correct it")
        return mask


Region = Annotated[PolygonRegion | ImageRegion, Field(discriminator="kind")]
"""Any region, told apart by its `kind`."""


@lru_cache(maxsize=64)
def _polygon_pixels(points: tuple[tuple[float, float], ...], shape: tuple[int, int]) -> int:
    """Number of pixels inside a polygon, counted in bands of rows."""
    height = max(1, _BAND_PIXELS // shape[1])
    bands = ((top, min(shape[0], top + height)) for top in range(0, shape[0], height))
    return sum(int(np.count_nonzero(_polygon_band(points, band, shape[1]))) for band in bands)


def _polygon_band(points: tuple[tuple[float, float], ...], band: tuple[int, int], width: int) -> Mask:
    """Mark the pixels of rows band[0] .. band[1] - 1 with an odd number of edges to their left."""
    crossings = np.zeros((band[1] - band[0], width + 1), np.bool_)
    columns = np.arange(width, dtype=np.float64)
    corners: Any = np.array(points, np.float64)
    ends = np.roll(corners, -1, axis=0)
    lows, highs = np.minimum(corners[:, 0], ends[:, 0]), np.maximum(corners[:, 0], ends[:, 0])
    firsts = np.maximum(band[0], np.ceil(lows)).astype(np.int64)
    lasts = np.minimum(band[1], np.ceil(highs)).astype(np.int64)  # rows with low <= row < high
    for edge in np.flatnonzero(firsts < lasts):
        (row0, column0), (row1, column1) = corners[edge], ends[edge]
        rows = np.arange(firsts[edge], lasts[edge])
        at = column0 + (rows - row0) / (row1 - row0) * (column1 - column0)  # a share of 0 to 1: edges may be flat
        crossings[rows - band[0], np.searchsorted(columns, at)] ^= True
    inside: Mask = np.logical_xor.accumulate(crossings[:, :-1], axis=1)
    return inside
