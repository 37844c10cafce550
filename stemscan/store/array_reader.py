"""Arrays of a store, read chunk by chunk and checked; a missing chunk is an error and never zeros.

This module imports zarr: import it only when arrays are touched.
"""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync

from stemscan.errors import StemscanError, StoreError
from stemscan.runtime.durable import patiently
from stemscan.runtime.memory import require_memory
from stemscan.store.schema import ArraySpec
from stemscan.store.zarr_stores import damaged, reading, reading_store, settle

if TYPE_CHECKING:
    from stemscan.store.digests import ChunkChecks

__all__ = ["ArrayReader", "Chunks", "SampleReader"]

Chunks = dict[tuple[int, ...], NDArray[Any]]
"""Decoded chunks of an array by their indices."""


class ArrayReader:
    """Reads one array, keeping the chunks that were decoded last.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    checks : ChunkChecks, optional
        Digests against which chunks are checked; of an array of samples, as far as it is committed.
    """

    def __init__(self, folder: Path, spec: ArraySpec, checks: ChunkChecks | None = None) -> None:
        self._folder, self._spec, self._checks = folder, spec, checks
        with reading(folder / spec.path):
            self._array = zarr.open_array(reading_store(folder / spec.path), mode="r", zarr_format=3)
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
            sync(settle())
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

    def part(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """Any part, of slices with both ends; not checked."""
        return self._get(region, self._folder / self._spec.path)

    def chunk(self, index: tuple[int, ...]) -> NDArray[Any]:
        """One chunk, as far as the array reaches; not checked."""
        region = tuple(slice(at * size, (at + 1) * size) for at, size in zip(index, self._spec.chunks, strict=True))
        return self._get(region, self._spec.chunk_file(self._folder, index))

    def _get(self, region: tuple[slice, ...], where: Path) -> NDArray[Any]:
        """Part of the array; `where` names the file for messages."""
        try:
            return patiently(lambda: np.asarray(self._array[region]), where)
        except (StemscanError, MemoryError):
            raise
        except Exception as problem:
            raise damaged(where, problem) from problem

    def _damage(self, first: int, last: int, problem: Exception) -> StemscanError:
        """The error for what could not be read, which names the first file that cannot be read by itself."""
        if isinstance(problem, StemscanError):
            return problem
        shape = (last - first, *self._spec.shape[1:])
        for index, _ in self._spec.chunks_of((first,) + (0,) * (len(shape) - 1), shape):
            try:
                self.chunk(index)
            except StoreError as found:
                return found
        return damaged(self._folder / self._spec.path, problem)


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
