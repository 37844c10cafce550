"""Images to evaluate on: the synthetic test set, and corners of real micrographs.

The synthetic test set is `synthetic_specimen` with seed `TEST_SEED`. It is disjoint from every training set by
construction: training takes seeds below 2**63 alone, and the generator's random numbers are keyed by the seed.

Each image is there twice: `fine` is scanned by plans, `coarse` is half its size and the truth of the protocol of the
published code, which doubles it itself. A synthetic image is drawn fine and binned; a micrograph's corner is coarse and
doubled by a cubic, as the paper does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

from stemscan.errors import SpecimenError, StemscanError, UsageError
from stemscan.simulators.api import (
    Specimen,
    image_paths,
    load_corner,
    render_crystal,
    resample_specimen,
    synthetic_specimen,
)
from stemscan.types import Image
from stemscan.units import counted

__all__ = ["TEST_SEED", "ImageSource", "LoadedImage", "described", "folder_images", "loaded", "synthetic_images"]

TEST_SEED: Final = 2**63 + 1
"""Seed of the synthetic test set; training refuses seeds of 2**63 and above."""

COLUMNS_PIXEL_NM: Final = 0.01
"""Pixel size of specimens whose columns are judged."""

Set = Literal["synthetic", "real", "columns"]


@dataclass(frozen=True)
class ImageSource:
    """Source of an image: small, and enough to load it in another process.

    Attributes
    ----------
    set : {"synthetic", "real", "columns"}
        Tables are made for each set.
    name : str
        Unique in its set.
    place : str
        Index in the synthetic set, path of the file, or name of the crystal.
    size : int
        Rows and columns of a synthetic image; of a file's corner at most, half the scan grid.
    shape : tuple of int
        Rows and columns of the fine signal.
    sha256 : str
        Of the fine signal.
    """

    set: Set
    name: str
    place: str
    size: int
    shape: tuple[int, int]
    sha256: str


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image on both grids.

    Attributes
    ----------
    fine : ndarray of float32, (2 H, 2 W)
        Signal in [0, 1] on the scan grid.
    coarse : ndarray of float32, (H, W)
        Signal of half the resolution.
    pixel_size_nm : float or None
        Of the fine grid.
    sha256 : str
        Of the fine signal.
    specimen : Specimen or None
        Specimen that was drawn; None for files.
    """

    fine: Image
    coarse: Image
    pixel_size_nm: float | None
    sha256: str
    specimen: Specimen | None = None


def synthetic_images(count: int, size: int, progress: Callable[[], None] | None = None) -> list[ImageSource]:
    """The first images of the synthetic test set.

    Parameters
    ----------
    count : int
        At least 0; the paper takes 45.
    size : int
        Rows and columns, even, at least 8; the paper takes 1024.
    progress : callable, optional
        Called after each image.

    Raises
    ------
    UsageError
        When a number is out of range.
    """
    if count < 0:
        raise UsageError(f"expected a number of synthetic images of at least 0, got {count}; the paper takes 45")
    if size < 8 or size % 8:
        raise UsageError(f"expected a size that is a multiple of 8, the side of a block, got {size}; take 1024")
    return [described("synthetic", f"synthetic-{index:03d}", str(index), size, progress) for index in range(count)]


def folder_images(
    folder: Path,
    names: Sequence[str] = (),
    size: int = 512,
    progress: Callable[[], None] | None = None,
) -> tuple[list[ImageSource], list[str]]:
    """The images of a folder that can serve as truth.

    Parameters
    ----------
    names : sequence of str
        File names without suffix; all by default.
    size : int
        Rows and columns of their corners at most, above 0.
    progress : callable, optional
        Called after each image.

    Returns
    -------
    list of str
        Why others were left out, one sentence each.

    Raises
    ------
    InputNotFoundError
        When there is no such folder.
    UsageError
        When a name is missing in it, or no image is left.
    """
    if size < 1:
        raise UsageError(f"expected a corner of at least 1 pixel, got {size}; the paper takes 512")
    files = image_paths(folder)
    stems = [file.stem for file in files]
    for name in names:
        if name not in stems:
            raise UsageError(f"expected names of images in {str(folder)!r}, got {name!r}; leave out folder and suffix")
    wanted = [file for file in files if not names or file.stem in names]
    found, left_out = [], [] if names else _no_pictures(folder)
    for file in wanted:
        name = file.stem if stems.count(file.stem) == 1 else file.name
        try:
            found.append(described("real", name, str(file.resolve()), size, progress))
        except StemscanError as problem:
            left_out.append(f"{file.name} was left out: {problem}")
    if not found:
        why = left_out[0] if left_out else "none is there by its suffix; name another folder"
        raise UsageError(f"expected at least one usable image in {str(folder)!r}, got none; {why}")
    return found, left_out


def _no_pictures(folder: Path) -> list[str]:
    """A sentence on the files that are no pictures, where there are any."""
    others = [file.name for file in image_paths(folder, others=True)]
    if not others:
        return []
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return [f"left out {counted(len(others), 'file')} of no format of pictures: {', '.join(others[:5])}{more}"]


def described(kind: Set, name: str, place: str, size: int, progress: Callable[[], None] | None) -> ImageSource:
    """Draw or read an image for its digest."""
    image = _load(kind, place, size)
    rows, columns = image.fine.shape
    source = ImageSource(kind, name, place, size, (rows, columns), image.sha256)
    if progress is not None:
        progress()
    return source


@lru_cache(maxsize=2)
def loaded(source: ImageSource) -> LoadedImage:
    """Draw or read an image; the last ones are kept.

    Raises
    ------
    SpecimenError
        When it is not the image it was when it was listed.
    """
    image = _load(source.set, source.place, source.size)
    if image.sha256 != source.sha256:
        raise SpecimenError(
            f"expected image {source.name!r} as it was when the evaluation began, got another at {source.place!r}; "
            "do not change images meanwhile, and show all workers the same folder"
        )
    return image


def _load(kind: Set, place: str, size: int) -> LoadedImage:
    """Draw or read an image."""
    if kind != "real":
        if kind == "synthetic":
            drawn = synthetic_specimen((size, size), seed=TEST_SEED, index=int(place))
        else:
            drawn = render_crystal(place, (size, size), pixel_size_nm=COLUMNS_PIXEL_NM)
        half = size // 2
        coarse = drawn.signal.reshape(half, 2, half, 2).mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
        return LoadedImage(drawn.signal, coarse, drawn.pixel_size_nm, drawn.sha256, drawn)
    corner = load_corner(place, size)
    fine = resample_specimen(corner, (2 * corner.shape[0], 2 * corner.shape[1]))
    return LoadedImage(fine.signal, corner.signal, fine.pixel_size_nm, fine.sha256)
