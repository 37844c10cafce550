"""The record of a reconstruction: what is written of it beside its image, and read back from files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

import numpy as np

from stemscan import __version__
from stemscan.errors import MissingDependencyError, StoreError, refusal
from stemscan.objects.path import as_path
from stemscan.recon.output.hyperspy import read_record_text

if TYPE_CHECKING:
    from stemscan.recon.contradiction.contradiction import Place
    from stemscan.recon.metrics import Metrics
    from stemscan.recon.reconstruction import Reconstruction

__all__ = ["RECORDED", "SCHEMA", "contradictions", "plain", "read_image_record", "record", "record_of"]

SCHEMA: Final = 1

_PLACES: Final = 100


def record_of(reconstruction: Reconstruction, metrics: Metrics | None = None) -> dict[str, Any]:
    """The record of a reconstruction as plain data for JSON.

    Returns
    -------
    dict
        ``schema``, ``kind``, ``version``, ``method``, ``settings``, ``shape``, ``factor``, ``native_factor``,
        ``pixel_size_nm``, ``source`` (with the digests of store and plan), ``contradictions`` (or None; ``count``,
        ``threshold``, ``width`` of the kernel in pixels of the image, ``places``: row, column and z of the worst 100),
        ``metrics`` (or None). Numbers that JSON does not know (NaN, infinity) are None. No times, so that two equal
        runs write the same bytes.
    """
    checked = reconstruction.checked
    return record(
        method=reconstruction.method,
        settings=reconstruction.settings,
        shape=reconstruction.image.shape,
        factor=reconstruction.factor,
        native_factor=reconstruction.native_factor,
        pixel_size_nm=reconstruction.pixel_size_nm,
        source=reconstruction.source,
        contradictions=None if checked is None else contradictions(checked.threshold, checked.width, checked.places),
        metrics=None if metrics is None else metrics.to_dict(),
    )


def record(**fields: Any) -> dict[str, Any]:
    """The record with these fields, as `record_of` describes them."""
    made: dict[str, Any] = plain(
        {"schema": SCHEMA, "kind": "reconstruction", "version": __version__, **fields},
    )
    return made


def contradictions(threshold: float, width: float, places: Sequence[Place]) -> dict[str, Any]:
    """Number and places of contradictions, the worst first, and what they depend on."""
    return {
        "count": len(places),
        "threshold": round(threshold, 4),
        "width": round(width, 4),
        "places": [[row, col, round(z, 2)] for row, col, z in places[:_PLACES]],
    }


def plain(value: Any) -> Any:
    """Data as JSON can hold them: arrays as lists, None for NaN and infinity."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def read_image_record(path: str | Path) -> dict[str, Any]:
    """Read the record that `write_reconstruction` wrote into a TIFF, PNG or HyperSpy's form.

    Parameters
    ----------
    path : str or Path
        Ends in ``.tif``, ``.tiff``, ``.png``, ``.hspy`` or ``.zspy``.

    Returns
    -------
    dict
        As of `record_of`.

    Raises
    ------
    MissingDependencyError
        When h5py is not there for ``.hspy``.
    StoreError
        When the file is damaged, or was not written by this project.
    """
    path = as_path(path)
    try:
        record = json.loads(_READERS.get(path.suffix.lower(), _tiff_text)(path))
    except MissingDependencyError:
        raise
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

    with path.open("rb") as file, TiffFile(file) as tiff:
        if tiff.ome_metadata is not None:
            return ElementTree.fromstring(tiff.ome_metadata).findtext("{*}Image/{*}Description") or ""
        return str((tiff.imagej_metadata or {})["Info"])


def _png_text(path: Path) -> str:
    """The comment."""
    from PIL import Image

    with path.open("rb") as file, Image.open(file) as image:
        return str(image.info["Comment"])


_READERS: Final = {
    ".tif": _tiff_text,
    ".tiff": _tiff_text,
    ".png": _png_text,
    ".hspy": read_record_text,
    ".zspy": read_record_text,
}

RECORDED: Final = tuple(_READERS)
"""Suffixes of files that hold a record as text."""
