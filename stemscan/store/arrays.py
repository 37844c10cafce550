"""Arrays of a store, made and written chunk by chunk.

Chunks are compressed with Blosc (zstd, bit shuffle) and carry a CRC-32C; chunks of zeros are written like any other.
This module imports zarr: import it only when arrays are touched.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.sync import sync  # zarr has no public way into its own event loop, in which failed writes go on
from zarr.storage import MemoryStore

from stemscan.errors import StoreError
from stemscan.store.files import ROOT, sync_folder, writing
from stemscan.store.schema import DRAWN, ArraySpec
from stemscan.store.zarr_stores import reading, reading_store, settle, writing_store

__all__ = ["ArrayWriter", "check_metadata", "create_array"]

_LEVEL, _PICTURE_LEVEL = 5, 1
"""Effort of compression of the record, and of what is drawn from it: a quarter of the time for a seventh more bytes."""


def create_array(folder: Path, spec: ArraySpec) -> None:
    """Write the metadata of an array into the store `folder`."""
    root = folder / spec.path
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    store = writing_store(root)
    _create(store, spec)
    store.sync()
    sync_folder(root)


def check_metadata(folder: Path, spec: ArraySpec) -> None:
    """Refuse the metadata of an array that are not those that `create_array` writes, whatever attributes they have.

    Raises
    ------
    StoreError
        Naming the file and what differs.
    """
    where = folder / spec.path
    with reading(where):
        found = zarr.open_array(reading_store(where), mode="r", zarr_format=3).metadata.to_dict()
        wanted = _create(MemoryStore(), spec).metadata.to_dict()
    differ = [name for name in wanted if name != "attributes" and _told(found.get(name)) != _told(wanted[name])]
    if differ:
        raise StoreError(
            f"expected {differ[0]} {wanted[differ[0]]} in {str(where / ROOT)!r}, got {found.get(differ[0])}; restore "
            "it from a copy"
        )


def _told(metadata: Any) -> str:
    """Metadata as text, without the effort of compression, which readers need not know and older stores had higher."""
    return re.sub(r"'clevel': \d", "'clevel': any", str(metadata))


def _create(store: Store, spec: ArraySpec) -> zarr.Array[Any]:
    """Make an array in a zarr store."""
    level = _PICTURE_LEVEL if spec.path in DRAWN else _LEVEL
    codecs = BloscCodec(cname="zstd", clevel=level, shuffle="bitshuffle", typesize=spec.dtype.itemsize), Crc32cCodec()
    return zarr.create_array(
        store,
        shape=spec.shape,
        chunks=spec.chunks,
        dtype=spec.dtype,
        filters=None,
        compressors=codecs,
        fill_value=0,
        dimension_names=spec.dimension_names,
    )


class ChunkSink(Protocol):
    """Taker of every chunk that is written for good."""

    def put(self, name: str, index: tuple[int, ...], values: NDArray[Any]) -> None:
        """Take the chunk at `index` of an array."""
        ...


class ArrayWriter:
    """Writes whole chunks of one array.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    digests : ChunkSink, optional
        Notes the digest of every chunk that is written, unless told otherwise.
    """

    def __init__(self, folder: Path, spec: ArraySpec, digests: ChunkSink | None = None) -> None:
        self._spec, self._digests = spec, digests
        self._store = writing_store(folder / spec.path)
        with reading(folder / spec.path):
            array = zarr.open_array(self._store, mode="r+", zarr_format=3)
        self._array = array.with_config({"write_empty_chunks": True})

    def write(self, origin: tuple[int, ...], values: NDArray[Any], *, last: bool = True) -> None:
        """Write `values` with its first element at `origin`; it must cover whole chunks or reach the array's end.

        Without `last` the chunks are to be written again, and have no digest yet.
        """
        region = tuple(slice(at, at + size) for at, size in zip(origin, values.shape, strict=True))
        try:
            self._array[region] = values
        except BaseException:
            sync(settle())
            raise
        if self._digests is not None and last:
            for index, place in self._spec.chunks_of(origin, values.shape):
                self._digests.put(self._spec.path, index, values[place])

    def sync(self) -> None:
        """Make what was written last beyond a power failure."""
        self._store.sync()
