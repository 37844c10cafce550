"""Names of the pictures in a TIFF file, from OME-XML or ImageJ."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

__all__ = ["names_of", "ome_images"]


def ome_images(tiff: Any) -> list[Any]:
    """Elements Image of the OME-XML of an open file, in order; none where there is none that can be read."""
    text = tiff.ome_metadata
    if not text:
        return []
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return []
    return [one for one in root if one.tag.split("}")[-1] == "Image"]


def names_of(tiff: Any, series: int) -> list[list[str]]:
    """For each of so many series its name, or the names of its frames where they have names of their own."""
    images = ome_images(tiff)
    if len(images) == series:
        return [_ome_names(image) for image in images]
    labels = (tiff.imagej_metadata or {}).get("Labels")
    if series == 1 and labels and len(set(labels)) == len(labels) > 1:
        return [[str(label) for label in labels]]
    return [[""]] * series


def _ome_names(image: Any) -> list[str]:
    """Name of an OME image, or of its channels where it has named ones and nothing but them."""
    channels = [one.get("Name") for one in image.iter() if one.tag.split("}")[-1] == "Channel"]
    pixels = next((one for one in image.iter() if one.tag.split("}")[-1] == "Pixels"), None)
    alone = pixels is not None and pixels.get("SizeT", "1") == "1" and pixels.get("SizeZ", "1") == "1"
    if alone and len(channels) > 1 and all(channels):
        return [str(name) for name in channels]
    return [str(image.get("Name") or "")]
