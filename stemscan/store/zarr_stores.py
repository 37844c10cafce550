"""Stores of zarr for the arrays of ours: durable writing, reading without silent zeros, in folders and in buckets.

Every array is a zarr store of its own folder, so that creating one writes nothing elsewhere. This module imports zarr:
import it only when arrays are touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, Store
from zarr.storage import LocalStore

from stemscan.errors import NO_THREAD, StemscanError, StoreError, is_out_of_threads, refusal
from stemscan.objects.path import ObjectPath
from stemscan.store.files import sync_folder, write_durably, writing
from stemscan.store.schema import remedy

__all__ = ["damaged", "reading", "reading_store", "settle", "writing_store"]

_SETTLING = "waiting for the rest of a failed write"


class _Folder(LocalStore):
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


class _StrictFolder(LocalStore):
    """Refuses to read a missing chunk as zeros."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        return _present(self.root, key, await super().get(key, prototype, byte_range))

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        return _present(self.root, key, super().get_sync(key, prototype=prototype, byte_range=byte_range))


class _Objects(Store):
    """Objects below a URL; a missing chunk is not read as zeros, and writing is under the lease of this process."""

    def __init__(self, root: ObjectPath, *, read_only: bool) -> None:
        super().__init__(read_only=read_only)
        self._root = root

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Objects) and str(other._root) == str(self._root) and other.read_only == self.read_only

    __hash__ = Store.__hash__

    def sync(self) -> None:
        """Nothing: an object that was put is safe."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        if byte_range is not None:
            raise NotImplementedError("parts of objects: no array of ours has shards")
        try:
            data = await asyncio.to_thread((self._root / key).read_bytes)
        except FileNotFoundError:
            return None if self.read_only is False else _present(self._root, key, None)
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        return await asyncio.to_thread((self._root / key).is_file)

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()
        await asyncio.to_thread(write_durably, self._root / key, value.to_bytes())

    async def delete(self, key: str) -> None:
        raise NotImplementedError("chunks of ours are never deleted one by one")

    @property
    def supports_writes(self) -> bool:
        return True

    @property
    def supports_deletes(self) -> bool:
        return False

    @property
    def supports_listing(self) -> bool:
        return False

    def list(self) -> AsyncIterator[str]:
        raise NotImplementedError("no array of ours is listed")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        raise NotImplementedError("no array of ours is listed")

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        raise NotImplementedError("no array of ours is listed")


def writing_store(folder: Path) -> _Folder | _Objects:
    """The zarr store of an array that is to be written."""
    return _Objects(folder, read_only=False) if isinstance(folder, ObjectPath) else _Folder(folder)


def reading_store(folder: Path) -> Store:
    """The zarr store of an array that is to be read."""
    return _Objects(folder, read_only=True) if isinstance(folder, ObjectPath) else _StrictFolder(folder, read_only=True)


def _present(root: Path, key: str, value: Buffer | None) -> Buffer | None:
    """Pass on a part of a store, unless it is a chunk that is missing."""
    if value is None and key.startswith("c/"):
        where = root / key
        raise StoreError(f"expected a chunk at {str(where)!r}, got none; {remedy(where)}")
    return value


async def settle() -> None:
    """Wait for what a failed write left running in zarr's event loop: its other chunks."""
    current = asyncio.current_task()
    if current is not None:
        current.set_name(_SETTLING)  # two threads may both wait, but not for each other
    tasks = [task for task in asyncio.all_tasks() if task.get_name() != _SETTLING]
    await asyncio.gather(*tasks, return_exceptions=True)


def damaged(where: Path, problem: Exception) -> StoreError:
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
def reading(where: Path) -> Iterator[None]:
    """Turn what zarr raises on damaged metadata of an array into one sentence."""
    try:
        yield
    except (StemscanError, MemoryError):
        raise
    except Exception as problem:
        raise damaged(where / "zarr.json", problem) from problem
