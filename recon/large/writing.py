"""Files of reconstructions that are too large for memory: written part by part, in the format that the suffix names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stemscan import __version__
from stemscan.files.writing import write_file
from stemscan.recon.inputs.grids import bin_mean
from stemscan.recon.output.hyperspy import write_hspy, write_zspy
from stemscan.recon.output.record import contradictions, record
from stemscan.recon.output.tiff import Pages, write_ome_tiff, write_tiff
from stemscan.recon.output.zarr_image import place_folder, put_store
from stemscan.types import Image

if TYPE_CHECKING:
    from stemscan.recon.large.run import Tiled

__all__ = ["record_of_tiled", "write_tiled"]

_BAND: Final = 512
"""Rows that are copied at once."""

_DRAWN: Final = 2048
"""Longest side of a PNG, in pixels."""


def record_of_tiled(done: Tiled) -> dict[str, Any]:
    """The record, as `stemscan.recon.output.record.record_of` makes it."""
    return record(
        method=done.method,
        settings=done.settings,
        shape=done.folder.shape,
        factor=1,
        native_factor=1,
        pixel_size_nm=done.pixel_size_nm,
        source=done.source,
        contradictions=None if done.contradictions is None else contradictions(*done.contradictions),
        metrics=None if done.metrics is None else done.metrics.to_dict(),
    )


def write_tiled(done: Tiled, path: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Write a reconstruction; of the zarr form its folder is put in place.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    StemscanError
        As `stemscan.recon.output.writing.write_reconstruction`.
    """
    noted = record_of_tiled(done)
    if path.suffix.lower() == ".zarr":
        done.folder.finish(noted, pixel_size_nm=done.pixel_size_nm, factor=1)
        place_folder(done.folder.folder, path)
        return noted
    if path.suffix.lower() == ".zspy":
        put_store(path, lambda folder: write_zspy(_pages(done), noted, folder))
        return noted
    writer = next(one for suffix, one in _WRITERS.items() if path.name.lower().endswith(suffix))
    write_file(path, lambda temporary: writer(done, noted, temporary), overwrite=overwrite)
    return noted


def _bands(done: Tiled, name: str) -> Iterator[tuple[slice, slice, Image]]:
    """Parts of a map, a few rows and columns at a time."""
    rows, columns = (range(0, side, _BAND) for side in done.folder.shape)
    for top, left in product(rows, columns):
        part = slice(top, min(top + _BAND, rows.stop)), slice(left, min(left + _BAND, columns.stop))
        yield *part, done.folder.read(name, *part)


def _write_npy(done: Tiled, noted: Mapping[str, Any], path: Path) -> None:
    """The image alone."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f4", "fortran_order": False, "shape": done.folder.shape}
        )
    _fill(done, "image", path, path.stat().st_size)


def _fill(done: Tiled, name: str, path: Path, offset: int) -> None:
    """Write a map into a file, row after row from an offset on."""
    rows, columns = done.folder.shape
    for top in range(0, rows, _BAND):
        bottom = min(top + _BAND, rows)
        band = np.memmap(path, "<f4", "r+", offset + 4 * columns * top, (bottom - top, columns))
        for left in range(0, columns, _BAND):
            part = slice(left, min(left + _BAND, columns))
            band[:, part] = done.folder.read(name, slice(top, bottom), part)
        band.flush()
        del band


def _write_png(done: Tiled, noted: Mapping[str, Any], path: Path) -> None:
    """A grey picture of the image, reduced to what a screen shows."""
    from stemscan.recon.pictures.single import draw_picture

    text = {"Software": f"stemscan {__version__}", "Comment": json.dumps(noted)}
    factor = -(-max(done.folder.shape) // _DRAWN)
    small = np.zeros([-(-side // factor) for side in done.folder.shape], np.float32)
    step = _BAND // factor * factor
    for top, left in product(*(range(0, side, step) for side in done.folder.shape)):
        part = tuple(
            slice(first, min(first + step, side)) for first, side in zip((top, left), done.folder.shape, strict=True)
        )
        mean = bin_mean(done.folder.read("image", part[0], part[1]), factor)
        small[top // factor : top // factor + mean.shape[0], left // factor : left // factor + mean.shape[1]] = mean
    size = done.pixel_size_nm
    draw_picture(small, path, pixel_size_nm=None if size is None else size * factor, text=text)


def _pages(done: Tiled) -> Pages:
    """Maps as pages of a TIFF."""
    names = done.folder.names
    limits = {name: (done.totals[f"{name}_least"], done.totals[f"{name}_largest"]) for name in names}
    return Pages(names, done.folder.shape, limits, lambda name: _bands(done, name))


def _write_tiff(done: Tiled, noted: Mapping[str, Any], path: Path) -> None:
    """As ImageJ writes it."""
    write_tiff(_pages(done), noted, path)


def _write_ome_tiff(done: Tiled, noted: Mapping[str, Any], path: Path) -> None:
    """As OME-TIFF."""
    write_ome_tiff(_pages(done), noted, path)


def _write_hspy(done: Tiled, noted: Mapping[str, Any], path: Path) -> None:
    """As HyperSpy writes signals."""
    write_hspy(_pages(done), noted, path)


_WRITERS: Final[Mapping[str, Callable[[Tiled, Mapping[str, Any], Path], None]]] = {
    ".ome.tif": _write_ome_tiff,
    ".ome.tiff": _write_ome_tiff,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".hspy": _write_hspy,
    ".npy": _write_npy,
    ".png": _write_png,
}
