"""Pictures from TIFF files of any kind, by tifffile; compressions beyond deflate and PackBits by imagecodecs.

Each page, and each series of pages of one shape, is a stack of frames. What a file says of the meaning of its numbers
(palette, white at zero, orientation) is applied by the rules of `stemscan.files.meaning`, whatever the compression.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile

from stemscan.errors import DataError, MissingDependencyError, StemscanError
from stemscan.files.images import Loaded, Signal
from stemscan.files.limits import check_claim, check_size
from stemscan.files.meaning import brighter_is_more, swaps_axes, upright, with_palette
from stemscan.files.tiff_names import names_of
from stemscan.files.tiff_pages import check_pages
from stemscan.files.tiff_sizes import pixel_size_of
from stemscan.types import Array
from stemscan.units import counted

__all__ = ["open_tiff"]

_UNCOMPRESSED = 1
_ORIENTATION, _EXTRA_SAMPLES = 274, 338
_KINDS = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR", "MASK")


@contextmanager
def open_tiff(path: Path) -> Iterator[Sequence[Signal]]:
    """Open the series of a file as signals; reduced copies of a picture are none."""
    check_pages(path)
    with TiffFile(path) as tiff:
        series = [one for one in tiff.series if not one.keyframe.is_reduced] or list(tiff.series)
        names = names_of(tiff, len(series))
        signals: list[Signal] = []
        for number, one in enumerate(series):
            signals += _signals(tiff, one, names[number], number, path)
        yield signals


def _signals(tiff: TiffFile, series: Any, names: list[str], number: int, path: Path) -> list[Signal]:
    """Signals of a series: one, or one a channel where it has several channels of one shape that have names."""
    page = series.keyframe
    if page.photometric.name not in _KINDS:
        raise DataError(
            f"expected grey, red-green-blue or palette pixels, got {page.photometric.name} in {str(path)!r}; save it "
            "as one of these"
        )
    sizes = dict(zip(series.axes, series.shape, strict=True))
    if "Y" not in sizes or "X" not in sizes:
        raise DataError(f"expected pictures, got an array with axes {series.axes} in {str(path)!r}")
    rows, columns = int(sizes["Y"]), int(sizes["X"])
    orientation = _tag(page, _ORIENTATION, 1)
    pixel, warnings = pixel_size_of(tiff, page, number)
    if swaps_axes(orientation):
        rows, columns = columns, rows
        pixel = None if pixel is None else (pixel[1], pixel[0])
    axes = [axis for axis in series.axes if axis not in ("YX" if _are_frames(page) else "YXS")]
    stack = tuple(int(sizes[axis]) for axis in axes)
    samples = 1 if _are_frames(page) else int(sizes.get("S", 1))
    frame_bytes = rows * columns * samples * (page.dtype.itemsize if page.dtype is not None else 1)
    if page.photometric.name == "PALETTE":
        frame_bytes = rows * columns * 6
    held: list[Array] = []

    def load(frame: int) -> Loaded:
        values = _decoded(series, frame, axes, stack, held, path)
        values, notes = _meaning(values, page, path)
        values, turned = upright(values, orientation)
        return values, notes + turned

    whole = Signal(load, (rows, columns), frame_bytes, stack, names[0] if len(names) == 1 else "", pixel, warnings)
    if len(names) == 1 or len(names) != math.prod(stack):
        return [whole]
    return [
        Signal(lambda _, at=at: load(at), whole.size, frame_bytes, (), name, pixel, warnings)  # type: ignore[misc]
        for at, name in enumerate(names)
    ]


def _tag(page: Any, code: int, default: int) -> int:
    """First number of a tag."""
    tag = page.tags.get(code)
    value = default if tag is None else tag.value
    value = value[0] if isinstance(value, tuple) and value else value
    return int(value) if isinstance(value, int) else default


def _are_frames(page: Any) -> bool:
    """Tell whether the samples of a pixel are pictures of their own: grey ones, beyond a channel of opacity."""
    if page.samplesperpixel < 2 or page.photometric.name not in ("MINISBLACK", "MINISWHITE"):
        return False
    tag = page.tags.get(_EXTRA_SAMPLES)
    kinds = () if tag is None else tag.value if isinstance(tag.value, tuple) else (tag.value,)
    return not (page.samplesperpixel == 2 and any(int(kind) in (1, 2) for kind in kinds))


def _decoded(series: Any, frame: int, axes: list[str], stack: tuple[int, ...], held: list[Array], path: Path) -> Array:
    """Pixels of a frame as (H, W) or (H, W, samples); series that are stored in one piece are kept whole in `held`."""
    if not held and len(series.pages) == math.prod(stack) and "S" not in axes:
        page = series.pages[frame]
        if page is None:
            raise DataError(
                f"expected all frames of a file, got none of number {frame} in {str(path)!r}; copy it whole"
            )
        _check_segments(page, path)
        values = _by_library(page, path)
        kept = "".join(axis for axis in series.keyframe.axes if axis in "YXS")
    else:
        if not held:
            _check_segments(series.keyframe, path)
            plain = series.keyframe.compression == _UNCOMPRESSED
            check_claim(
                int(series.nbytes), path.stat().st_size, str(path), plain=plain and _is_whole_bytes(series.keyframe)
            )
            check_size(math.prod(series.shape), 1, str(path))
            held.append(_by_library(series, path))
        values = held[0]
        place = dict(zip(axes, np.unravel_index(frame, stack) if stack else (), strict=True))
        values = values[tuple(place.get(axis, slice(None)) for axis in series.axes)]
        kept = "".join(axis for axis in series.axes if axis not in place)
    return np.moveaxis(values, kept.index("S"), -1) if "S" in kept else values


def _by_library(source: Any, path: Path) -> Array:
    """Pixels of a page or series; a compression that cannot be decoded here is named."""
    try:
        return np.asarray(source.asarray(maxworkers=1))
    except StemscanError:
        raise
    except (ValueError, ImportError, NotImplementedError) as problem:
        page = getattr(source, "keyframe", source)
        if "imagecodecs" not in str(problem):
            raise
        packed = page.bitspersample if page.bitspersample not in (1, 8, 16, 32, 64) else None
        what = f"{packed} bits a sample" if packed else f"{page.compression.name} compression"
        raise MissingDependencyError(
            f"expected the package imagecodecs for {what} in {str(path)!r}, got none that can, do pip install "
            '"stemscan[files]", or save the picture uncompressed'
        ) from problem


def _is_whole_bytes(page: Any) -> bool:
    """Tell whether samples are stored as they are in memory."""
    return page.bitspersample in (8, 16, 32, 64, 128)


def _check_segments(page: Any, path: Path) -> None:
    """Compare the strips or tiles of a page with the size of the file."""
    length = page.parent.filehandle.size
    keyframe = page.keyframe
    offsets, counts = tuple(page.dataoffsets), tuple(page.databytecounts)
    if any(
        offset < 0 or count < 0 or (count and offset + count > length)
        for offset, count in zip(offsets, counts, strict=False)
    ):
        raise DataError(f"expected a whole file, got {str(path)!r}, which is shortened or damaged; copy it again")
    stored = sum(counts)
    itemsize = keyframe.dtype.itemsize if keyframe.dtype is not None else 1
    tile = itemsize * math.prod(keyframe.tile) * keyframe.samplesperpixel if keyframe.is_tiled else 0
    plain = keyframe.compression == _UNCOMPRESSED and _is_whole_bytes(keyframe) and 0 not in counts
    claimed = itemsize * math.prod(keyframe.shape)
    check_claim(claimed, stored, str(path), plain=plain)
    check_claim(tile, stored, str(path))


def _meaning(values: Array, page: Any, path: Path) -> Loaded:
    """Apply what a page says of its numbers."""
    kind = page.photometric.name
    if kind == "PALETTE":
        if page.colormap is None or values.dtype.kind != "u":
            raise DataError(f"expected a palette for the indices in {str(path)!r}, got none; save it in grey")
        return with_palette(values, page.colormap)
    if kind == "MINISWHITE":
        return brighter_is_more(values, page.bitspersample)
    if values.ndim == 3 and values.shape[2] > 4:
        raise DataError(
            f"expected grey or red-green-blue pixels, got {counted(values.shape[2], 'sample')} per pixel ({kind}) "
            f"in {str(path)!r}"
        )
    if kind == "YCBCR" and page.compression.name not in ("JPEG", "OJPEG", "JPEG_LOSSY", "ALT_JPEG"):
        raise DataError(f"expected red-green-blue pixels, got YCbCr without JPEG in {str(path)!r}; save it as RGB")
    return values, ()
