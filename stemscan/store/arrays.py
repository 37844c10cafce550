"""The zarr side of a store: arrays written durably and read without silent zeros.

Every array is a zarr store of its own folder, so that creating one writes nothing elsewhere. Chunks are compressed with
Blosc (zstd, bit shuffle) and carry a CRC-32C; chunks of zeros are written like any other, and a missing chunk is an
error when read. This module imports zarr: import it only when arrays are touched.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, Store
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.core.sync import sync  # zarr has no public way into its own event loop, in which failed writes go on
from zarr.storage import LocalStore, MemoryStore

from stemscan.errors import NO_THREAD, StemscanError, StoreError, is_out_of_threads, refusal
from stemscan.runtime.durable import patiently
from stemscan.runtime.memory import require_memory
from stemscan.store.files import ROOT, sync_folder, write_durably, writing
from stemscan.store.schema import PICTURES, ArraySpec, remedy

if TYPE_CHECKING:
    from stemscan.store.digests import ChunkChecks

__all__ = ["ArrayReader", "ArrayWriter", "Chunks", "SampleReader", "check_metadata", "create_array"]

Chunks = dict[tuple[int, ...], NDArray[Any]]
"""Decoded chunks of an array by their indices."""

_LEVEL, _PICTURE_LEVEL = 5, 1
"""Effort of compression of the record, and of what is drawn from it: a quarter of the time for a seventh more bytes."""

_SETTLING = "waiting for the rest of a failed write"


class _DurableStore(LocalStore):
    """Syncs every file before it gets its name, and remembers the folders that are still to be synced."""

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._unsynced: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        self._check_writable()
        path = self.root / key
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, value.to_bytes())
        folder = path.parent
        while folder not in self._unsynced:
            self._unsynced.add(folder)
            if folder == self.root:
                break
            folder = folder.parent

    def sync(self) -> None:
        """Bring the names of all files written so far to the disk."""
        while self._unsynced:
            sync_folder(self._unsynced.pop())


class _StrictStore(LocalStore):
    """Refuses to read a missing chunk as zeros."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        return self._present(key, await super().get(key, prototype, byte_range))

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        return self._present(key, super().get_sync(key, prototype=prototype, byte_range=byte_range))

    def _present(self, key: str, value: Buffer | None) -> Buffer | None:
        if value is None and key.startswith("c/"):
            where = self.root / key
            raise StoreError(f"expected a chunk at {str(where)!r}, got none; {remedy(where)}")
        return value


def create_array(folder: Path, spec: ArraySpec) -> None:
    """Write the metadata of an array into the store `folder`."""
    root = folder / spec.path
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    store = _DurableStore(root)
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
    with _reading(where):
        found = zarr.open_array(_StrictStore(where, read_only=True), mode="r").metadata.to_dict()
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
    level = _PICTURE_LEVEL if spec.path in PICTURES else _LEVEL
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
    spec : ArraySpec
    digests : ChunkSink, optional
        Notes the digest of every chunk that is written, unless told otherwise.
    """

    def __init__(self, folder: Path, spec: ArraySpec, digests: ChunkSink | None = None) -> None:
        self._spec, self._digests = spec, digests
        self._store = _DurableStore(folder / spec.path)
        with _reading(folder / spec.path):
            array = zarr.open_array(self._store, mode="r+")
        self._array = array.with_config({"write_empty_chunks": True})

    def write(self, origin: tuple[int, ...], values: NDArray[Any], *, last: bool = True) -> None:
        """Write `values` with its first element at `origin`; it must cover whole chunks or reach the array's end.

        Without `last` the chunks are to be written again, and have no digest yet.
        """
        region = tuple(slice(at, at + size) for at, size in zip(origin, values.shape, strict=True))
        try:
            self._array[region] = values
        except BaseException:
            sync(_settle())
            raise
        if self._digests is not None and last:
            for index, place in self._spec.chunks_of(origin, values.shape):
                self._digests.put(self._spec.path, index, values[place])

    def sync(self) -> None:
        """Make what was written last beyond a power failure."""
        self._store.sync()


class ArrayReader:
    """Reads one array, keeping the chunks that were decoded last.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    spec : ArraySpec
    checks : ChunkChecks, optional
        What was read is checked against; of an array of samples, as far as it is committed.
    """

    def __init__(self, folder: Path, spec: ArraySpec, checks: ChunkChecks | None = None) -> None:
        self._folder, self._spec, self._checks = folder, spec, checks
        with _reading(folder / spec.path):
            self._array = zarr.open_array(_StrictStore(folder / spec.path, read_only=True), mode="r")
        self._last_chunk: tuple[int, NDArray[Any]] | None = None

    def all(self) -> NDArray[Any]:
        """The whole array."""
        return self.chunk_rows(0, self._spec.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Elements start .. stop - 1 along the first axis."""
        if stop <= start:
            return np.empty((0, *self._spec.shape[1:]), self._spec.dtype)
        size = self._spec.chunks[0]
        first, last = start // size * size, min(-(-stop // size) * size, self._spec.shape[0])
        if last > first + size:
            return self.chunk_rows(first, last)[start - first : stop - first]
        if self._last_chunk is None or self._last_chunk[0] != first:
            self._last_chunk = first, self.chunk_rows(first, last)
        return self._last_chunk[1][start - first : stop - first].copy()

    def chunk_rows(self, first: int, last: int) -> NDArray[Any]:
        """Whole chunks that lie between two places along the first axis, checked."""
        size = (last - first) * math.prod(self._spec.shape[1:]) * np.dtype(self._spec.dtype).itemsize
        require_memory(size, f"to read {self._spec.path}", "read a part of it, or take a machine with more")
        try:
            read = patiently(lambda: np.asarray(self._array[first:last]), self._folder / self._spec.path)
        except MemoryError:
            raise
        except Exception as problem:
            sync(_settle())
            raise self._damage(first, last, problem) from problem
        if self._checks is not None:
            limit = self._checks.limit(self._spec.path)
            known = read if limit is None else read[: max(0, limit - first)]
            chunks = self._spec.chunks_of((first,) + (0,) * (read.ndim - 1), known.shape)
            self._checks.check_all(self._spec.path, [(index, known[place]) for index, place in chunks])
        return read

    def region(self, rows: slice, columns: slice, kept: Chunks) -> NDArray[Any]:
        """Part of the last two axes, (..., rows, columns), of its whole chunks, checked.

        Parameters
        ----------
        rows, columns : slice
        kept : dict
            Chunks by index that were read before; afterwards those of this part.
        """
        *lots, height, width = self._spec.chunks
        grid = [range(count) for count in self._spec.grid[:-2]]
        down, across = (
            range(part.start // size, -(-part.stop // size))
            for part, size in zip((rows, columns), (height, width), strict=True)
        )
        needed = list(product(*grid, down, across))
        for index in [index for index in kept if index not in needed]:
            del kept[index]
        found = np.empty(
            (*self._spec.shape[:-2], rows.stop - rows.start, columns.stop - columns.start), self._spec.dtype
        )
        for index in needed:
            if index not in kept:
                kept[index] = self.chunk(index)
                if self._checks is not None:
                    self._checks.check_all(self._spec.path, [(index, kept[index])])
            top, left = index[-2] * height, index[-1] * width
            first, last = max(rows.start, top), min(rows.stop, top + height)
            start, stop = max(columns.start, left), min(columns.stop, left + width)
            lot = tuple(slice(at * size, (at + 1) * size) for at, size in zip(index, lots, strict=False))
            part = kept[index][..., first - top : last - top, start - left : stop - left]
            found[
                (*lot, slice(first - rows.start, last - rows.start), slice(start - columns.start, stop - columns.start))
            ] = part
        return found

    def chunk(self, index: tuple[int, ...]) -> NDArray[Any]:
        """One chunk, as far as the array reaches; not checked."""
        region = tuple(slice(at * size, (at + 1) * size) for at, size in zip(index, self._spec.chunks, strict=True))
        try:
            return patiently(lambda: np.asarray(self._array[region]), self._spec.chunk_file(self._folder, index))
        except (StemscanError, MemoryError):
            raise
        except Exception as problem:
            raise _damaged(self._spec.chunk_file(self._folder, index), problem) from problem

    def _damage(self, first: int, last: int, problem: Exception) -> StoreError:
        """The error for what could not be read, which names the first file that cannot be read by itself."""
        if isinstance(problem, StoreError):
            return problem
        shape = (last - first, *self._spec.shape[1:])
        for index, _ in self._spec.chunks_of((first,) + (0,) * (len(shape) - 1), shape):
            try:
                self.chunk(index)
            except StoreError as found:
                return found
        return _damaged(self._folder / self._spec.path, problem)


class SampleReader:
    """Reads the record of samples.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    checks : ChunkChecks, optional
        As for `ArrayReader`.
    """

    def __init__(self, folder: Path, specs: dict[str, ArraySpec], checks: ChunkChecks | None = None) -> None:
        self._counts = ArrayReader(folder, specs["samples/counts"], checks)
        self._positions = ArrayReader(folder, specs["samples/position"], checks)
        self.chunk = specs["samples/counts"].chunks[0]

    def __call__(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Counts (n, C) and positions (n, 2) of samples start .. stop - 1."""
        counts = self._counts.rows(start, stop)
        return counts.reshape(len(counts), -1), self._positions.rows(start, stop)


async def _settle() -> None:
    """Wait for what a failed write left running in zarr's event loop: its other chunks."""
    current = asyncio.current_task()
    if current is not None:
        current.set_name(_SETTLING)  # two threads may both wait, but not for each other
    tasks = [task for task in asyncio.all_tasks() if task.get_name() != _SETTLING]
    await asyncio.gather(*tasks, return_exceptions=True)


def _damaged(where: Path, problem: Exception) -> StoreError:
    """One sentence of what zarr and its codecs raise on damaged data."""
    if is_out_of_threads(problem):
        return StoreError(NO_THREAD)
    if isinstance(problem, OSError) and problem.errno:
        return StoreError(f"expected to read {str(where)!r}, got: {refusal(problem)}")
    reason = " ".join(str(problem).split()) or type(problem).__name__
    if "checksum" in reason:
        reason = "bytes that do not match their checksum"
    return StoreError(f"expected sound data in {str(where)!r}, got {reason}; {remedy(where)}")


@contextmanager
def _reading(where: Path) -> Iterator[None]:
    """Turn what zarr raises on damaged metadata of an array into one sentence."""
    try:
        yield
    except (StemscanError, MemoryError):
        raise
    except Exception as problem:
        raise _damaged(where / "zarr.json", problem) from problem
