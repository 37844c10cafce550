"""Digests of the chunks of a store, in an array of their own, and how the record binds them (schema 2).

The digest of a chunk is the SHA-256 of the array's name, the chunk's index, its type and shape, and its decoded values
(little-endian, row after row): a chunk in another's place, or of another store, does not have it, and another release
of a compressor does not change it. Decoded, because the last chunk of a scan under way is hashed only as far as it is
committed, whatever was written after that.

The array `digests` (chunks, 32) holds one row a chunk: first those of the samples, for each chunk one of counts, one of
positions and, where there are any, one of actual positions and of each truth of samples; then the chunks of `frames`,
of `visits`, of levels, of `truth` and of `truth_columns`, in C order. The record holds the SHA-256 of the rows of all
whole chunks of samples that are committed, the digests of the chunk that is committed in part, and the SHA-256 of the
rows of pictures (of a complete store) and of the truths. So a commit writes chunks, then digests, then the record, and
a reader of the record before or after finds what it speaks of.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.store.record import StoreRecord
from stemscan.store.record_parts import DigestsRecord
from stemscan.store.schema import DIGEST_BYTES, DRAWN, SAMPLES, TRUTHS, ArraySpec, remedy

__all__ = ["ChunkChecks", "ChunkRows", "chunk_digest", "unbound"]

_ROWS_A_CHUNK: Final = 1024
_THREADS: Final = 4


def chunk_digest(name: str, index: tuple[int, ...], values: NDArray[Any]) -> bytes:
    """SHA-256 of a chunk, bound to its array and place; at the array's end, and of a part, of the values there are."""
    head = json.dumps([name, list(index), values.dtype.name, list(values.shape)])
    digest = hashlib.sha256(head.encode() + b"\n")
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    digest.update(plain.reshape(-1).view(np.uint8).data)
    return digest.digest()


class ChunkRows:
    """Rows of the table of digests, one a chunk.

    Parameters
    ----------
    specs : dict
        The arrays of a store by path.
    """

    def __init__(self, specs: dict[str, ArraySpec]) -> None:
        self.samples = [name for name in SAMPLES if name in specs]
        self.chunk, self.total = specs["samples/counts"].chunks[0], specs["samples/counts"].shape[0]
        self._specs = specs
        self._first: dict[str, int] = {}
        at = len(self.samples) * specs["samples/counts"].grid[0]
        for name in (name for name in (*DRAWN, *TRUTHS) if name in specs):
            self._first[name] = at
            at += int(np.prod(specs[name].grid))
        self.count = at
        self.pictures = slice(self._first["frames"], self._first.get("truth", at))
        self.truth = slice(self._first.get("truth", at), at)

    @property
    def spec(self) -> ArraySpec:
        """The array of digests."""
        shape = (self.count, DIGEST_BYTES)
        return ArraySpec(
            "digests", shape, (min(_ROWS_A_CHUNK, self.count), DIGEST_BYTES), np.dtype(np.uint8), ("chunk", "byte")
        )

    def row(self, name: str, index: tuple[int, ...]) -> int:
        """Row of a chunk."""
        if name in self.samples:
            return index[0] * len(self.samples) + self.samples.index(name)
        return self._first[name] + int(np.ravel_multi_index(index, self._specs[name].grid))

    def whole(self, committed: int) -> int:
        """Number of chunks of samples that are whole when so many samples are committed."""
        return -(-self.total // self.chunk) if committed == self.total else committed // self.chunk

    def whole_rows(self, committed: int) -> int:
        """Number of rows of those chunks."""
        return self.whole(committed) * len(self.samples)


def unbound(table: NDArray[np.uint8], rows: ChunkRows, record: StoreRecord) -> str | None:
    """The part (samples, pictures, truth) of which a table of digests is not what the record binds; None if none."""
    parts = {"samples": slice(0, rows.whole_rows(record.samples_committed))}
    parts |= {"pictures": rows.pictures, "truth": rows.truth}
    for name, part in parts.items():
        bound = getattr(record.digests, name)
        if bound is not None and hashlib.sha256(table[part].tobytes()).hexdigest() != bound:
            return name
    return None


class ChunkChecks:
    """Checks what was read against the digests that the record binds.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    record : StoreRecord
        Of schema 2.
    table : ndarray
        The digests, (chunks, 32) uint8.
    """

    def __init__(
        self, folder: Path, specs: dict[str, ArraySpec], record: StoreRecord, table: NDArray[np.uint8]
    ) -> None:
        self.rows = ChunkRows(specs)
        self.table = table
        self.committed = record.samples_committed
        self._folder, self._specs = folder, specs
        self._bound = record.digests or DigestsRecord(samples="")

    def limit(self, name: str) -> int | None:
        """Committed samples, beyond which an array of samples is not checked; None for another array."""
        return self.committed if name in self.rows.samples else None

    def check_all(self, name: str, chunks: list[tuple[tuple[int, ...], NDArray[Any]]]) -> None:
        """Refuse chunks that are not those that were written there.

        Parameters
        ----------
        name : str
            The array.
        chunks : list of tuple of (tuple of int, ndarray)
            Index and values of each; of samples, as far as they are committed.

        Raises
        ------
        StoreError
            Naming the file of the first.
        """
        if len(chunks) == 1:
            self._check(name, *chunks[0])
            return
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            list(pool.map(lambda chunk: self._check(name, *chunk), chunks))

    def _check(self, name: str, index: tuple[int, ...], values: NDArray[Any]) -> None:
        """Refuse a chunk that is not the one that was written there."""
        if not self.holds(name, index, values):
            file = self._specs[name].chunk_file(self._folder, index)
            raise StoreError(
                f"expected in {str(file)!r} the values that were written there, got others; {remedy(file)}"
            )

    def holds(self, name: str, index: tuple[int, ...], values: NDArray[Any]) -> bool:
        """Tell whether a chunk is the one that was written there."""
        in_part = name in self.rows.samples and index[0] >= self.rows.whole(self.committed)
        expected = bytes.fromhex(self._bound.tail.get(name, "")) if in_part else self.table[self.rows.row(name, index)]
        return chunk_digest(name, index, values) == bytes(expected)
