"""Pixel sizes in TIFF files, wherever the program that wrote them puts them.

OME-XML, ImageJ, DigitalMicrograph, FEI and Thermo Fisher, Zeiss, TVIPS, Olympus SIS, Tescan, JEOL SightX, and the
resolution of plain tags where it can be that of a microscope.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

from stemscan.files.pixel_size import Sizes, nanometres, pixel_size
from stemscan.files.tiff_names import ome_images

__all__ = ["pixel_size_of"]

_UNKNOWN: Sizes = (None, ())
_LARGEST_BY_RESOLUTION_NM = 1000.0
_TESCAN, _SIS = 50431, (33560, 33471)


def pixel_size_of(tiff: Any, page: Any, number: int) -> Sizes:
    """Pixel size of a page, which is in the series of a number, by the first of the programs that states one."""
    warnings: tuple[str, ...] = ()
    for source in _SOURCES:
        with suppress(KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError):
            size, said = _from_ome(tiff, number) if source is None else source(tiff, page)
            if size is not None:
                return size, ()
            warnings += said
    return None, tuple(dict.fromkeys(warnings))


def _from_ome(tiff: Any, number: int) -> Sizes:
    """PhysicalSizeY and X of the image of a number in OME-XML; micrometres unless it says otherwise."""
    images = ome_images(tiff)
    if not images:
        return _UNKNOWN
    if number >= len(images):
        return None, ("its pictures cannot be told apart in its OME-XML: its pixel size is taken as unknown",)
    pixels = next(one for one in images[number] if one.tag.split("}")[-1] == "Pixels")

    def size(axis: str) -> tuple[Any, Any]:
        return pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")

    return pixel_size(size("Y"), size("X"))


def _from_imagej(tiff: Any, page: Any) -> Sizes:
    """ImageJ: the resolution tags count pixels per named unit."""
    if not tiff.is_imagej:
        return _UNKNOWN
    unit = (tiff.imagej_metadata or {}).get("unit")
    return pixel_size((_per_pixel(page, "YResolution"), unit), (_per_pixel(page, "XResolution"), unit))


def _from_dm(tiff: Any, page: Any) -> Sizes:
    """DigitalMicrograph's own tags, which RosettaSciIO writes as well: x first."""
    tags = [page.tags.get(code) for code in (65010, 65004, 65009, 65003)]
    if None in tags:
        return _UNKNOWN
    values = [str(tag.value).strip("\0 ") if number % 2 else tag.value for number, tag in enumerate(tags)]
    return pixel_size((values[0], values[1]), (values[2], values[3]))


def _from_fei(tiff: Any, page: Any) -> Sizes:
    """FEI and Thermo Fisher SEM: metres, by names of its sections."""
    for section in (tiff.fei_metadata or {}).values():
        if isinstance(section, dict) and "PixelWidth" in section:
            return pixel_size((section["PixelHeight"], "m"), (section["PixelWidth"], "m"))
    return _UNKNOWN


def _from_zeiss(tiff: Any, page: Any) -> Sizes:
    """Zeiss SmartSEM: metres for a display of 1024 columns, else the named value with its unit."""
    metadata = tiff.sem_metadata
    if not metadata:
        return _UNKNOWN
    with suppress(KeyError, IndexError, TypeError, ValueError):
        metres = float(metadata[""][3]) * 1024 / page.imagewidth
        if metres > 0:
            return pixel_size((metres, "m"), (metres, "m"))
    _, size, unit = metadata.get("ap_image_pixel_size") or metadata["ap_pixel_size"]
    return pixel_size((size, unit), (size, unit))


def _from_tvips(tiff: Any, page: Any) -> Sizes:
    """TVIPS cameras: nanometres."""
    metadata = tiff.tvips_metadata
    if not metadata:
        return _UNKNOWN
    return pixel_size((metadata["PixelSizeY"], "nm"), (metadata["PixelSizeX"], "nm"))


def _from_sis(tiff: Any, page: Any) -> Sizes:
    """Olympus SIS: metres."""
    for code in _SIS:
        value = page.tags[code].value if code in page.tags else None
        if isinstance(value, dict) and "pixelsizex" in value:
            return pixel_size((value["pixelsizey"], "m"), (value["pixelsizex"], "m"))
    return _UNKNOWN


def _from_tescan(tiff: Any, page: Any) -> Sizes:
    """Tescan: metres, in lines of text within a tag."""
    if _TESCAN not in page.tags:
        return _UNKNOWN
    value = page.tags[_TESCAN].value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    found = dict(re.findall(r"(PixelSize[XY])\s*=\s*([-+.0-9eE]+)", text))
    return pixel_size((found["PixelSizeY"], "m"), (found["PixelSizeX"], "m"))


def _from_jeol(tiff: Any, page: Any) -> Sizes:
    """JEOL SightX: resolution of the sensor over the magnification, of pictures taken in imaging mode."""
    make = page.tags.get("Make")
    if make is None or str(make.value).strip("\0 ") != "JEOL Ltd.":
        return _UNKNOWN
    try:
        report = ElementTree.fromstring(re.sub(r"[\r\n\t\x00\x01]", "", page.description))
    except ElementTree.ParseError:
        return _UNKNOWN
    named = {one.tag: (one.text or "").strip() for one in report.iter()}
    if named.get("EosMode") != "eosTEM" or named.get("ModeString") != "MAG":
        return _UNKNOWN
    magnification, unit = float(named["SelectorValue"]), _resolution_unit(page)

    def size(tag: str) -> tuple[Any, Any]:
        per_pixel = _per_pixel(page, tag)
        return (None if per_pixel is None else per_pixel / magnification), unit

    return pixel_size(size("YResolution"), size("XResolution"))


def _from_resolution(tiff: Any, page: Any) -> Sizes:
    """Plain resolution tags, where they are those of a microscope and not of a printer."""
    if tiff.is_imagej:
        return _UNKNOWN
    unit = _resolution_unit(page)
    rows, columns = (nanometres(_per_pixel(page, tag), unit) for tag in ("YResolution", "XResolution"))
    if rows is None or columns is None or max(rows, columns) > _LARGEST_BY_RESOLUTION_NM:
        return _UNKNOWN
    return pixel_size((rows, "nm"), (columns, "nm"))


def _resolution_unit(page: Any) -> str | None:
    """Unit of the resolution tags."""
    tag = page.tags.get("ResolutionUnit")
    return {2: "inch", 3: "cm"}.get(int(tag.value)) if tag is not None else None


def _per_pixel(page: Any, name: str) -> float | None:
    """The reciprocal of a resolution tag."""
    tag = page.tags.get(name)
    if tag is None:
        return None
    numerator, denominator = tag.value
    return denominator / numerator if numerator else None


_SOURCES: tuple[Callable[[Any, Any], Sizes] | None, ...] = (
    None,  # OME, which needs the number
    _from_imagej,
    _from_dm,
    _from_fei,
    _from_zeiss,
    _from_tvips,
    _from_sis,
    _from_tescan,
    _from_jeol,
    _from_resolution,
)
