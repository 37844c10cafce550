"""Appends samples to the record of a store: one chunk in memory, written when it is full or committed.

A chunk is always written whole, its end filled with zeros until samples come, so that the last bytes written do not
depend on the number of commits. Rewriting the chunk of a commit replaces a file that holds the samples committed
before by one that holds them too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemscan.runtime.failpoints import failpoint
from stemscan.store.array_reader import ArrayReader
from stemscan.store.arrays import ArrayWriter
from stemscan.store.digest_table import DigestWriter
from stemscan.store.digests import ChunkChecks, chunk_digest
from stemscan.store.schema import SAMPLES, TRACKS, ArraySpec

__all__ = ["Positions", "SampleWriter"]

Positions = Callable[[int, int], NDArray[np.int32]]


class SampleWriter:
    """Writes `samples/counts`, `samples/position`, `samples/actual`, and truths that have a value for each sample.

    Parameters
    ----------
    folder : pathlib.Path
        The store.
    specs : dict
        Its arrays by path.
    positions : callable
        Positions (n, 2) as commanded of samples start .. stop - 1.
    committed : int
        Samples to go on after; those in the last chunk are read back.
    digests : DigestWriter, optional
        Gets the digests of chunks that become whole.
    checks : ChunkChecks, optional
        Digests against which samples are checked that are read back.
    """

    def __init__(
        self,
        folder: Path,
        specs: dict[str, ArraySpec],
        positions: Positions,
        committed: int,
        digests: DigestWriter | None = None,
        checks: ChunkChecks | None = None,
    ) -> None:
        self.appended = committed
        self.dtype = specs["samples/counts"].dtype
        self._positions = positions
        self._total = specs["samples/counts"].shape[0]
        self._chunk = specs["samples/counts"].chunks[0]
        self._first = committed // self._chunk * self._chunk
        self._dirty = False
        names = [name for name in SAMPLES if name in specs]
        self._writers = {name: ArrayWriter(folder, specs[name], digests) for name in names}
        self._buffers = {
            name: np.zeros((self._chunk, *specs[name].shape[1:]), specs[name].dtype, order="C") for name in names
        }
        self.has_actual = "samples/actual" in specs
        self.tracks = tuple(name for name in TRACKS if name in specs)
        for name in names:
            if committed > self._first:
                old = ArrayReader(folder, specs[name], checks).rows(self._first, committed)
                self._buffers[name][: len(old)] = old

    def append(
        self, counts: NDArray[Any], actual: NDArray[Any] | None, truths: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        """Add samples, which the caller has checked, after those that are there."""
        given = {name: truths[name] for name in self.tracks} if truths is not None else {}
        if actual is not None:
            given["samples/actual"] = actual
        done = 0
        while done < len(counts):
            if self.appended - self._first == self._chunk:
                self._write()
            at = self.appended - self._first
            take = min(len(counts) - done, self._chunk - at)
            here, part = slice(at, at + take), slice(done, done + take)
            self._buffers["samples/counts"][here] = counts[part].reshape(-1, *self._buffers["samples/counts"].shape[1:])
            self._buffers["samples/position"][here] = self._positions(self.appended, self.appended + take)
            for name, values in given.items():
                self._buffers[name][here] = values[part]
            self.appended += take
            done += take
            self._dirty = True

    def flush(self) -> None:
        """Bring every appended sample to the disk."""
        if self._dirty:
            self._write()
        failpoint("commit:chunks")
        for writer in self._writers.values():
            writer.sync()

    def tail(self) -> dict[str, str]:
        """Digests, as far as it is there, of the chunk that is not whole, by array."""
        index, there = self._first // self._chunk, self.appended - self._first
        if there == 0 or self.appended == self._total:
            return {}
        parts = {name: (buffer[:there], (index,) + (0,) * (buffer.ndim - 1)) for name, buffer in self._buffers.items()}
        return {name: chunk_digest(name, at, part).hex() for name, (part, at) in parts.items()}

    def _write(self) -> None:
        """Write the chunk in memory, and begin the next one if it is full."""
        size = min(self._chunk, self._total - self._first)
        whole = self.appended - self._first == size
        for name, writer in self._writers.items():
            buffer = self._buffers[name]
            writer.write((self._first,) + (0,) * (buffer.ndim - 1), buffer[:size], last=whole)
        self._dirty = False
        if self.appended - self._first == self._chunk:
            self._first += self._chunk
            for buffer in self._buffers.values():
                buffer[...] = 0
        failpoint("append:chunk")
