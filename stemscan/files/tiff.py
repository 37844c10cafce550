"""Pictures from TIFF files, with the pixel size that ImageJ, OME, DigitalMicrograph, FEI or plain tags state."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile

from stemscan.errors import SpecimenError
from stemscan.files.read import Picture, check_size, locate, pick_frame, read_with_pillow
from stemscan.units import counted

__all__ = ["nanometres", "read_tiff"]

# What is wrong with a file is said in one sentence; the library's log goes to those who asked for logs, not to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_UNITS: Final = {
    "m": 1e9,
    "cm": 1e7,
    "mm": 1e6,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "å": 0.1,
    "a": 0.1,
    "ang": 0.1,
    "angstrom": 0.1,
    "pm": 1e-3,
    "inch": 2.54e7,
}
_LARGEST_PIXEL_NM: Final = 1000.0


def nanometres(size: Any, unit: Any) -> float | None:
    """A length in nanometres; None where size or unit say nothing that can be one."""
    try:
        factor = _UNITS[str(unit).strip().replace("\\u00B5", "µ").casefold()]
        value = float(size) * factor
    except (KeyError, TypeError, ValueError):
        return None
    return value if 0 < value < math.inf else None


def read_tiff(path: Path, frame: int | None) -> Picture:
    """Read one picture of a TIFF file; see `stemscan.files.read.read_picture`."""
    with TiffFile(path) as tiff:
        series = [one for one in tiff.series if not one.keyframe.is_reduced] or list(tiff.series)
        counts = [_frames(one) for one in series]
        number = pick_frame(sum(counts), frame, path)
        which, inside = locate(counts, number)
        one = series[which]
        check_size(one.sizes.get("height", 0), one.sizes.get("width", 0), path)
        size = _pixel_size(tiff, one.keyframe)
        try:
            values, notes = _decoded(one, inside, counts[which], path)
        except (ValueError, ImportError) as problem:
            if isinstance(problem, ValueError) and "imagecodecs" not in str(problem):
                raise
            values, notes = read_with_pillow(path, one.pages[inside].index).values, ()
    return Picture(values, sum(counts), number, size, notes)


def _frames(series: Any) -> int:
    """Number of pictures in a series; the samples of a pixel are none."""
    return int(
        np.prod([n for n, axis in zip(series.shape, series.axes, strict=True) if axis not in "YXS"], dtype=np.int64)
    )


def _decoded(series: Any, number: int, frames: int, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pixels of a frame as (H, W) or (H, W, samples), grey meaning that more is brighter."""
    axes = series.axes
    if len(series.pages) == frames:
        page = series.pages[number]
        values = page.asarray()
        axes = "".join(axis for axis in axes if axis in "YXS")
    else:
        check_size(int(np.prod(series.shape, dtype=np.int64)), 1, path)
        values = series.asarray()
        order = [axes.index(axis) for axis in axes if axis not in "YXS"]
        place = np.unravel_index(number, [series.shape[axis] for axis in order]) if order else ()
        for axis, index in sorted(zip(order, place, strict=True), reverse=True):
            values = np.take(values, index, axis=axis)
        axes = "".join(axis for axis in axes if axis in "YXS")
    if "S" in axes:
        values = np.moveaxis(values, axes.index("S"), -1)
    return _as_brightness(values, series.keyframe, path)


def _as_brightness(values: NDArray[Any], page: Any, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Undo what a page says of the meaning of its numbers: palette, or white at zero."""
    kind = page.photometric.name
    if kind == "PALETTE" and page.colormap is not None:
        return np.moveaxis(page.colormap[:, values], 0, -1), ("palette applied",)
    if kind == "MINISWHITE" and values.dtype.kind in "bu":
        top = True if values.dtype.kind == "b" else (1 << page.bitspersample) - 1
        inverted = ~values if values.dtype.kind == "b" else (top - values).astype(values.dtype)
        return inverted, ("inverted, because the file says that zero is white",)
    if values.ndim == 3 and (kind not in ("RGB", "MINISBLACK", "YCBCR") or values.shape[2] > 4):
        raise SpecimenError(
            f"expected grey or red-green-blue pixels, got {counted(values.shape[2], 'sample')} a pixel ({kind}) "
            f"in {str(path)!r}"
        )
    return values, ()


def _pixel_size(tiff: TiffFile, page: Any) -> tuple[float, float] | None:
    """Distance of rows and of columns in nm, from whichever metadata states it."""
    for source in (_from_ome, _from_imagej, _from_dm, _from_fei, _from_resolution):
        rows, columns = source(tiff, page)
        if rows is not None and columns is not None:
            return rows, columns
    return None


_Sizes = tuple[float | None, float | None]


def _from_ome(tiff: TiffFile, page: Any) -> _Sizes:
    """PhysicalSizeY and X of the first image of OME-XML; micrometres unless it says otherwise."""
    head = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", tiff.ome_metadata or "")
    if head is None:
        return None, None
    named = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', head[0]))

    def size(axis: str) -> float | None:
        return nanometres(named.get(f"PhysicalSize{axis}"), named.get(f"PhysicalSize{axis}Unit", "µm"))

    return size("Y"), size("X")


def _from_imagej(tiff: TiffFile, page: Any) -> _Sizes:
    """ImageJ: the resolution tags count pixels per named unit."""
    unit = (tiff.imagej_metadata or {}).get("unit")
    return nanometres(_per_pixel(page, "YResolution"), unit), nanometres(_per_pixel(page, "XResolution"), unit)


def _from_dm(tiff: TiffFile, page: Any) -> _Sizes:
    """Gatan DigitalMicrograph's private tags: units 65003 and 65004, sizes 65009 and 65010."""

    def size(unit: int, scale: int) -> float | None:
        return nanometres(page.tags[scale].value, page.tags[unit].value)

    if not all(tag in page.tags for tag in (65003, 65004, 65009, 65010)):
        return None, None
    return size(65004, 65010), size(65003, 65009)


def _from_fei(tiff: TiffFile, page: Any) -> _Sizes:
    """FEI and Thermo Fisher: pixel width and height in metres."""
    scan = (tiff.fei_metadata or {}).get("Scan", {})
    return nanometres(scan.get("PixelHeight"), "m"), nanometres(scan.get("PixelWidth"), "m")


def _from_resolution(tiff: TiffFile, page: Any) -> _Sizes:
    """Plain resolution tags, unless they are those of a printer or screen."""
    tag = page.tags.get("ResolutionUnit")
    unit = {2: "inch", 3: "cm"}.get(int(tag.value)) if tag is not None and not tiff.is_imagej else None
    rows = nanometres(_per_pixel(page, "YResolution"), unit)
    columns = nanometres(_per_pixel(page, "XResolution"), unit)
    if rows is None or columns is None or max(rows, columns) > _LARGEST_PIXEL_NM:
        return None, None
    return rows, columns


def _per_pixel(page: Any, name: str) -> float | None:
    """Reciprocal of a resolution tag."""
    tag = page.tags.get(name)
    if tag is None:
        return None
    counted, unit = (tag.value if isinstance(tag.value, tuple) else (tag.value, 1))[:2]
    return unit / counted if counted else None
