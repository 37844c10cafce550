"""Pictures from Zarr: OME-Zarr images, our own stores and reconstructions among them, HyperSpy's zspy, plain arrays."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from stemscan.errors import DataError
from stemscan.files.hierarchies import hyperspy_signals, plain_signal
from stemscan.files.images import Loaded, Signal
from stemscan.files.limits import check_claim
from stemscan.files.pixel_size import Sizes, pixel_size

__all__ = ["open_zarr"]


@contextmanager
def open_zarr(path: Path) -> Iterator[Sequence[Signal]]:
    """Open the images of a folder or archive as signals: channels are signals, time and depth are frames."""
    with _store(path) as (store, stored):
        root = zarr.open(store=store, mode="r")
        if isinstance(root, zarr.Array):
            plain = plain_signal(root, "", stored, str(path))
            yield [] if plain is None else [plain]
            return
        if "Experiments" in root:
            yield hyperspy_signals(root, stored, str(path))
            return
        signals = [one for image in _multiscales(root) for one in _signals(*image, stored, str(path))]
        if not signals:
            found = [plain_signal(array, name, stored, str(path)) for name, array in root.arrays()]
            signals = [one for one in found if one is not None]
        if not signals:
            raise DataError(
                "expected an OME-Zarr image, a zspy file or arrays of two or more dimensions, got none in "
                f"{str(path)!r}"
            )
        yield signals


@contextmanager
def _store(path: Path) -> Iterator[tuple[Any, int]]:
    """Store of a folder or archive, and its bytes."""
    if path.is_dir():
        yield str(path), sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            check_claim(info.file_size, info.compress_size, str(path), plain=info.compress_type == zipfile.ZIP_STORED)
    store = zarr.storage.ZipStore(path, mode="r")
    try:
        yield store, path.stat().st_size
    finally:
        store.close()


def _multiscales(root: Any) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Group, multiscale and the attributes around it, of every image of a group, its series (bioformats2raw) too."""
    attributes = dict(root.attrs)
    ome = attributes.get("ome", attributes)
    if isinstance(ome, dict):
        for one in ome.get("multiscales") or []:
            yield root, one, ome
        if "bioformats2raw.layout" in ome:
            for name, group in root.groups():
                if name.isdecimal():
                    yield from _multiscales(group)


def _signals(group: Any, image: dict[str, Any], ome: dict[str, Any], stored: int, file: str) -> Iterator[Signal]:
    """A signal for each channel of an image, of its full resolution."""
    dataset = image["datasets"][0]
    array = group[dataset["path"]]
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes") or "tczyx"[-array.ndim :]]
    names = [str(axis.get("name", "")).casefold() for axis in axes]
    if len(names) != array.ndim or sorted(names[-2:]) != ["x", "y"] or names[-1] != "x":
        raise DataError(f"expected an image whose last axes are y and x, got {names} in {file!r}")
    size, warnings = _pixel_size(axes, dataset, image)
    channel = names.index("c") if "c" in names else None
    labels = [str(one.get("label", "")) for one in (ome.get("omero") or {}).get("channels") or []]
    title = str(image.get("name") or "").strip("/ ")
    for number in range(1 if channel is None else array.shape[channel]):
        label = labels[number] if channel is not None and number < len(labels) else ""
        name = label or (
            f"{title} channel {number}".strip() if channel is not None and array.shape[channel] > 1 else title
        )
        yield _one_channel(array, name, channel, number, size, warnings, stored, file)


def _one_channel(
    array: Any,
    name: str,
    channel: int | None,
    number: int,
    size: Any,
    warnings: tuple[str, ...],
    stored: int,
    file: str,
) -> Signal:
    """The frames of one channel."""
    stack = tuple(int(extent) for at, extent in enumerate(array.shape[:-2]) if at != channel)

    def load(frame: int) -> Loaded:
        place = [int(at) for at in np.unravel_index(frame, stack)] if stack else []
        if channel is not None:
            place.insert(channel, number)
        check_claim(math.prod(array.shards or array.chunks) * array.dtype.itemsize, stored, file)
        return np.asarray(array[tuple(place)]), ()

    rows, columns = (int(extent) for extent in array.shape[-2:])
    return Signal(load, (rows, columns), array.dtype.itemsize * rows * columns, stack, name, size, warnings)


def _pixel_size(axes: list[dict[str, Any]], dataset: dict[str, Any], image: dict[str, Any]) -> Sizes:
    """Product of the scales of an image and of its full resolution, in the units of its axes."""
    scales = [1.0, 1.0]
    for transform in (dataset.get("coordinateTransformations") or []) + (image.get("coordinateTransformations") or []):
        if transform.get("type") == "scale":
            scales = [have * float(more) for have, more in zip(scales, transform["scale"][-2:], strict=True)]
    return pixel_size((scales[0], axes[-2].get("unit")), (scales[1], axes[-1].get("unit")))
