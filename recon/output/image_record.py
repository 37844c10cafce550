"""The record that a reconstruction's TIFF or PNG carries, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stemscan.errors import StoreError, refusal

__all__ = ["read_image_record"]


def read_image_record(path: str | Path) -> dict[str, Any]:
    """Read what `write_reconstruction` wrote about an image into its TIFF or PNG.

    Parameters
    ----------
    path : str or Path
        Ends in ``.tif``, ``.tiff`` or ``.png``.

    Returns
    -------
    dict
        As `stemscan.recon.output.record_of` gives it.

    Raises
    ------
    StoreError
        When the file is damaged, or was not written by this project.
    """
    path = Path(path)
    try:
        record = json.loads(_png_text(path) if path.suffix.lower() == ".png" else _tiff_text(path))
    except Exception as problem:  # readers of damaged files raise whatever they stumble over
        if isinstance(problem, OSError) and problem.errno:
            raise StoreError(f"expected to read {str(path)!r}, got: {refusal(problem)}") from problem
        raise _no_record(path) from problem
    if not isinstance(record, dict) or record.get("kind") != "reconstruction":
        raise _no_record(path)
    return record


def _no_record(path: Path) -> StoreError:
    """The error for anything else."""
    return StoreError(f"expected a reconstruction by stemscan, got {str(path)!r}, which has no record of one")


def _tiff_text(path: Path) -> str:
    """ImageJ's free text, or the description of an OME-TIFF's image."""
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        if tiff.ome_metadata is not None:
            return ElementTree.fromstring(tiff.ome_metadata).findtext("{*}Image/{*}Description") or ""
        return str((tiff.imagej_metadata or {})["Info"])


def _png_text(path: Path) -> str:
    """The comment."""
    from PIL import Image

    with Image.open(path) as image:
        return str(image.info["Comment"])
