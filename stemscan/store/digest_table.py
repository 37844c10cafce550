"""The array `digests` of a store on the disk, read and written chunk by chunk; see `stemscan.store.digests`."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.errors import StoreError
from stemscan.store.array_reader import ArrayReader
from stemscan.store.arrays import ArrayWriter, create_array
from stemscan.store.digests import ChunkChecks, ChunkRows, chunk_digest, unbound
from stemscan.store.record import StoreRecord
from stemscan.store.schema import DIGEST_BYTES, ArraySpec

__all__ = ["DigestWriter", "read_checks"]


def read_checks(folder: Path, specs: dict[str, ArraySpec], record: StoreRecord) -> ChunkChecks:
    """Checks against the digests of a store.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    record : StoreRecord
        Of schema 2.

    Raises
    ------
    StoreError
        When the digests are missing or damaged, or not those that the record speaks of.
    """
    rows = ChunkRows(specs)
    table = ArrayReader(folder, rows.spec).all()
    if (name := unbound(table, rows, record)) is not None:
        raise StoreError(
            f"expected in {str(folder / rows.spec.path)!r} the digests of {name} that the record speaks of, got "
            f"others; run stemscan verify --repair on {str(folder)!r}"
        )
    return ChunkChecks(folder, specs, record, table)


class DigestWriter:
    """The digests of the store that is being written, in memory and on the disk.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    """

    def __init__(self, folder: Path, specs: dict[str, ArraySpec]) -> None:
        self.rows = ChunkRows(specs)
        self._folder = folder
        self.table: NDArray[np.uint8] = np.zeros((self.rows.count, DIGEST_BYTES), np.uint8)
        self._dirty: set[int] = set()
        self._changing = threading.Lock()
        self._writer: ArrayWriter | None = None

    @classmethod
    def create(cls, folder: Path, specs: dict[str, ArraySpec]) -> DigestWriter:
        """Make the array; what is not known yet is zero."""
        made = cls(folder, specs)
        create_array(folder, made.rows.spec)
        made._dirty = set(range(made.rows.spec.grid[0]))
        return made

    @classmethod
    def resume(cls, folder: Path, specs: dict[str, ArraySpec], record: StoreRecord) -> DigestWriter:
        """Go on with those of the committed samples, and of the truth.

        Raises
        ------
        StoreError
            When they are damaged.
        """
        made = cls(folder, specs)
        checks = read_checks(folder, specs, record)
        whole = made.rows.whole_rows(record.samples_committed)
        made.table[:whole] = checks.table[:whole]
        made.table[made.rows.truth] = checks.table[made.rows.truth]
        made._dirty = set(range(made.rows.spec.grid[0]))
        return made

    def put(self, name: str, index: tuple[int, ...], values: NDArray[Any]) -> None:
        """Note the digest of a whole chunk; from any thread."""
        digest = np.frombuffer(chunk_digest(name, index, values), np.uint8)
        row = self.rows.row(name, index)
        with self._changing:
            self.table[row] = digest
            self._dirty.add(row // self.rows.spec.chunks[0])

    def flush(self) -> None:
        """Bring what was noted to the disk."""
        from stemscan.store.arrays import ArrayWriter

        with self._changing:
            if not self._dirty:
                return
            if self._writer is None:
                self._writer = ArrayWriter(self._folder, self.rows.spec)
            size = self.rows.spec.chunks[0]
            for part in sorted(self._dirty):
                self._writer.write((part * size, 0), self.table[part * size : (part + 1) * size])
            self._writer.sync()
            self._dirty.clear()

    def forget(self, committed: int) -> None:
        """Drop the digests of samples beyond those committed."""
        with self._changing:
            self.table[self.rows.whole_rows(committed) : self.rows.pictures.start] = 0
            self._dirty = set(range(self.rows.spec.grid[0]))

    def samples(self, committed: int) -> str:
        """Entry of the record for the whole chunks of samples."""
        return hashlib.sha256(self.table[: self.rows.whole_rows(committed)].tobytes()).hexdigest()

    def pictures(self) -> str:
        """Entry of the record for the pictures."""
        return hashlib.sha256(self.table[self.rows.pictures].tobytes()).hexdigest()

    def truth(self) -> str:
        """Entry of the record for the truth."""
        return hashlib.sha256(self.table[self.rows.truth].tobytes()).hexdigest()
